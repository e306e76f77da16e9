"""Real-name checks as members go through them: ask for a code, type it, be verified.

What is going to be asked of the agency is recorded first and asked afterwards, with no transaction
open, and every question has an id that makes asking again safe. So an agency that falls silent
leaves the check where it was, and the same request goes on with it when the agency is back.

A try is counted before the agency hears the code: a hundred guesses at once are a hundred tries,
and five are all there are. Only the code whose fate is unknown may be sent again without counting.
"""

import hmac
import unicodedata
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from jigap import audit, entropy, members
from jigap.clock import Clock
from jigap.database import Database
from jigap.keys import KeyRing
from jigap.members import Identity, Member, PersonDiffers, PhoneTaken
from jigap.realname import limits, records, verification
from jigap.realname.details import details_of
from jigap.realname.limits import Caps, RealNameLimit
from jigap.realname.provider import (
    Approved,
    CodeAnswer,
    CodeInquiry,
    CodeSent,
    InDoubt,
    Inquiry,
    Provider,
    Reason,
    Rejected,
    RequestAnswer,
    WrongCode,
)
from jigap.realname.records import Check, check_of
from jigap.realname.refusals import (
    AgencySilent,
    CodeBurnt,
    CodeWrong,
    RealNameConfirmed,
    RealNameExpired,
    RealNameRefused,
    RealNameUnavailable,
    RealNameUnknown,
)
from jigap.realname.verification import Carrier, Details, State, becomes
from jigap.refusal import Refusal
from jigap.settings import Settings

_REPLACED, _BURNT = "replaced", "code_burnt"


@dataclass(frozen=True, slots=True)
class _Taken:
    """A try that may be made, or why there is none."""

    state: State
    refusal: Refusal | None = None


