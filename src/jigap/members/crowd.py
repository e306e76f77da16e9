"""A crowd: many made-up members with wallets, written in a few statements, for tests and measures.

Each has everything that a member has who signed up, was verified by an operator and made a wallet;
the one thing they share is the hash of their password. Their member ids are ``seed-0000001`` and so
on, by which they are known again, and their phone numbers begin with 010-0: no carrier gives such
out. The wallets are recorded as being asked for, so whoever makes a crowd asks the certificate
authority next; if that does not happen, the dispatcher does in its own time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, insert, not_, select

from jigap import audit, entropy, events
from jigap.keys import KeyBatch, KeyRing, NewKey, insert_copies
from jigap.members import personal
from jigap.members.member import LEVEL_VERIFIED, Role, WalletState
from jigap.members.tables import members, wallets
from jigap.refusal import Refusal

PREFIX = "seed-"
#: Numbers have seven digits, in member ids as in phone numbers.
NUMBER_MAX = 9_999_999

_FAMILY = "김이박최정강조윤장임"
_GIVEN = ("민수", "서연", "지훈", "하은", "도윤", "수빈", "예준", "지우", "현우", "유진")


class MembersPresent(Refusal):
    """There are members who were not made up."""

    code = "members_present"
    hint = "Made-up members belong on a platform of their own; --force adds them here all the same."


class CrowdFull(Refusal):
    """There are no numbers left."""

    code = "crowd_full"
    hint = f"At most {NUMBER_MAX} members can be made up on one platform."


@dataclass(frozen=True, slots=True)
class MadeUp:
    """One made-up member before being written."""

    row: dict[str, Any] = field(repr=False)
    key: NewKey

    @property
    def id(self) -> str:
        return str(self.row["id"])


class Crowd:
    """Makes up members who share a password, and whose keys share a passphrase."""

    def __init__(self, ring: KeyRing, keys: KeyBatch, password_hash: str) -> None:
        self._ring = ring
        self._keys = keys
        self._password_hash = password_hash
        self._indexes = personal.Indexes(ring)

    def make_up(self, number: int, now_ms: int) -> MadeUp:
        """The member of a number, with a wallet key. Writes nothing."""
        member_id = entropy.new_id("mb", now_ms)
        data_key = personal.new_data_key(self._ring, member_id)
        name, phone = name_of(number), phone_of(number)

        def sealed(field_: str, text: str) -> bytes:
            return personal.seal(self._ring, member_id, data_key, field_, text)

        row = {
            "id": member_id,
            "login": login_of(number),
            "password_hash": self._password_hash,
            "roles": Role.PAYER.value,
            "level": LEVEL_VERIFIED,
            "verified_ms": now_ms,
            "frozen_reason": "",
            "data_key_sealed": data_key,
            "name_sealed": sealed("name", name),
            "phone_sealed": sealed("phone", phone),
            "phone_index": self._indexes.phone(phone),
            "name_last4_index": self._indexes.name_last4(name, phone[-4:]),
            "created_ms": now_ms,
        }
        return MadeUp(row, self._keys.make(entropy.new_id("wa", now_ms)))


def login_of(number: int) -> str:
    """The member id of a number."""
    return f"{PREFIX}{number:07d}"


def phone_of(number: int) -> str:
    """The phone number of a number, E.164."""
    return f"+82100{number:07d}"


def name_of(number: int) -> str:
    """The name of a number; a hundred names go round."""
    return _FAMILY[number % 10] + _GIVEN[number // 10 % 10]


def first_number(connection: Connection, count: int, *, forced: bool) -> int:
    """From which number on to make up ``count`` members.

    Raises ``MembersPresent``, unless ``forced``, and ``CrowdFull``.
    """
    made_up = members.c.login.like(PREFIX + "_______")
    operators = members.c.roles.contains(Role.OPERATOR.value)
    strangers = select(func.count()).where(not_(made_up), not_(operators))
    if not forced and (present := connection.scalar(strangers.select_from(members))):
        raise MembersPresent(f"There are {present} real members.", members=present)
    last = connection.scalar(select(func.max(members.c.login)).where(made_up))
    digits = (last or "").removeprefix(PREFIX)
    first = int(digits) + 1 if digits.isdecimal() else 1
    if first + count - 1 > NUMBER_MAX:
        raise CrowdFull("There are not so many numbers left.", first=first)
    return first


def add(connection: Connection, made: Sequence[MadeUp], now_ms: int) -> None:
    """Write members with the second copies of their keys and their wallets, all or none."""
    connection.execute(insert(members), [one.row for one in made])
    insert_copies(connection, [one.key for one in made], now_ms)
    connection.execute(insert(wallets), list(_wallets(made, now_ms)))
    events.record_many(
        connection, "member.verified", ((one.id, one.id) for one in made), now_ms=now_ms
    )
    audit.append(
        connection,
        now_ms=now_ms,
        actor="console",
        action="member:seed",
        object_=made[0].id,
        detail=f"{made[0].row['login']} to {made[-1].row['login']}",
    )


def _wallets(made: Sequence[MadeUp], now_ms: int) -> Iterator[dict[str, Any]]:
    for one in made:
        yield {
            "wallet_id": one.key.wallet_id,
            "member_id": one.id,
            "state": WalletState.CITIZEN_REQUESTED,
            "public_key_hash": one.key.public_key_hash,
            "requests": 1,
            "requested_ms": now_ms,
            "refused_reason": "",
            "created_ms": now_ms,
        }


def count_waiting(connection: Connection, made: Sequence[MadeUp]) -> int:
    """How many of these have no SymID yet."""
    waiting = (
        select(func.count())
        .select_from(wallets)
        .where(
            wallets.c.wallet_id.in_([one.key.wallet_id for one in made]),
            wallets.c.state != WalletState.ACTIVE,
        )
    )
    return int(connection.scalar(waiting) or 0)
