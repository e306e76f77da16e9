"""What a member says and is told about what is their own: payees, visibility, data, leaving."""

from typing import Annotated

from msgspec import Meta

from jigap.web.shapes import NO_CONTROL, Asked, RecipientShown, Time

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
