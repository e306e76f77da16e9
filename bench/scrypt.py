"""The bounds of everything that makes or opens a wallet key: bare scrypt on all cores.

And, far above it, the signature that each transaction needs once the key is open.
"""

import os
import threading
import time
from collections.abc import Callable

import coincurve

from jigap.keys.scrypt import scrypt
from jigap.settings import Settings


def per_second(seconds: float) -> float:
    """Derivations per second with one thread for each core, at the platform's own cost."""

    def derive(salt: bytes) -> None:
        scrypt(b"a passphrase of the usual length", salt, n=Settings.scrypt_n)

    return _on_all_cores(seconds, derive)


def signatures_per_second(seconds: float) -> float:
    """Keys loaded and used for one signature per second, with one thread for each core."""

    def sign(digest: bytes) -> None:
        coincurve.PrivateKey(digest).sign_recoverable(digest, hasher=None)

    return _on_all_cores(seconds, sign)


def _on_all_cores(seconds: float, work: Callable[[bytes], None]) -> float:
    """How often per second ``work`` is done with 32 bytes of each thread's own."""
    stop_at = time.perf_counter() + seconds
    counts = [0] * (os.cpu_count() or 1)

    def repeat(at: int) -> None:
        given = os.urandom(31) + b"1"
        while time.perf_counter() < stop_at:
            work(given)
            counts[at] += 1

    begun = time.perf_counter()
    threads = [threading.Thread(target=repeat, args=(at,)) for at in range(len(counts))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return sum(counts) / (time.perf_counter() - begun)
