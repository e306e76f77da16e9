"""What a real-name agency does: send a code to a person's phone, and say whether it came back.

An agency is asked two things, and each answer is one of a closed few; trouble on the way is an
answer too (``InDoubt``), never an exception. A question has an id of its own, so asking again after
a doubt is always safe: an agency sends no second message for an id it knows, and counts no second
try.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from jigap.realname.verification import Details


class Reason(StrEnum):
    """Why an agency says no. Asking the same again does not change it."""

    MISMATCH = "mismatch"  # name, birth and number do not belong to one person
    DECLINED = "declined"  # the agency does not verify this person, and does not say why
    NOT_SUPPORTED = "not_supported"  # the agency cannot ask about this number or person
    EXPIRED = "agency_expired"  # the agency's own time for the code is over
    BURNT = "agency_burnt"  # too many wrong codes, as the agency counts
    FORGOTTEN = "agency_forgot"  # the agency does not know the check (any more)
    CREDENTIALS = "agency_credentials"  # the agency does not accept us


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Whom to send a code. ``request_id`` is ours and makes asking again safe."""

    request_id: str
    details: Details = field(repr=False)
    address: str = field(repr=False)  # where the person is, as the agency's own limits need it


@dataclass(frozen=True, slots=True)
class CodeInquiry:
    """What the person typed. ``try_id`` is the same for the same code of the same check."""

    request_id: str
    reference: str
    try_id: str
    code: str = field(repr=False)
    details: Details = field(repr=False)


@dataclass(frozen=True, slots=True)
class CodeSent:
    """The agency sent a code; ``reference`` is its own name for the check."""

    reference: str


@dataclass(frozen=True, slots=True)
class Approved:
    """The code was right, and the details are this person's."""


@dataclass(frozen=True, slots=True)
class WrongCode:
    """The code was wrong, or another was right before it; another may be tried."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The agency said no."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Nobody knows what the agency did. Ask again. ``why`` holds nothing personal."""

    why: str


RequestAnswer: TypeAlias = CodeSent | Rejected | InDoubt
CodeAnswer: TypeAlias = Approved | WrongCode | Rejected | InDoubt


class Provider(Protocol):
    """An agency. ``name`` is what the log of checks calls it."""

    @property
    def name(self) -> str: ...

    async def request(self, asked: Inquiry) -> RequestAnswer: ...

    async def confirm(self, asked: CodeInquiry) -> CodeAnswer: ...

    async def close(self) -> None: ...
