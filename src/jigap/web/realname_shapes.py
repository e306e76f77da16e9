"""What goes over the wire about real-name checks (see ``shapes``)."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from jigap.web.shapes import Asked, PersonName, Phone, Time

RealNameState = Literal["requested", "code_sent", "confirmed", "refused", "expired"]


class RealNameAsked(Asked, frozen=True):
    """A person, as the phone contract and the resident registration have them."""

    name: PersonName
    phone: Phone
    birth: Annotated[
        str, Meta(pattern="^[0-9]{6}$", description="Birth date, YYMMDD.", examples=["900131"])
    ]
    sex: Annotated[
        str,
        Meta(
            pattern="^[0-9]$",
            description="The seventh digit of the registration number: 1, 2 (born 1900-1999), 3, 4 "
            "(2000-2099), 5 to 8 (foreigners), 9, 0 (1800-1899).",
            examples=["1"],
        ),
    ]
    carrier: Annotated[
        Literal["SKT", "KT", "LGU", "SKT_MVNO", "KT_MVNO", "LGU_MVNO"] | None,
        Meta(description="The phone's operator, for agencies that want to know."),
    ] = None


class RealNameCode(Asked, frozen=True):
    """The code of the newest message."""

    code: Annotated[str, Meta(pattern="^[0-9]{6,10}$", examples=["123456"])]


class RealNameShown(Struct, frozen=True):
    """A real-name check and where it stands.

    `requested` means that the agency has not answered yet and is no failure: send the same request
    again. `reason` says why a check was refused.
    """

    id: str
    state: RealNameState
    masked_name: str
    masked_phone: str
    minor: bool
    created_at: Time
    expires_at: Time
    finished_at: Time | None
    reason: str | UnsetType = UNSET


class RealNameLogged(Struct, frozen=True):
    """One line of the log of checks: who, for what, when, from where, with what outcome."""

    id: str
    member: Annotated[str, Meta(description="The member's id, beginning with mb_.")]
    purpose: Literal["verify", "password", "passphrase"]
    state: RealNameState
    provider: str
    masked_name: str
    masked_phone: str
    minor: bool
    address: Annotated[str, Meta(description="The network address it was asked from.")]
    tries: Annotated[int, Meta(description="Codes that were typed.")]
    reason: str
    created_at: Time
    sent_at: Time | None
    finished_at: Time | None
    times: Annotated[
        int,
        Meta(description="Checks of the day that this line stands for; more than 1 if refused."),
    ]
