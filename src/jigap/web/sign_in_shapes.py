"""What goes over the wire about signing in: sessions and second factors."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from jigap.web.shapes import NO_CONTROL, Asked, MemberId, NewPassword, Password, Time

Otp = Annotated[
    str,
    Meta(
        max_length=40,
        pattern=NO_CONTROL,
        description="Six digits of the authenticator app, or a recovery code. Each is good once.",
        examples=["123456", "k3vd-9wq2-hm7x-t0pc"],
    ),
]


DeviceToken = Annotated[
    str,
    Meta(
        max_length=200,
        description="`device` of a sign-in before: guesses of strangers do not count against it.",
    ),
]


class SignIn(Asked, frozen=True):
    """Member id and password; ``otp`` of members who have a second factor.

    For a member without one, `otp` is not looked at.
    """

    member_id: MemberId
    password: Password
    otp: Otp | None = None
    device: DeviceToken | None = None
    cookie: Annotated[
        bool, Meta(description="For browsers: the token goes into a cookie, not into the answer.")
    ] = False


class SessionShown(Struct, frozen=True):
    """A new session. What it shows is shown once.

    `token` and `device` are for bearers. In a cookie session both are cookies, and `csrf_token`
    goes into the X-CSRF-Token header of everything but GET.
    """

    expires_at: Time
    token: str | UnsetType = UNSET
    device: str | UnsetType = UNSET
    csrf_token: str | UnsetType = UNSET


class OwnSessionShown(Struct, frozen=True):
    """The session that asks; a cookie session's `csrf_token` again."""

    id: str
    second_factor: bool
    csrf_token: str | None


class PasswordChange(Asked, frozen=True):
    """The password that is, and the one that shall be."""

    old: Password
    new: NewPassword


class SessionListed(Struct, frozen=True):
    """One of my sessions."""

    id: str
    current: Annotated[bool, Meta(description="Whether it is the one that asks.")]
    device: Annotated[
        str, Meta(description="What the program said it is, in words of ours; may be empty.")
    ]
    address: Annotated[str, Meta(description="The network address it was opened from.")]
    second_factor: bool
    created_at: Time
    last_seen_at: Annotated[Time, Meta(description="To the minute.")]
    expires_at: Time


class FactorShown(Struct, frozen=True):
    """A second factor. Until it is confirmed it neither opens nor asks for anything."""

    id: str
    kind: Literal["totp"]
    confirmed: bool
    created_at: Time
    recovery_codes_left: Annotated[
        int, Meta(description="Of the member: one set of codes serves all factors.")
    ]


class FactorAsked(Asked, frozen=True):
    """The password again, and a one-time code of whoever has a second factor already."""

    password: Password
    otp: Otp | None = None


class NewFactorShown(Struct, frozen=True):
    """A new factor to confirm. The secret is shown once."""

    id: str
    secret: Annotated[str, Meta(description="Base 32, for an app that cannot read QR codes.")]
    otpauth_uri: Annotated[str, Meta(description="What a QR code for the app holds.")]


class OtpAsked(Asked, frozen=True):
    """A one-time code."""

    otp: Otp


class RecoveryCodesShown(Struct, frozen=True):
    """Ten codes that replace the app once each. They are shown once; those of before are void."""

    recovery_codes: list[str]
