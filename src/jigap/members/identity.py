"""Who a member really is: what becomes of the row when somebody vouches for name and phone number.

An operator vouches by hand, a real-name agency by a code to the phone. Either way the member is
verified, can be found, and is the only verified member with that number.
"""

import hmac
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Connection

from jigap import audit, entropy, events
from jigap.keys import KeyRing
from jigap.members import personal, records
from jigap.members.member import LEVEL_REAL_NAME, LEVEL_VERIFIED, MemberClosed
from jigap.refusal import Refusal


class PhoneTaken(Refusal):
    """One phone number belongs to one verified member."""

    code = "phone_taken"
    hint = "Another verified member has this phone number."


class PersonDiffers(Refusal):
    """A verified member stays the person they are."""

    code = "person_differs"
    hint = (
        "Write the name and birth date you were verified with, or name and number if it was by an "
        "operator; an operator can change them."
    )


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as somebody vouched for them; ``phone`` is E.164.

    ``birth`` and ``minor`` (on the day of the check) are None where nobody looked.
    """

    name: str = field(repr=False)
    phone: str = field(repr=False)
    birth: date | None = field(default=None, repr=False)
    minor: bool | None = None


def same_person(ring: KeyRing, row: Any, name: str, phone: str, birth: date) -> None:
    """Refuse to turn a verified member into somebody else. Raises ``PersonDiffers``.

    Whom an operator verified by hand is known by name and number alone: with another number that
    would be anybody of the same name.
    """
    if row.level < LEVEL_VERIFIED:
        return
    known_name, known_phone = personal.open_details(ring, row)
    known_birth = birth_of(ring, row)
    same = phone == known_phone if known_birth is None else birth == known_birth
    if known_name != name or not same:
        raise PersonDiffers("This member was verified as somebody else.")


def is_established(
    ring: KeyRing, row: Any, name: str, phone: str, birth: date, *, nobody: Any
) -> bool:
    """Whether these details are the ones that the member of ``row`` was verified with.

    Whom an operator verified by hand is known by name and number alone. The work is the same for
    everybody: ``nobody``, a ``Nobody``, stands in where there is no verified member.
    """
    known = row is not None and row.level >= LEVEL_VERIFIED
    person = row if known else nobody
    born = person.birth_sealed or nobody.birth_sealed
    owner = person if person.birth_sealed is not None else nobody
    known_name, known_phone = personal.open_details(ring, person)
    text = personal.unseal(ring, owner.id, owner.data_key_sealed, "birth", born)
    same = (
        hmac.compare_digest((known_name or "").encode(), name.encode()),
        hmac.compare_digest((known_phone or "").encode(), phone.encode()),
        hmac.compare_digest(text.encode(), birth.isoformat().encode()) or owner is not person,
    )
    return known and all(same)


class Nobody:
    """Sealed details that belong to nobody, for work that must not tell who is a member."""

    def __init__(self, ring: KeyRing) -> None:
        self.id = entropy.new_id("mb", 0)  # as long as everybody's
        self.data_key_sealed = personal.new_data_key(ring, self.id)
        self.name_sealed = self._sealed(ring, "name", "홍길동")
        self.phone_sealed = self._sealed(ring, "phone", "+821000000000")
        self.birth_sealed = self._sealed(ring, "birth", date.min.isoformat())
        self.shop_name: str | None = None

    def _sealed(self, ring: KeyRing, field_: str, text: str) -> bytes:
        return personal.seal(ring, self.id, self.data_key_sealed, field_, text)


def birth_of(ring: KeyRing, row: Any) -> date | None:
    """The birth date of a member whom an agency verified."""
    if row.birth_sealed is None:
        return None
    text = personal.unseal(ring, row.id, row.data_key_sealed, "birth", row.birth_sealed)
    return date.fromisoformat(text)


def establish(
    connection: Connection,
    ring: KeyRing,
    row: Any,
    identity: Identity,
    *,
    actor: str,
    now_ms: int,
    address: str | None = None,
) -> None:
    """Verify the member of ``row``, which is locked. Raises ``PhoneTaken`` or ``MemberClosed``.

    Another member may take the number at the same moment: then the database refuses the write with
    an ``IntegrityError``, which means the same.
    """
    if row.closed_ms is not None:
        raise MemberClosed("This member has left.")
    indexes = personal.Indexes(ring)
    phone_index = indexes.phone(identity.phone)
    others = records.with_index(connection, "phone_index", phone_index, 2)
    if any(other.id != row.id for other in others):
        raise PhoneTaken("Another verified member has this phone number.")

    def sealed(field_: str, text: str) -> bytes:
        return personal.seal(ring, row.id, row.data_key_sealed, field_, text)

    values: dict[str, Any] = {
        "level": _level(ring, row, identity),
        "verified_ms": row.verified_ms or now_ms,
        "name_sealed": sealed("name", identity.name),
        "phone_sealed": sealed("phone", identity.phone),
        "phone_index": phone_index,
        "name_last4_index": None
        if row.name_hidden_ms
        else indexes.name_last4(identity.name, identity.phone[-4:]),
    }
    if identity.birth is not None:  # an agency has looked
        values["birth_sealed"] = sealed("birth", identity.birth.isoformat())
        values["minor"] = identity.minor
    records.change(connection, row.id, **values)
    events.record(connection, "member.verified", subject=row.id, member_id=row.id, now_ms=now_ms)
    audit.append(
        connection,
        now_ms=now_ms,
        actor=actor,
        action="member:verify",
        object_=row.id,
        address=address,
    )


def _level(ring: KeyRing, row: Any, identity: Identity) -> int:
    """An agency's word weighs more than an operator's, as long as it was about this identity."""
    if identity.birth is not None:
        return LEVEL_REAL_NAME
    if row.level >= LEVEL_REAL_NAME:
        unchanged = personal.open_details(ring, row) == (identity.name, identity.phone)
        return LEVEL_REAL_NAME if unchanged else LEVEL_VERIFIED
    return LEVEL_VERIFIED
