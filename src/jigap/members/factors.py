"""The second factor: an authenticator app, and recovery codes for the day it is lost.

Optional for members, required of operators: a session opened without one does not open what
operators do. A member may have several apps, so that a new phone can take over from the old one;
there is one set of recovery codes. The secret of an app is sealed under the member's data key.

A code is used up in one statement that says which codes it still takes, so of two requests with the
same code one wins. Recovery codes are stored as keyed hashes and not as argon2 would: each has 80
random bits, which nobody tries out, with or without the table, and a keyed hash of one cannot even
be tried without the key ring. Slowness protects what people choose; these were not chosen.
"""

import hmac
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from jigap import audit, entropy, events
from jigap.clock import Clock
from jigap.database import Database, prepared
from jigap.keys import KeyRing
from jigap.members import personal, records, totp
from jigap.members.proof import Proofs
from jigap.members.sessions import SignedIn, end_sessions
from jigap.members.tables import factors, recovery_codes
from jigap.refusal import Kind, Refusal

FACTORS_MAX = 5
KIND = "totp"


class OtpRequired(Refusal):
    """The password is right; a one-time code is needed, too."""

    code = "otp_required"
    kind = Kind.UNAUTHENTICATED
    hint = "Send the same again with `otp`: the six digits of the app, or a recovery code."


class OtpWrong(Refusal):
    """The one-time code is wrong, or was used already."""

    code = "otp_wrong"
    kind = Kind.UNAUTHENTICATED
    hint = "Each code is good once: wait for the next one, or use a recovery code."


class FactorUnknown(Refusal):
    """This member has no such second factor."""

    code = "factor_unknown"
    kind = Kind.MISSING
    hint = "GET /api/v1/me/factors lists them."


class FactorNeeded(Refusal):
    """An operator always has a second factor."""

    code = "factor_needed"
    hint = "Add and confirm another one first."


class FactorLimit(Refusal):
    """A member has at most five second factors."""

    code = "factor_limit"
    hint = "Remove one that is not used any more."


@dataclass(frozen=True, slots=True)
class NewFactor:
    """A factor that waits for its first code. ``secret`` and ``uri`` are shown once."""

    id: str
    secret: str = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Factor:
    """A second factor; until it is confirmed it opens nothing and asks for nothing."""

    id: str
    kind: str
    confirmed: bool
    created_ms: int


class Shown(Enum):
    """What a one-time code was."""

    APP = "app"
    RECOVERY_CODE = "recovery code"


