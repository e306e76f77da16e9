"""What somebody is told who is turned away. The facts name the rule and the reference number."""

from jigap.refusal import Kind, Refusal


class ShieldRefused(Refusal):
    """Requests from this address are not answered."""

    code = "shield_refused"
    kind = Kind.FORBIDDEN
    hint = "Tell the operator the `reference`, or come from another network; `rule` says why."


class RateLimited(Refusal):
    """Too much was asked for in too short a time."""

    code = "rate_limited"
    kind = Kind.TOO_MANY
    retryable = True
    hint = "Wait as long as Retry-After says, then go on more slowly; `rule` says which limit."