class RealName:
    """Checks of members. Without a provider every new one is refused."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        provider: Provider | None,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._database = database
        self._ring = ring
        self._provider = provider
        self._clock = clock
        self._settings = settings
        self._caps = Caps(ring, settings)
        self._indexes = members.Indexes(ring)
        self._try_key = ring.derive("realname-try")

    async def request(
        self,
        member: Member,
        name: str,
        phone: str,
        birth: str,
        sex: str,
        *,
        carrier: Carrier | None = None,
        address: str = "",
    ) -> Check:
        """Have a code sent; a check that waits for the agency's answer goes on.

        ``birth`` is YYMMDD, ``sex`` the digit after it. Raises the refusals of each field,
        ``RealNameUnavailable``, ``RealNameLimit``, ``MemberFrozen`` or ``PersonDiffers``.
        """
        provider = self._must_have_provider()
        now_ms = self._clock.now_ms()
        details = details_of(name, phone, birth, sex, carrier, now_ms)
        caps = self._caps.of(member.id, details.phone, address)
        try:
            check_id = await self._database.write(
                self._open, member.id, details, caps, provider.name, address, now_ms
            )
        except RealNameLimit as refused:
            cap = next(one for one in caps if one.scope == refused.facts["limit"])
            await self._database.write(limits.note_refused, cap, now_ms)
            raise
        return await self._ask(provider, check_id)

    async def confirm(
        self, member: Member, check_id: str, code: str, *, address: str = ""
    ) -> Check:
        """Have a code checked; the member is verified if it is right.

        Raises ``RealNameUnknown``, ``CodeWrong``, ``CodeBurnt``, ``RealNameExpired``,
        ``RealNameRefused``, ``RealNameConfirmed``, ``AgencySilent``, ``PhoneTaken``,
        ``PersonDiffers``, ``MemberFrozen`` or ``RealNameUnavailable``.
        """
        provider = self._must_have_provider()
        code = unicodedata.normalize("NFKC", code)
        try_id = self._try_id(check_id, code)
        taken = await self._database.write(
            self._take_try,
            member.id,
            check_id,
            try_id,
            provider.name,
            address,
            self._clock.now_ms(),
        )
        if taken.refusal is not None:
            raise taken.refusal
        if taken.state is State.REQUESTED:
            await self._must_be_sent(provider, check_id)
        asked = await self._database.read(self._code_inquiry, check_id, try_id, code)
        if asked is None:
            return await self.get(member, check_id)
        answer = await provider.confirm(asked)
        if isinstance(answer, InDoubt):
            raise AgencySilent("The agency has not said whether the code is right.")
        return await self._settle(member.id, check_id, try_id, answer, address)

    async def get(self, member: Member, check_id: str) -> Check:
        """A check of the member's own. Raises ``RealNameUnknown``."""
        row = await self._database.read(records.get, check_id)
        if row is None or row.member_id != member.id:
            raise RealNameUnknown("There is no such check.")
        return check_of(row, self._clock.now_ms())

    async def page(
        self,
        before: str | None,
        limit: int,
        *,
        member_id: str | None = None,
        state: State | None = None,
    ) -> list[Check]:
        """The log for operators, newest first, ids below ``before``; of a member, in a state."""
        now_ms = self._clock.now_ms()
        rows = await self._database.read(
            records.page, before, limit, now_ms=now_ms, member_id=member_id, state=state
        )
        return [check_of(row, now_ms) for row in rows]

    async def close(self) -> None:
        """Let go of the agency."""
        if self._provider is not None:
            await self._provider.close()

    # --- asking for a code

    def _must_have_provider(self) -> Provider:
        if self._provider is None:
            raise RealNameUnavailable("There is no real-name agency here.")
        return self._provider

    def _open(
        self,
        connection: Connection,
        member_id: str,
        details: Details,
        caps: tuple[limits.Cap, ...],
        provider: str,
        address: str,
        now_ms: int,
    ) -> str:
        """The check to go on with: one that waits for an answer to the same, or a new one."""
        row = _locked_member(connection, member_id)
        born = verification.birth_date(
            details.birth, details.sex, verification.today_in_korea(now_ms)
        )
        members.same_person(self._ring, row, details.name, born)
        records.expire_overdue(connection, now_ms)
        for earlier in records.open_of(connection, member_id):
            if earlier.provider == provider and self._is_same(row, earlier, details, now_ms):
                return str(earlier.id)
            records.finish(connection, earlier, State.EXPIRED, now_ms, reason=_REPLACED)
        limits.take(connection, caps, now_ms)
        check_id = entropy.new_id("rn", now_ms)
        records.add(
            connection,
            id=check_id,
            member_id=member_id,
            state=State.REQUESTED,
            provider=provider,
            masked_name=members.masked_name(details.name),
            masked_phone=members.masked_phone(details.phone),
            phone_index=self._indexes.phone(details.phone),
            details_sealed=self._seal(row, check_id, details),
            address=address,
            minor=verification.is_minor(born, verification.today_in_korea(now_ms)),
            created_ms=now_ms,
            expires_ms=now_ms + self._ttl_ms,
        )
        _tell(connection, member_id, "request", check_id, State.REQUESTED, address, now_ms)
        return check_id

    def _is_same(self, row: Any, check: Any, details: Details, now_ms: int) -> bool:
        """Whether a check waits for the agency's answer to the same details."""
        return (
            State(check.state) is State.REQUESTED
            and now_ms < check.expires_ms
            and self._details(row, check) == details
        )

    async def _ask(self, provider: Provider, check_id: str) -> Check:
        """Put the question of a check, and write down what the agency says."""
        asked = await self._database.read(self._inquiry, check_id)
        if asked is not None:
            answer = await provider.request(asked)
            if not isinstance(answer, InDoubt):
                await self._database.write(self._heard, check_id, answer, self._clock.now_ms())
        row = await self._database.read(records.get, check_id)
        assert row is not None, "checks are never deleted"
        return check_of(row, self._clock.now_ms())

    def _inquiry(self, connection: Connection, check_id: str) -> Inquiry | None:
        """What to ask; None once it is answered."""
        check = records.get(connection, check_id)
        assert check is not None
        if State(check.state) is not State.REQUESTED:
            return None
        row = members.row_of(connection, check.member_id)
        return Inquiry(check_id, self._details(row, check), check.address)

    def _heard(
        self, connection: Connection, check_id: str, answer: RequestAnswer, now_ms: int
    ) -> None:
        check = records.get(connection, check_id, lock=True)
        assert check is not None
        if State(check.state) is not State.REQUESTED:
            return  # the same question was put twice at once; both had the same answer
        if isinstance(answer, CodeSent):
            records.change(
                connection,
                check_id,
                state=becomes(State.REQUESTED, State.CODE_SENT),
                reference=answer.reference,
                sent_ms=now_ms,
                expires_ms=now_ms + self._ttl_ms,
            )
        else:
            assert isinstance(answer, Rejected)
            self._refuse(connection, check, answer.reason, check.address, now_ms)

    # --- checking a code

    def _take_try(
        self,
        connection: Connection,
        member_id: str,
        check_id: str,
        try_id: bytes,
        provider: str,
        address: str,
        now_ms: int,
    ) -> _Taken:
        """Count a try before it is made. A refusal is returned: what it says is written too."""
        _locked_member(connection, member_id)
        check = records.get(connection, check_id, lock=True)
        if check is None or check.member_id != member_id:
            raise RealNameUnknown("There is no such check.")
        state = State(check.state)
        if state not in verification.OPEN:
            return _Taken(state, _ended(check))
        if now_ms >= check.expires_ms or check.provider != provider:
            records.finish(connection, check, State.EXPIRED, now_ms)
            _tell(connection, member_id, "confirm", check_id, State.EXPIRED, address, now_ms)
            return _Taken(State.EXPIRED, RealNameExpired("The code is too old."))
        if check.open_try is not None and hmac.compare_digest(bytes(check.open_try), try_id):
            return _Taken(state)
        if check.tries >= self._settings.realname_tries:
            return _Taken(state, CodeBurnt("No more codes may be tried in this check."))
        records.change(connection, check_id, tries=check.tries + 1, open_try=try_id)
        return _Taken(state)

    async def _must_be_sent(self, provider: Provider, check_id: str) -> None:
        """The agency never said that it sent the code that is typed now: ask it first."""
        check = await self._ask(provider, check_id)
        if check.state is State.REQUESTED:
            raise AgencySilent("The agency has not said whether it sent a code.")
        if check.state in (State.REFUSED, State.EXPIRED):
            raise _ended(check)

    def _code_inquiry(
        self, connection: Connection, check_id: str, try_id: bytes, code: str
    ) -> CodeInquiry | None:
        """What to ask; None when the same code was confirmed since this try was taken."""
        check = records.get(connection, check_id)
        assert check is not None
        if _confirmed_by(check, try_id):
            return None
        if check.details_sealed is None:
            raise _ended(check)
        row = members.row_of(connection, check.member_id)
        details = self._details(row, check)
        return CodeInquiry(check_id, check.reference, try_id.hex(), code, details)

    async def _settle(
        self, member_id: str, check_id: str, try_id: bytes, answer: CodeAnswer, address: str
    ) -> Check:
        now_ms = self._clock.now_ms()
        try:
            refusal = await self._database.write(
                self._decide, member_id, check_id, try_id, answer, address, now_ms
            )
        except IntegrityError:  # another member took the number between our look and our write
            await self._database.write(self._lost_number, member_id, check_id, address, now_ms)
            raise PhoneTaken("Another verified member has this phone number.") from None
        if refusal is not None:
            raise refusal
        row = await self._database.read(records.get, check_id)
        assert row is not None
        return check_of(row, now_ms)

    def _decide(
        self,
        connection: Connection,
        member_id: str,
        check_id: str,
        try_id: bytes,
        answer: CodeAnswer,
        address: str,
        now_ms: int,
    ) -> Refusal | None:
        """What the agency's word on a code means. None: the member is verified."""
        row = _locked_member(connection, member_id)
        check = records.get(connection, check_id, lock=True)
        assert check is not None
        if State(check.state) is not State.CODE_SENT:
            return None if _confirmed_by(check, try_id) else _ended(check)
        match answer:
            case Approved():
                return self._verify(connection, row, check, try_id, address, now_ms)
            case WrongCode():
                return self._wrong(connection, check, try_id, address, now_ms)
            case Rejected(Reason.BURNT):
                self._refuse(connection, check, _BURNT, address, now_ms)
                return CodeBurnt("This code is burnt: too many wrong ones were typed.")
            case Rejected(Reason.EXPIRED):
                records.finish(connection, check, State.EXPIRED, now_ms)
                _tell(connection, row.id, "confirm", check_id, State.EXPIRED, address, now_ms)
                return RealNameExpired("The code is too old.")
            case Rejected(reason):
                self._refuse(connection, check, reason, address, now_ms)
                return RealNameRefused("The agency refused this check.", reason=str(reason))
            case InDoubt():
                raise AssertionError("a doubt decides nothing")

    def _verify(
        self,
        connection: Connection,
        row: Any,
        check: Any,
        try_id: bytes,
        address: str,
        now_ms: int,
    ) -> Refusal | None:
        details = self._details(row, check)
        today = verification.today_in_korea(now_ms)
        born = verification.birth_date(details.birth, details.sex, today)
        identity = Identity(details.name, details.phone, born, verification.is_minor(born, today))
        try:
            members.same_person(self._ring, row, details.name, born)
            members.establish(
                connection,
                self._ring,
                row,
                identity,
                actor=f"agency:{check.provider}",
                address=address,
                now_ms=now_ms,
            )
        except (PhoneTaken, PersonDiffers) as refusal:
            self._refuse(connection, check, refusal.code, address, now_ms)
            return refusal
        records.finish(connection, check, State.CONFIRMED, now_ms, right_try=try_id)
        _tell(connection, row.id, "confirm", check.id, State.CONFIRMED, address, now_ms)
        return None

    def _lost_number(
        self, connection: Connection, member_id: str, check_id: str, address: str, now_ms: int
    ) -> None:
        _locked_member(connection, member_id)
        check = records.get(connection, check_id, lock=True)
        assert check is not None
        if State(check.state) in verification.OPEN:
            self._refuse(connection, check, PhoneTaken.code, address, now_ms)

    def _wrong(
        self, connection: Connection, check: Any, try_id: bytes, address: str, now_ms: int
    ) -> Refusal:
        left = self._settings.realname_tries - check.tries
        _tell(connection, check.member_id, "confirm", check.id, "wrong_code", address, now_ms)
        if left <= 0:
            self._refuse(connection, check, _BURNT, address, now_ms)
            return CodeBurnt("This code is burnt: too many wrong ones were typed.")
        if check.open_try is not None and bytes(check.open_try) == try_id:
            records.change(connection, check.id, open_try=None)
        return CodeWrong("This is not the code.", tries_left=left)

    def _refuse(
        self, connection: Connection, check: Any, reason: str, address: str, now_ms: int
    ) -> None:
        records.finish(connection, check, State.REFUSED, now_ms, reason=str(reason))
        outcome = f"{State.REFUSED}:{reason}"
        _tell(connection, check.member_id, "end", check.id, outcome, address, now_ms)

    # --- what is sealed

    @property
    def _ttl_ms(self) -> int:
        return self._settings.realname_ttl_s * 1000

    def _try_id(self, check_id: str, code: str) -> bytes:
        """The same for the same code of the same check, and nothing to learn the code from."""
        return hmac.digest(self._try_key, f"{check_id}\0{code}".encode(), "sha3_256")[:16]

    def _seal(self, row: Any, check_id: str, details: Details) -> bytes:
        text = msgspec.json.encode(details).decode()
        return members.seal(self._ring, row.id, row.data_key_sealed, f"realname:{check_id}", text)

    def _details(self, row: Any, check: Any) -> Details:
        field = f"realname:{check.id}"
        sealed = bytes(check.details_sealed)
        text = members.unseal(self._ring, row.id, row.data_key_sealed, field, sealed)
        return msgspec.json.decode(text, type=Details)


