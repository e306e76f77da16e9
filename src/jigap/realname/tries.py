"""The codes that are typed in one check: which may be asked about, and what an answer means.

A code is counted before the agency hears it: a hundred guesses at once are a hundred tries, and
five are all there are. But only *wrong answers* burn a check. While a code is with the agency, or
nobody knows what became of it, it holds its try and nothing more: if it is the right one, it
verifies, whatever wrong ones were answered beside it. It may be sent again as often as need be and
costs nothing, for the agency knows it again. A sixth code waits until the others have answers.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from sqlalchemy import Connection

from jigap import members
from jigap.keys import KeyRing
from jigap.members import Identity, PersonDiffers, PhoneTaken
from jigap.realname import ends, records, verification
from jigap.realname.provider import (
    Approved,
    CodeAnswer,
    CodeInquiry,
    InDoubt,
    Reason,
    Rejected,
    WrongCode,
)
from jigap.realname.refusals import CodesPending, CodeWrong, RealNameRefused, RealNameUnknown
from jigap.realname.seals import TRY_BYTES, Seals
from jigap.realname.verification import Details, Purpose, State
from jigap.refusal import Refusal


class Next(Enum):
    """What to do with a code that was typed."""

    ASK = auto()  # a new try
    ASK_AGAIN = auto()  # its fate is unknown: the same try
    WAIT = auto()  # no try is left, and those that were made are not all judged
    BURNT = auto()


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed in a check. ``open_`` are the codes whose fate is unknown."""

    tries: int
    wrong: int
    open_: tuple[bytes, ...]

    @classmethod
    def of(cls, check: Any) -> "Typed":
        kept = bytes(check.open_tries or b"")
        open_ = tuple(kept[i : i + TRY_BYTES] for i in range(0, len(kept), TRY_BYTES))
        return cls(check.tries, check.wrong_tries, open_)

    def next(self, try_id: bytes, most: int) -> Next:
        """What to do with a code, when ``most`` may be wrong."""
        if self.wrong >= most:
            return Next.BURNT
        if try_id in self.open_:
            return Next.ASK_AGAIN
        return Next.ASK if self.tries < most else Next.WAIT

    def asked(self, try_id: bytes) -> "Typed":
        """After a new code went to the agency."""
        return Typed(self.tries + 1, self.wrong, (*self.open_, try_id))

    def answered_wrong(self, try_id: bytes) -> "Typed":
        """After the agency called a code wrong; the second answer about the same one is no news."""
        if try_id not in self.open_:
            return self
        left = tuple(one for one in self.open_ if one != try_id)
        return Typed(self.tries, self.wrong + 1, left)

    def columns(self) -> dict[str, Any]:
        return {
            "tries": self.tries,
            "wrong_tries": self.wrong,
            "open_tries": b"".join(self.open_) or None,
        }


@dataclass(frozen=True, slots=True)
class Taken:
    """A try that may be made, or why there is none."""

    state: State
    refusal: Refusal | None = None