class Factors:
    """What members do about their second factors."""

    def __init__(self, database: Database, ring: KeyRing, clock: Clock, proofs: Proofs) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._proofs = proofs

    async def of(self, member_id: str) -> tuple[list[Factor], int]:
        """A member's factors, oldest first, and how many recovery codes are left."""
        return await self._database.read(_listed, member_id)

    async def prove(self, asker: SignedIn, password: str, otp: str | None) -> None:
        """Have whoever asks prove once more who they are. Uses a one-time code up.

        Raises what ``Proofs`` and ``use_otp`` raise.
        """
        await self._proofs.password(asker, password)
        await self._database.write(self._prove, asker, otp, self._clock.now_ms())

    async def begin(self, asker: SignedIn, password: str, otp: str | None) -> NewFactor:
        """A new factor to confirm; one that was never confirmed goes.

        Whoever has a factor proves it. Raises ``FactorLimit`` and what ``Proofs`` and ``use_otp``
        raise.
        """
        await self._proofs.password(asker, password)
        return await self._database.write(self._begin, asker, otp, self._clock.now_ms())

    async def confirm(self, asker: SignedIn, factor_id: str, otp: str) -> tuple[str, ...]:
        """Put a new factor in force; the new recovery codes.

        Every other session ends: whoever opened it has shown no code of this factor. Raises
        ``FactorUnknown``, ``OtpWrong``, ``SignInWait`` or ``SignInLocked``.
        """
        await self._proofs.count(asker)
        return await self._database.write(
            self._confirm, asker, factor_id, otp, self._clock.now_ms()
        )

    async def renew_codes(self, asker: SignedIn, otp: str) -> tuple[str, ...]:
        """Ten new recovery codes; those of before are void.

        Raises ``FactorUnknown``, ``OtpWrong``, ``SignInWait`` or ``SignInLocked``.
        """
        await self._proofs.count(asker)
        return await self._database.write(self._renew, asker, otp, self._clock.now_ms())

    async def remove(self, asker: SignedIn, factor_id: str, password: str, otp: str | None) -> None:
        """Remove a factor; with the last one the recovery codes go.

        Raises ``FactorUnknown``, ``FactorNeeded`` and what ``Proofs`` and ``use_otp`` raise.
        """
        await self._proofs.password(asker, password)
        await self._database.write(self._remove, asker, factor_id, otp, self._clock.now_ms())

    def _prove(self, connection: Connection, asker: SignedIn, otp: str | None, now_ms: int) -> None:
        shown = use_otp(connection, self._ring, asker.member.id, otp, now_ms)
        self._proofs.succeeded(connection, asker)
        note_recovery(connection, shown, asker.member.id, now_ms)

    def _begin(
        self, connection: Connection, asker: SignedIn, otp: str | None, now_ms: int
    ) -> NewFactor:
        member = asker.member
        shown = use_otp(connection, self._ring, member.id, otp, now_ms)
        self._proofs.succeeded(connection, asker)
        connection.execute(
            delete(factors).where(
                factors.c.member_id == member.id, factors.c.confirmed_ms.is_(None)
            )
        )
        if len(_confirmed(connection, member.id)) >= FACTORS_MAX:
            raise FactorLimit("This member has five second factors.")
        secret = new_secret()
        id_ = _add(connection, self._ring, member.id, secret, now_ms)
        note_recovery(connection, shown, member.id, now_ms)
        return NewFactor(id_, secret, totp.uri_of(secret, member.login))

    def _confirm(
        self, connection: Connection, asker: SignedIn, factor_id: str, otp: str, now_ms: int
    ) -> tuple[str, ...]:
        member_id = asker.member.id
        held = _locked(connection, self._ring, member_id)
        found = held.factor(factor_id)
        if found.confirmed_ms is not None:
            raise FactorUnknown("This factor is confirmed already.")
        if not _use_code_of_app(connection, held.secret(found), found, otp, now_ms):
            raise OtpWrong("This code is not the one of now.")
        connection.execute(
            update(factors).where(factors.c.id == factor_id).values(confirmed_ms=now_ms)
        )
        self._proofs.succeeded(connection, asker)
        codes = fresh_recovery_codes(connection, self._ring, member_id)
        end_sessions(connection, member_id, now_ms, but=asker.session_id)
        _tell(connection, "factor.added", "factor:add", member_id, factor_id, now_ms)
        return codes

    def _renew(
        self, connection: Connection, asker: SignedIn, otp: str, now_ms: int
    ) -> tuple[str, ...]:
        member_id = asker.member.id
        if use_otp(connection, self._ring, member_id, otp, now_ms) is None:
            raise FactorUnknown("There is no second factor to recover.")
        self._proofs.succeeded(connection, asker)
        codes = fresh_recovery_codes(connection, self._ring, member_id)
        _tell(
            connection,
            "recovery_codes.renewed",
            "recovery_code:renew",
            member_id,
            member_id,
            now_ms,
        )
        return codes

    def _remove(
        self, connection: Connection, asker: SignedIn, factor_id: str, otp: str | None, now_ms: int
    ) -> None:
        member_id = asker.member.id
        held = _locked(connection, self._ring, member_id)
        found = held.factor(factor_id)
        left = [one for one in held.confirmed if one.id != factor_id]
        if found.confirmed_ms is not None and not left and asker.member.is_operator:
            raise FactorNeeded("An operator's last second factor cannot be removed.")
        shown = use_otp(connection, self._ring, member_id, otp, now_ms)
        self._proofs.succeeded(connection, asker)
        connection.execute(delete(factors).where(factors.c.id == factor_id))
        if not left:
            connection.execute(
                delete(recovery_codes).where(recovery_codes.c.member_id == member_id)
            )
        note_recovery(connection, shown, member_id, now_ms)
        if found.confirmed_ms is not None:
            _tell(connection, "factor.removed", "factor:remove", member_id, factor_id, now_ms)


def use_otp(
    connection: Connection, ring: KeyRing, member_id: str, otp: str | None, now_ms: int
) -> Shown | None:
    """Use up the one-time code of a member who has a second factor; None for one who has none.

    In the caller's transaction, which calls ``note_recovery`` at its end: if it goes on to refuse,
    nothing was used up. Raises ``OtpRequired`` or ``OtpWrong``.
    """
    held = _locked(connection, ring, member_id)
    if not held.confirmed:
        return None
    if otp is None:
        raise OtpRequired("A one-time code is needed.")
    for one in held.confirmed:
        if _use_code_of_app(connection, held.secret(one), one, otp, now_ms):
            return Shown.APP
    if _use_recovery_code(connection, ring, member_id, otp):
        return Shown.RECOVERY_CODE
    raise OtpWrong("This code is wrong or was used already.")


def note_recovery(connection: Connection, shown: Shown | None, member_id: str, now_ms: int) -> None:
    """Tell the member if it was a recovery code. Appends to the trail, so it comes late."""
    if shown is Shown.RECOVERY_CODE:
        _tell(connection, "recovery_code.used", "recovery_code:use", member_id, member_id, now_ms)


def enrol(
    connection: Connection, *, ring: KeyRing, member_id: str, secret: str, now_ms: int
) -> tuple[str, ...]:
    """Give a member a confirmed factor, as only the command line can; the recovery codes."""
    id_ = _add(connection, ring, member_id, secret, now_ms, confirmed_ms=now_ms)
    codes = fresh_recovery_codes(connection, ring, member_id)
    audit.append(connection, now_ms=now_ms, actor="console", action="factor:add", object_=id_)
    return codes


def remove_all(connection: Connection, member_id: str) -> None:
    """Take away every factor and recovery code, in the caller's transaction."""
    connection.execute(delete(factors).where(factors.c.member_id == member_id))
    connection.execute(delete(recovery_codes).where(recovery_codes.c.member_id == member_id))


