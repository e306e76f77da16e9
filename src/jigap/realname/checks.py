"""Real-name checks as members go through them: ask for a code, type it, be verified.

What is going to be asked of the agency is recorded first and asked afterwards, with no transaction
open, and every question has an id that makes asking again safe. So an agency that falls silent
leaves the check where it was, and the same request goes on with it when the agency is back.

``tries`` has what becomes of a code that was typed. A check for a password or a passphrase is worth
something once, to whoever asks ``spend`` in time.
"""

import unicodedata
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from jigap import entropy, members
from jigap.clock import Clock
from jigap.database import Database
from jigap.keys import KeyRing
from jigap.members import Member, PhoneTaken
from jigap.realname import ends, limits, records, verification
from jigap.realname.details import details_of
from jigap.realname.limits import Cap, Caps, RealNameLimit
from jigap.realname.provider import (
    CodeAnswer,
    CodeSent,
    InDoubt,
    Inquiry,
    Provider,
    Rejected,
    RequestAnswer,
)
from jigap.realname.records import Check, check_of
from jigap.realname.refusals import (
    AgencySilent,
    CheckNotFresh,
    RealNameUnavailable,
    RealNameUnknown,
)
from jigap.realname.seals import Seals
from jigap.realname.tries import Tries
from jigap.realname.verification import Carrier, Details, Purpose, State, becomes
from jigap.settings import Settings

