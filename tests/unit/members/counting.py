"""Counting what a question costs, so that what it costs can be shown to tell nothing."""

import hmac
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import event

from jigap.database import Database
from jigap.keys import ring
from jigap.members import directory, personal


class Counted:
    """How often each operation ran since ``reset``."""

    def __init__(self, database: Database, patch: pytest.MonkeyPatch) -> None:
        self.operations: Counter[str] = Counter()
        self._watch_ciphers(patch)
        self._watch(patch, hmac, "digest", "hmac")
        self._watch(patch, PasswordHasher, "verify", "argon2")
        self._watch(patch, PasswordHasher, "hash", "argon2")
        event.listen(database.engine, "before_cursor_execute", self._statement)

    def _statement(self, _c: Any, _cur: Any, statement: str, *_: Any) -> None:
        self.operations[f"sql {statement.split()[0].lower()}"] += 1

    def _watch(self, patch: pytest.MonkeyPatch, owner: Any, name: str, word: str) -> None:
        real = getattr(owner, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            self.operations[word] += 1
            return real(*arguments, **named)

        patch.setattr(owner, name, counted)

    def _watch_ciphers(self, patch: pytest.MonkeyPatch) -> None:
        operations = self.operations

        class Cipher:
            def __init__(self, key: bytes) -> None:
                self._real = AESGCM(key)

            def encrypt(self, nonce: bytes, plain: bytes, label: bytes) -> bytes:
                operations[f"aes encrypt {len(plain)}"] += 1
                return self._real.encrypt(nonce, plain, label)

            def decrypt(self, nonce: bytes, sealed: bytes, label: bytes) -> bytes:
                operations[f"aes decrypt {len(sealed)}"] += 1
                return self._real.decrypt(nonce, sealed, label)

        for module in (personal, directory, ring):
            patch.setattr(module, "AESGCM", Cipher)

    async def of(self, question: Callable[[], Awaitable[Any]]) -> dict[str, int]:
        """What one question costs."""
        self.operations.clear()
        await question()
        return dict(self.operations)