class Tries:
    """Codes of checks, in transactions. ``most`` wrong ones burn a check."""

    def __init__(self, ring: KeyRing, seals: Seals, most: int) -> None:
        self._ring = ring
        self._seals = seals
        self._most = most
        self._nobody = members.Nobody(ring)

    def take(
        self,
        connection: Connection,
        member_id: str,
        check_id: str,
        try_id: bytes,
        provider: str,
        address: str,
        now_ms: int,
    ) -> Taken:
        """Count a try before it is made. A refusal is returned: what it says is written too."""
        ends.locked_member(connection, member_id)
        check = records.get(connection, check_id, lock=True)
        if check is None or check.member_id != member_id:
            raise RealNameUnknown("There is no such check.")
        state = State(check.state)
        if state not in verification.OPEN:
            if check.purpose != Purpose.VERIFY and ends.confirmed_by(check, try_id):
                return Taken(state)  # it may still have to be spent
            return Taken(state, ends.ended(check))
        if now_ms >= check.expires_ms or check.provider != provider:
            return Taken(State.EXPIRED, ends.expire(connection, check, address, now_ms))
        typed = Typed.of(check)
        match typed.next(try_id, self._most):
            case Next.BURNT:
                return Taken(state, ends.burnt())
            case Next.WAIT:
                waiting = "Other codes are with the agency still."
                return Taken(state, CodesPending(waiting, retry_after_s=1))
            case Next.ASK:
                records.change(connection, check_id, **typed.asked(try_id).columns())
        return Taken(state)

    def inquiry(
        self, connection: Connection, check_id: str, try_id: bytes, code: str
    ) -> CodeInquiry | None:
        """What to ask; None when the same code was confirmed since this try was taken."""
        check = records.get(connection, check_id)
        assert check is not None
        if ends.confirmed_by(check, try_id):
            return None
        if check.details_sealed is None:
            raise ends.ended(check)
        row = members.row_of(connection, check.member_id)
        details = self._seals.details(row, check)
        return CodeInquiry(check_id, check.reference, try_id.hex(), code, details)

    def decide(
        self,
        connection: Connection,
        member_id: str,
        check_id: str,
        try_id: bytes,
        answer: CodeAnswer,
        address: str,
        now_ms: int,
    ) -> Refusal | None:
        """What the agency's word on a code means. None: the check is confirmed."""
        row = ends.locked_member(connection, member_id)
        check = records.get(connection, check_id, lock=True)
        assert check is not None
        if State(check.state) is not State.CODE_SENT:
            return None if ends.confirmed_by(check, try_id) else ends.ended(check)
        match answer:
            case Approved():
                return self._confirm(connection, row, check, try_id, address, now_ms)
            case WrongCode():
                return self._wrong(connection, check, try_id, address, now_ms)
            case Rejected(Reason.BURNT):
                ends.refuse(connection, check, ends.BURNT, address, now_ms)
                return ends.burnt()
            case Rejected(Reason.EXPIRED):
                return ends.expire(connection, check, address, now_ms)
            case Rejected(reason):
                ends.refuse(connection, check, reason, address, now_ms)
                return RealNameRefused("The agency refused this check.", reason=str(reason))
            case InDoubt():
                raise AssertionError("a doubt decides nothing")

    def lose_number(
        self, connection: Connection, member_id: str, check_id: str, address: str, now_ms: int
    ) -> None:
        """Another member was verified with the number at the same moment."""
        ends.locked_member(connection, member_id)
        check = records.get(connection, check_id, lock=True)
        assert check is not None
        if State(check.state) in verification.OPEN:
            ends.refuse(connection, check, PhoneTaken.code, address, now_ms)

    def must_be_same(self, row: Any, details: Details, purpose: Purpose, now_ms: int) -> None:
        """Refuse details of somebody else than the verified member. Raises ``PersonDiffers``.

        To verify anew the number may differ if the birth date is known; for everything else it
        may not.
        """
        born = verification.birth_date(
            details.birth, details.sex, verification.today_in_korea(now_ms)
        )
        if purpose is Purpose.VERIFY:
            members.same_person(self._ring, row, details.name, details.phone, born)
        elif not members.is_established(
            self._ring, row, details.name, details.phone, born, nobody=self._nobody
        ):
            raise PersonDiffers("This is not the person whom this member was verified as.")

    def _confirm(
        self,
        connection: Connection,
        row: Any,
        check: Any,
        try_id: bytes,
        address: str,
        now_ms: int,
    ) -> Refusal | None:
        details = self._seals.details(row, check)
        purpose = Purpose(check.purpose)
        try:
            self.must_be_same(row, details, purpose, now_ms)
            if purpose is Purpose.VERIFY:
                self._establish(connection, row, details, check.provider, address, now_ms)
        except (PhoneTaken, PersonDiffers) as refusal:
            ends.refuse(connection, check, refusal.code, address, now_ms)
            return refusal
        records.finish(connection, check, State.CONFIRMED, now_ms, right_try=try_id)
        ends.tell(connection, row.id, "confirm", check.id, State.CONFIRMED, address, now_ms)
        return None

    def _establish(
        self,
        connection: Connection,
        row: Any,
        details: Details,
        provider: str,
        address: str,
        now_ms: int,
    ) -> None:
        today = verification.today_in_korea(now_ms)
        born = verification.birth_date(details.birth, details.sex, today)
        identity = Identity(details.name, details.phone, born, verification.is_minor(born, today))
        members.establish(
            connection,
            self._ring,
            row,
            identity,
            actor=f"agency:{provider}",
            address=address,
            now_ms=now_ms,
        )

    def _wrong(
        self, connection: Connection, check: Any, try_id: bytes, address: str, now_ms: int
    ) -> Refusal:
        typed = Typed.of(check).answered_wrong(try_id)
        ends.tell(connection, check.member_id, "confirm", check.id, "wrong_code", address, now_ms)
        records.change(connection, check.id, **typed.columns())
        if typed.wrong >= self._most:
            ends.refuse(connection, check, ends.BURNT, address, now_ms)
            return ends.burnt()
        return CodeWrong("This is not the code.", tries_left=max(0, self._most - typed.tries))
