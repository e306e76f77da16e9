"""Real-name verification by phone: rules, agencies, and the checks members go through.

A member writes name, number, birth date and sex digit; an agency sends a code to the phone and says
whether it came back; then the member is verified. ``provider`` is what an agency does, ``agency``
and ``portone`` are real ones, ``simulated`` is a program of its own (``jigap simulate agency``).
"""

from jigap.realname.agency import AgencySettingInvalid, HttpAgency
from jigap.realname.checks import RealName
from jigap.realname.details import details_of
from jigap.realname.limits import RealNameLimit
from jigap.realname.portone import PortOne, PortOneMissing
from jigap.realname.provider import (
    Approved,
    CodeAnswer,
    CodeInquiry,
    CodeSent,
    InDoubt,
    Inquiry,
    Provider,
    Reason,
    Rejected,
    RequestAnswer,
    WrongCode,
)
from jigap.realname.records import Check, end_open, expire_overdue, forget_old, has_overdue
from jigap.realname.refusals import (
    AgencySilent,
    CheckNotFresh,
    CodeBurnt,
    CodesPending,
    CodeWrong,
    PhoneUnsupported,
    RealNameConfirmed,
    RealNameExpired,
    RealNameRefused,
    RealNameUnavailable,
    RealNameUnknown,
)
from jigap.realname.sms import SimulatedInbox, Sms, SmsSender
from jigap.realname.solapi import SolapiMissing, SolapiSender
from jigap.realname.verification import (
    BirthMalformed,
    Carrier,
    Details,
    Purpose,
    State,
    birth_date,
    today_in_korea,
)

__all__ = [
    "AgencySettingInvalid",
    "AgencySilent",
    "Approved",
    "BirthMalformed",
    "Carrier",
    "Check",
    "CheckNotFresh",
    "CodeAnswer",
    "CodeBurnt",
    "CodeInquiry",
    "CodeSent",
    "CodeWrong",
    "CodesPending",
    "Details",
    "HttpAgency",
    "InDoubt",
    "Inquiry",
    "PhoneUnsupported",
    "PortOne",
    "PortOneMissing",
    "Provider",
    "Purpose",
    "RealName",
    "RealNameConfirmed",
    "RealNameExpired",
    "RealNameLimit",
    "RealNameRefused",
    "RealNameUnavailable",
    "RealNameUnknown",
    "Reason",
    "Rejected",
    "RequestAnswer",
    "SimulatedInbox",
    "Sms",
    "SmsSender",
    "SolapiMissing",
    "SolapiSender",
    "State",
    "WrongCode",
    "birth_date",
    "details_of",
    "end_open",
    "expire_overdue",
    "forget_old",
    "has_overdue",
    "today_in_korea",
]
