"""Members, wallets and the directory."""

import msgspec
from litestar import Response, Router, get, post, put
from litestar.params import JSONBody

from jigap import keys, members
from jigap.web.caller import AnyRequest, caller, platform, signed_in, wait_s, waited
from jigap.web.describe import says
from jigap.web.parameters import Last4, Login, PersonName, Phone
from jigap.web.resources.recovery import banner
from jigap.web.shapes import (
    MemberShown,
    PassphraseChange,
    RecipientShown,
    SignUp,
    WalletAsked,
    WalletShown,
    hex_of,
    hex_or_none,
    time_of,
    time_or_none,
)

#: What may go wrong whenever a passphrase opens a key.
PASSPHRASE_REFUSALS = (
    keys.PassphraseWrong,
    keys.PassphraseWait,
    keys.PassphraseBusy,
    keys.KdfBusy,
)


def member_shown(profile: members.Profile, *, to_operator: bool = False) -> MemberShown:
    """A member for that member's own eyes, or an operator's."""
    member = profile.member
    own = member.frozen_by is members.FrozenBy.MEMBER
    return MemberShown(
        id=member.id,
        member_id=member.login,
        masked_name=profile.masked_name,
        masked_phone=profile.masked_phone,
        verification_level=member.level,
        roles=sorted(member.roles),
        shop_name=profile.shop_name,
        frozen=member.frozen,
        frozen_by=None if member.frozen_by is None else member.frozen_by.value,
        frozen_at=time_or_none(profile.frozen_ms),
        frozen_reason=profile.frozen_reason if own or to_operator else "",
        wallet=None if member.wallet is None else wallet_shown(member.wallet),
        created_at=time_of(profile.created_ms),
        verified_at=time_or_none(profile.verified_ms),
        minor=profile.minor,
        closed_at=time_or_none(profile.closed_ms),
        erased_at=time_or_none(profile.erased_ms),
    )


def wallet_shown(wallet: members.Wallet) -> WalletShown:
    return WalletShown(
        symid=hex_or_none(wallet.symid),
        public_key_hash=hex_of(wallet.public_key_hash),
        state=wallet.state.value,
    )


@post(
    "/members",
    opt=says(
        "Sign up",
        members.LoginTaken,
        members.LoginMalformed,
        members.PasswordWeak,
        members.PasswordsBusy,
        members.NameMalformed,
        members.PhoneMalformed,
        guessing=True,
        tag="people",
    ),
)
async def sign_up(request: AnyRequest, data: JSONBody[SignUp]) -> MemberShown:
    """Make a member. Name and phone number are verified before a wallet can be made."""
    return member_shown(
        await platform(request).members.sign_up(
            data.member_id, data.password, data.name, data.phone
        )
    )


@get("/me", guards=[signed_in], opt=says("Who I am", tag="people"))
async def me(request: AnyRequest) -> MemberShown:
    """The member whose session this is, with name and phone masked."""
    app, member = platform(request), caller(request)
    shown = member_shown(await app.members.profile(member.id))
    return msgspec.structs.replace(shown, recovery=banner(await app.recoveries.last(member.id)))


@post(
    "/wallet",
    guards=[signed_in],
    opt=says(
        "Make my wallet",
        members.MemberUnverified,
        members.MemberFrozen,
        members.WalletExists,
        keys.PassphraseWeak,
        keys.KdfBusy,
        waits=True,
        tag="people",
    ),
)
async def make_wallet(request: AnyRequest, data: JSONBody[WalletAsked]) -> Response[WalletShown]:
    """Store a new key under the passphrase; the SymID follows within a block or two."""
    wallets, member, seconds = platform(request).wallets, caller(request), wait_s(request)
    wallet = await wallets.make(member.id, data.passphrase, known=member)
    if seconds:
        wallet = await wallets.wait(member.id, seconds)
    return Response(wallet_shown(wallet), headers=waited(seconds))


@put(
    "/wallet/passphrase",
    guards=[signed_in],
    opt=says(
        "Change my payment passphrase",
        members.WalletMissing,
        keys.PassphraseWeak,
        keys.KeystoreChanged,
        *PASSPHRASE_REFUSALS,
        tag="people",
    ),
)
async def change_passphrase(request: AnyRequest, data: JSONBody[PassphraseChange]) -> WalletShown:
    """The key and the SymID stay what they are."""
    wallets = platform(request).wallets
    return wallet_shown(await wallets.change_passphrase(caller(request).id, data.old, data.new))


@get(
    "/recipients",
    guards=[signed_in],
    opt=says(
        "Find somebody to pay",
        members.SearchMalformed,
        members.PhoneMalformed,
        members.NameMalformed,
        members.MemberUnverified,
        members.MemberFrozen,
        members.DirectoryBudget,
        tag="people",
    ),
)
async def recipients(
    request: AnyRequest,
    phone: Phone = None,
    member_id: Login = None,
    name: PersonName = None,
    last4: Last4 = None,
) -> list[RecipientShown]:
    """By `phone`, or by `member_id`, or by `name` with the last four digits of the phone number.

    The answer is empty for somebody who is not here, is not verified, has left, or does not want to
    be found by name, after the same work.
    """
    directory, asker = platform(request).directory, caller(request)
    match (phone, member_id, name, last4):
        case (str(), None, None, None):
            found = await directory.by_phone(asker, phone)
        case (None, str(), None, None):
            found = await directory.by_login(asker, member_id)
        case (None, None, str(), str()):
            found = await directory.by_name(asker, name, last4)
        case _:
            raise members.SearchMalformed("Search in exactly one way.")
    return [
        RecipientShown(one.recipient_id, one.masked_name, one.masked_phone, one.shop_name)
        for one in found
    ]


ROUTES = Router(
    "/",
    route_handlers=[
        sign_up,
        me,
        make_wallet,
        change_passphrase,
        recipients,
    ],
)
