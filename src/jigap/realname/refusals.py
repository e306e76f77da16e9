"""How a real-name check says no to the member who goes through it."""

from jigap.refusal import Kind, Refusal


class RealNameUnavailable(Refusal):
    """This platform has no real-name agency."""

    code = "realname_unavailable"
    kind = Kind.UNAVAILABLE
    hint = "An operator verifies by hand; or sets agency_url, see the guide to real names."


class PhoneUnsupported(Refusal):
    """A code can be sent to Korean mobile numbers only."""

    code = "realname_phone_unsupported"
    kind = Kind.INVALID
    hint = "Write a Korean mobile number such as 010-1234-5678."


class RealNameUnknown(Refusal):
    """This member has no such real-name check."""

    code = "realname_unknown"
    kind = Kind.MISSING
    hint = "Begin one with POST /api/v1/realname."


class CodeWrong(Refusal):
    """The code is not the one that was sent."""

    code = "realname_code_wrong"
    kind = Kind.INVALID
    hint = "Look at the newest message and type its code; `tries_left` says how often you may."


class CodeBurnt(Refusal):
    """Too many wrong codes were typed."""

    code = "realname_code_burnt"
    hint = "Ask for a new code with POST /api/v1/realname."


class CodesPending(Refusal):
    """As many codes as may be wrong are with the agency, and it has not judged them all."""

    code = "realname_codes_pending"
    kind = Kind.BUSY
    retryable = True
    hint = "Send the code again in a moment. If that does not help, begin a new check."


class CheckNotFresh(Refusal):
    """This check proves nothing now: for another purpose, spent already, or too long ago."""

    code = "realname_not_fresh"
    hint = "Begin anew; a check is good once, and for a short time."


class RealNameExpired(Refusal):
    """The time in which the code could be typed is over."""

    code = "realname_expired"
    hint = "Ask for a new code with POST /api/v1/realname."


class RealNameRefused(Refusal):
    """The agency does not confirm this person; ``reason`` says why."""

    code = "realname_refused"
    hint = "Compare name, birth date and phone number with your phone contract and begin anew."


class RealNameConfirmed(Refusal):
    """This check has ended well; a code is good once."""

    code = "realname_confirmed"
    hint = "Nothing is left to do: GET /api/v1/realname/{id} shows the check."


class AgencySilent(Refusal):
    """The agency has not answered; nobody knows yet whether it acted."""

    code = "agency_silent"
    kind = Kind.UNAVAILABLE
    retryable = True
    hint = "Nothing has failed. Send the same request again in a moment; it costs no try."
