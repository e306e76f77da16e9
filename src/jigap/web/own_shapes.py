"""What a member says and is told about what is their own: payees, visibility, data, leaving."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from jigap.web.shapes import (
    NO_CONTROL,
    Asked,
    Password,
    RecipientShown,
    Time,
    TransferShown,
)

Label = Annotated[
    str,
    Meta(
        max_length=200,
        pattern=NO_CONTROL,
        description="A word of one's own, at most 50 characters; only its owner ever sees it.",
        examples=["엄마"],
    ),
]


class FavouriteAsked(Asked, frozen=True):
    """Somebody a search has found, to be kept. Who is kept already gets the new label."""

    recipient_id: Annotated[str, Meta(max_length=400, pattern=NO_CONTROL)]
    label: Label = ""


class FavouriteShown(RecipientShown, frozen=True):
    """A favourite, ready to be paid. ``recipient_id`` is fresh each time."""

    id: str
    label: str
    created_at: Time


class RecentShown(RecipientShown, frozen=True):
    """Somebody who was paid lately, ready to be paid again. ``recipient_id`` is fresh each time."""

    last_paid_at: Time


class Visibility(Asked, frozen=True):
    """How others may search this member. Phone number and member id always find."""

    found_by_name: Annotated[
        bool, Meta(description="Whether the name with four digits of the number finds.")
    ]


class ExportShown(Struct, frozen=True):
    """All that is held about a member.

    ``about`` is the person in the clear. ``records`` has a list for each kind of record, named as
    the database names it. ``withheld`` says what is held and cannot be told, and why.
    """

    format: str
    made_at: Time
    about: dict[str, Any]
    payments: list[TransferShown]
    records: dict[str, list[dict[str, Any]]]
    withheld: dict[str, str]


class CloseAsked(Asked, frozen=True):
    """The end of one's account, with the password again and, who has one, a second factor.

    ``leave_balance``: the tokens that are left may stay behind.
    """

    password: Password
    otp: Annotated[str, Meta(max_length=32)] | None = None
    leave_balance: bool = False


class ClosedShown(Struct, frozen=True):
    """A closed account: everything is erased but the books after ``erased_after``."""

    closed_at: Time
    erased_after: Time
