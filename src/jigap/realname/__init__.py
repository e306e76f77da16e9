"""Real-name verification by phone: rules, agencies, and the checks members go through.

A member writes name, number, birth date and sex digit; an agency sends a code to the phone and says
whether it came back; then the member is verified. ``provider`` is what an agency does, ``agency``
and ``portone`` are real ones, ``simulated`` is a program of its own (``jigap simulate agency``).
"""

from jigap.realname.agency import AgencySettingInvalid, HttpAgency
from jigap.realname.checks import RealName
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
from jigap.realname.records import Check
from jigap.realname.refusals import (
    AgencySilent,
    CodeBurnt,
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
from jigap.realname.verification import BirthMalformed, Details, State

__all__ = [
    "AgencySettingInvalid",
    "AgencySilent",
    "Approved",
    "BirthMalformed",
    "Check",
    "CodeAnswer",
    "CodeBurnt",
    "CodeInquiry",
    "CodeSent",
    "CodeWrong",
    "Details",
    "HttpAgency",
    "InDoubt",
    "Inquiry",
    "PhoneUnsupported",
    "PortOne",
    "PortOneMissing",
    "Provider",
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
]
