"""Members: who they are, how they sign in, whom they can find, and their wallets.

Nothing personal leaves this package except masked, and except to the certificate authority that
registers a member's key.
"""

from jigap.members.accounts import (
    DetailsMissing,
    LoginTaken,
    Members,
    MemberUnknown,
    PhoneTaken,
    Profile,
    Session,
    SessionMissing,
    SignInFailed,
    SignInWait,
    create_member,
    create_operator,
    rewrap_data_keys,
)
from jigap.members.directory import (
    Directory,
    DirectoryBudget,
    Found,
    RecipientExpired,
    RecipientUnknown,
    SearchMalformed,
)
from jigap.members.member import (
    LoginMalformed,
    Member,
    MemberFrozen,
    MemberUnverified,
    PasswordWeak,
    Role,
    Wallet,
    WalletState,
    login_of,
    may_act,
    password_of,
)
from jigap.members.passwords import Argon2Pool, PasswordsBusy, hash_password
from jigap.members.personal import NameMalformed, PhoneMalformed
from jigap.members.records import by_login, by_symid, count, frozen_among, get
from jigap.members.tables import wallets
from jigap.members.wallet import (
    WalletExists,
    WalletMissing,
    Wallets,
    activate,
    count_by_state,
    request_citizens,
)

__all__ = [
    "Argon2Pool",
    "DetailsMissing",
    "Directory",
    "DirectoryBudget",
    "Found",
    "LoginMalformed",
    "LoginTaken",
    "Member",
    "MemberFrozen",
    "MemberUnknown",
    "MemberUnverified",
    "Members",
    "NameMalformed",
    "PasswordWeak",
    "PasswordsBusy",
    "PhoneMalformed",
    "PhoneTaken",
    "Profile",
    "RecipientExpired",
    "RecipientUnknown",
    "Role",
    "SearchMalformed",
    "Session",
    "SessionMissing",
    "SignInFailed",
    "SignInWait",
    "Wallet",
    "WalletExists",
    "WalletMissing",
    "WalletState",
    "Wallets",
    "activate",
    "by_login",
    "by_symid",
    "count",
    "count_by_state",
    "create_member",
    "create_operator",
    "frozen_among",
    "get",
    "hash_password",
    "login_of",
    "may_act",
    "password_of",
    "request_citizens",
    "rewrap_data_keys",
    "wallets",
]
