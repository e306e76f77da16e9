"""What people write about themselves, brought into its one form. Pure."""

import unicodedata

import phonenumbers

from jigap import members
from jigap.realname import verification
from jigap.realname.refusals import PhoneUnsupported
from jigap.realname.verification import Carrier, Details

KOREA = 82
_MOBILE = frozenset(
    {phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE}
)


def details_of(
    name: str, phone: str, birth: str, sex: str, carrier: Carrier | None, now_ms: int
) -> Details:
    """The details a check is about. Raises the refusal of each field."""
    name, phone = members.name_of(name), members.phone_of(phone)
    number = phonenumbers.parse(phone)
    if number.country_code != KOREA or phonenumbers.number_type(number) not in _MOBILE:
        raise PhoneUnsupported("This is not a Korean mobile number.")
    birth, sex = (unicodedata.normalize("NFKC", one.strip()) for one in (birth, sex))
    verification.birth_date(birth, sex, verification.today_in_korea(now_ms))
    return Details(name, phone, birth, sex, carrier)