def new_secret() -> str:
    """A fresh secret for an authenticator app."""
    return totp.secret_of(entropy.random_bytes(totp.SECRET_BYTES))


def has_factor(connection: Connection, member_id: str) -> bool:
    """Whether a member has a confirmed factor."""
    return bool(_confirmed(connection, member_id))


def fresh_recovery_codes(connection: Connection, ring: KeyRing, member_id: str) -> tuple[str, ...]:
    """Ten new recovery codes in place of all of before. They are shown once."""
    connection.execute(delete(recovery_codes).where(recovery_codes.c.member_id == member_id))
    codes = tuple(
        totp.recovery_code(entropy.random_bytes(totp.RECOVERY_CODE_BYTES))
        for _ in range(totp.RECOVERY_CODES)
    )
    connection.execute(
        insert(recovery_codes),
        [
            {"member_id": member_id, "code_hash": _code_hash(ring, member_id, code)}
            for code in codes
        ],
    )
    return codes


@dataclass(frozen=True, slots=True)
class _Held:
    """A member's factors while the member's row is ours."""

    ring: KeyRing
    member: records.AnyRow
    factors: list[records.AnyRow]

    @property
    def confirmed(self) -> list[records.AnyRow]:
        return [one for one in self.factors if one.confirmed_ms is not None]

    def factor(self, factor_id: str) -> records.AnyRow:
        """Raises ``FactorUnknown``."""
        for one in self.factors:
            if one.id == factor_id:
                return one
        raise FactorUnknown("There is no such factor.")

    def secret(self, factor: records.AnyRow) -> str:
        member = self.member
        return personal.unseal(
            self.ring, member.id, member.data_key_sealed, _field(factor.id), factor.secret_sealed
        )


def _locked(connection: Connection, ring: KeyRing, member_id: str) -> _Held:
    """The member's row first: every change of the factors waits for it."""
    member = records.row_of(connection, member_id, lock=True)
    assert member is not None, "members are never deleted"
    return _Held(ring, member, list(connection.execute(*_of_member(member_id))))


@prepared
def _of_member(member_id: Any) -> Any:
    return select(factors).where(factors.c.member_id == member_id).order_by(factors.c.id)


def _confirmed(connection: Connection, member_id: str) -> list[records.AnyRow]:
    rows = connection.execute(*_of_member(member_id))
    return [row for row in rows if row.confirmed_ms is not None]


def _listed(connection: Connection, member_id: str) -> tuple[list[Factor], int]:
    left = connection.scalar(
        select(func.count())
        .select_from(recovery_codes)
        .where(recovery_codes.c.member_id == member_id)
    )
    found = [
        Factor(row.id, row.kind, row.confirmed_ms is not None, row.created_ms)
        for row in connection.execute(*_of_member(member_id))
    ]
    return found, int(left or 0)


def _add(
    connection: Connection,
    ring: KeyRing,
    member_id: str,
    secret: str,
    now_ms: int,
    confirmed_ms: int | None = None,
) -> str:
    member = records.row_of(connection, member_id, lock=True)
    assert member is not None, "members are never deleted"
    id_ = entropy.new_id("fa", now_ms)
    sealed = personal.seal(ring, member_id, member.data_key_sealed, _field(id_), secret)
    connection.execute(
        insert(factors).values(
            id=id_,
            member_id=member_id,
            kind=KIND,
            secret_sealed=sealed,
            created_ms=now_ms,
            confirmed_ms=confirmed_ms,
        )
    )
    return id_


def _use_code_of_app(
    connection: Connection, secret: str, factor: records.AnyRow, otp: str, now_ms: int
) -> bool:
    step = totp.step_shown(secret, otp, now_ms, after=factor.last_step)
    if step is None:
        return False
    still = factors.c.last_step.is_(None) | (factors.c.last_step < step)
    done = connection.execute(
        update(factors).where(factors.c.id == factor.id, still).values(last_step=step)
    )
    return done.rowcount == 1


def _use_recovery_code(connection: Connection, ring: KeyRing, member_id: str, typed: str) -> bool:
    done = connection.execute(
        delete(recovery_codes).where(
            recovery_codes.c.member_id == member_id,
            recovery_codes.c.code_hash == _code_hash(ring, member_id, typed),
        )
    )
    return done.rowcount == 1


def _code_hash(ring: KeyRing, member_id: str, typed: str) -> bytes:
    text = f"{member_id}\0{totp.recovery_code_typed(typed)}"
    return hmac.digest(
        ring.derive("recovery-code"), text.encode("utf-8", "surrogatepass"), "sha3_256"
    )


def _field(factor_id: str) -> str:
    """What the seal of a secret is bound to, besides the member."""
    return f"totp:{factor_id}"


def _tell(
    connection: Connection,
    kind: str,
    action: str,
    member_id: str,
    object_: str,
    now_ms: int,
) -> None:
    events.record(connection, kind, subject=object_, member_id=member_id, now_ms=now_ms)
    audit.append(connection, now_ms=now_ms, actor=member_id, action=action, object_=object_)