def _locked_member(connection: Connection, member_id: str) -> Any:
    """The row of a member who may act, locked. Raises ``MemberFrozen``."""
    row = members.row_of(connection, member_id, lock=True)
    assert row is not None, "members are never deleted"
    if row.frozen_ms is not None:
        raise members.MemberFrozen("This member is frozen.")
    return row


def _confirmed_by(check: Any, try_id: bytes) -> bool:
    """Whether this very code confirmed the check: of two sent at once, both were right."""
    return check.state == State.CONFIRMED and hmac.compare_digest(bytes(check.open_try), try_id)


def _ended(check: Any) -> Refusal:
    """Why a check that has ended takes no code."""
    if check.state == State.CONFIRMED:
        return RealNameConfirmed("This check was confirmed already.")
    if check.state == State.EXPIRED:
        return RealNameExpired("This check is over.", reason=check.reason)
    if check.reason == _BURNT:
        return CodeBurnt("This code is burnt: too many wrong ones were typed.")
    return RealNameRefused("This check was refused.", reason=check.reason)


def _tell(
    connection: Connection,
    member_id: str,
    action: str,
    check_id: str,
    outcome: str,
    address: str,
    now_ms: int,
) -> None:
    audit.append(
        connection,
        now_ms=now_ms,
        actor=member_id,
        action=f"realname:{action}",
        object_=check_id,
        outcome=str(outcome),
        address=address,
    )