REFUSED_BY_CAP = "refused_by_cap"


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
        self._provider = provider
        self._clock = clock
        self._settings = settings
        self._caps = Caps(ring, settings)
        self._indexes = members.Indexes(ring)
        self._seals = Seals(ring)
        self._tries = Tries(ring, self._seals, settings.realname_tries)

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
        purpose: Purpose = Purpose.VERIFY,
    ) -> Check:
        """Have a code sent; a check that waits for the agency's answer goes on.

        ``birth`` is YYMMDD, ``sex`` the digit after it. Raises the refusals of each field,
        ``RealNameUnavailable``, ``RealNameLimit``, ``MemberFrozen`` or ``PersonDiffers``.
        """
        details = details_of(name, phone, birth, sex, carrier, self._clock.now_ms())
        return await self.ask(await self.begin(member.id, details, purpose, address))

    async def begin(
        self, member_id: str, details: Details, purpose: Purpose, address: str = ""
    ) -> str:
        """Record a check, or find the one that waits for an answer to the same; its id.

        Nobody is asked before ``ask``. Raises what ``request`` raises of a member.
        """
        provider = self._must_have_provider()
        now_ms = self._clock.now_ms()
        asked = (member_id, details, purpose, provider.name, address, now_ms)
        try:
            return await self._database.write(self._open, *asked)
        except RealNameLimit as refused:
            await self._database.write(self._note_refused, str(refused.facts["limit"]), *asked)
            raise

    async def ask(self, check_id: str) -> Check:
        """Put the question of a check to the agency, unless it has answered."""
        return await self._ask(self._must_have_provider(), check_id)

    async def confirm(
        self, member: Member, check_id: str, code: str, *, address: str = ""
    ) -> Check:
        """Have a code checked; if it is right, the check is confirmed, and a member who asked to be
        verified is.

        Raises ``RealNameUnknown``, ``CodeWrong``, ``CodeBurnt``, ``CodesPending``,
        ``RealNameExpired``, ``RealNameRefused``, ``RealNameConfirmed``, ``AgencySilent``,
        ``PhoneTaken``, ``PersonDiffers``, ``MemberFrozen`` or ``RealNameUnavailable``.
        """
        provider = self._must_have_provider()
        code = unicodedata.normalize("NFKC", code)
        try_id = self._seals.try_id(check_id, code)
        taken = await self._database.write(
            self._tries.take,
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
        asked = await self._database.read(self._tries.inquiry, check_id, try_id, code)
        if asked is None:
            return await self.get(member, check_id)
        answer = await provider.confirm(asked)
        if isinstance(answer, InDoubt):
            raise AgencySilent("The agency has not said whether the code is right.")
        return await self._settle(member.id, check_id, try_id, answer, address)

    def must_be_available(self) -> None:
        """Raises ``RealNameUnavailable`` where there is no agency."""
        self._must_have_provider()

    def take_reset(self, connection: Connection, address: str, now_ms: int) -> None:
        """Count one request for a password reset, whoever it names. Raises ``RealNameLimit``."""
        limits.take(connection, self._caps.of_resets_asked(address), now_ms)

    def note_reset_refused(
        self, connection: Connection, scope: str, address: str, now_ms: int
    ) -> None:
        """Count a request for a password reset that a cap refused."""
        for cap in self._caps.of_resets_asked(address):
            if cap.scope == scope:
                limits.note_refused(connection, cap, now_ms)

    def spend(
        self,
        connection: Connection,
        member_id: str,
        check_id: str,
        purpose: Purpose,
        now_ms: int,
    ) -> None:
        """Use a confirmed check up, in the caller's transaction. Raises ``CheckNotFresh``."""
        check = records.get(connection, check_id, lock=True)
        fresh_ms = self._settings.realname_fresh_s * 1000
        if (
            check is None
            or check.member_id != member_id
            or check.purpose != purpose
            or check.state != State.CONFIRMED
            or check.spent_ms is not None
            or not 0 <= now_ms - check.finished_ms < fresh_ms
        ):
            raise CheckNotFresh("There is no fresh check for this.")
        records.change(connection, check_id, spent_ms=now_ms)

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
        purpose: Purpose,
        provider: str,
        address: str,
        now_ms: int,
    ) -> str:
        """The check to go on with: one that waits for an answer to the same, or a new one."""
        row = ends.locked_member(connection, member_id)
        self._tries.must_be_same(row, details, purpose, now_ms)
        records.expire_overdue(connection, now_ms)
        for earlier in records.open_of(connection, member_id, purpose):
            if earlier.provider == provider and self._is_same(row, earlier, details, now_ms):
                return str(earlier.id)
            records.finish(connection, earlier, State.EXPIRED, now_ms, reason=ends.REPLACED)
        limits.take(connection, self._caps_of(row, details, purpose, address), now_ms)
        check_id = entropy.new_id("rn", now_ms)
        records.add(
            connection,
            id=check_id,
            state=State.REQUESTED,
            details_sealed=self._seals.seal(row, check_id, details),
            expires_ms=now_ms + self._ttl_ms,
            **self._logged(member_id, details, purpose, provider, address, now_ms),
        )
        ends.tell(connection, member_id, "request", check_id, State.REQUESTED, address, now_ms)
        return check_id

    def _caps_of(
        self, row: Any, details: Details, purpose: Purpose, address: str
    ) -> tuple[Cap, ...]:
        if purpose is Purpose.PASSWORD:
            return self._caps.of_reset(details.phone)
        owner = row.level > 0 and row.phone_index == self._indexes.phone(details.phone)
        return self._caps.of(row.id, details.phone, address, owner=owner)

    def _note_refused(
        self,
        connection: Connection,
        scope: str,
        member_id: str,
        details: Details,
        purpose: Purpose,
        provider: str,
        address: str,
        now_ms: int,
    ) -> None:
        """Count a check that a cap refused, and give it a line in the log.

        The line of a member and a cap stands for the whole day, and a day has so many lines.
        """
        row = members.row_of(connection, member_id)
        caps = self._caps_of(row, details, purpose, address)
        limits.note_refused(connection, next(one for one in caps if one.scope == scope), now_ms)
        reason = f"{REFUSED_BY_CAP}:{scope}"
        since_ms = limits.day_began_ms(now_ms)
        if records.count_again(connection, member_id, purpose, reason, since_ms, now_ms):
            return
        if not limits.take_one(connection, self._caps.lines, now_ms):
            return
        check_id = entropy.new_id("rn", now_ms)
        records.add(
            connection,
            id=check_id,
            state=State.REFUSED,
            reason=reason,
            expires_ms=now_ms,
            finished_ms=now_ms,
            **self._logged(member_id, details, purpose, provider, address, now_ms),
        )
        outcome = f"{State.REFUSED}:{reason}"
        ends.tell(connection, member_id, "request", check_id, outcome, address, now_ms)

    def _logged(
        self,
        member_id: str,
        details: Details,
        purpose: Purpose,
        provider: str,
        address: str,
        now_ms: int,
    ) -> dict[str, Any]:
        """What the log says of every check: who asked for what, when, and from where."""
        today = verification.today_in_korea(now_ms)
        born = verification.birth_date(details.birth, details.sex, today)
        return {
            "member_id": member_id,
            "purpose": purpose,
            "provider": provider,
            "masked_name": members.masked_name(details.name),
            "masked_phone": members.masked_phone(details.phone),
            "phone_index": self._indexes.phone(details.phone),
            "address": address,
            "minor": verification.is_minor(born, today),
            "created_ms": now_ms,
        }

    def _is_same(self, row: Any, check: Any, details: Details, now_ms: int) -> bool:
        """Whether a check waits for the agency's answer to the same details."""
        return (
            State(check.state) is State.REQUESTED
            and now_ms < check.expires_ms
            and self._seals.details(row, check) == details
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
        return Inquiry(check_id, self._seals.details(row, check), check.address)

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
            ends.refuse(connection, check, answer.reason, check.address, now_ms)

    # --- checking a code

    async def _must_be_sent(self, provider: Provider, check_id: str) -> None:
        """The agency never said that it sent the code that is typed now: ask it first."""
        check = await self._ask(provider, check_id)
        if check.state is State.REQUESTED:
            raise AgencySilent("The agency has not said whether it sent a code.")
        if check.state in (State.REFUSED, State.EXPIRED):
            raise ends.ended(check)

    async def _settle(
        self, member_id: str, check_id: str, try_id: bytes, answer: CodeAnswer, address: str
    ) -> Check:
        now_ms = self._clock.now_ms()
        try:
            refusal = await self._database.write(
                self._tries.decide, member_id, check_id, try_id, answer, address, now_ms
            )
        except IntegrityError:  # another member took the number between our look and our write
            await self._database.write(
                self._tries.lose_number, member_id, check_id, address, now_ms
            )
            raise PhoneTaken("Another verified member has this phone number.") from None
        if refusal is not None:
            raise refusal
        row = await self._database.read(records.get, check_id)
        assert row is not None
        return check_of(row, now_ms)

    @property
    def _ttl_ms(self) -> int:
        return self._settings.realname_ttl_s * 1000
