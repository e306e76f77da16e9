"""How messages between us and the agency are signed. Pure; both ends use it.

A request's signature covers method, path, time, a nonce and the body; an answer's covers the nonce
of its request, the status and the body, so that an answer belongs to one question and nobody on the
way can turn a no into a yes.
"""

import hashlib
import hmac

CLIENT = "X-Agency-Client"
TIMESTAMP = "X-Agency-Timestamp"
NONCE = "X-Agency-Nonce"
SIGNATURE = "X-Agency-Signature"

#: How far the clocks of both ends may differ, and how long a nonce is remembered.
SKEW_MAX_MS = 5 * 60 * 1000


def of_request(
    secret: bytes, method: str, path: str, timestamp: str, nonce: str, body: bytes
) -> str:
    """The signature of a request, in hex."""
    return _sign(secret, "request", method, path, timestamp, nonce, _digest(body))


def of_answer(secret: bytes, nonce: str, status: int, body: bytes) -> str:
    """The signature of the answer to the request with this nonce, in hex."""
    return _sign(secret, "answer", nonce, str(status), _digest(body))


def matches(expected: str, found: str | None) -> bool:
    """Compare signatures in constant time."""
    return found is not None and hmac.compare_digest(expected.encode(), found.encode())


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _sign(secret: bytes, *parts: str) -> str:
    return hmac.digest(secret, "\n".join(parts).encode(), "sha256").hex()
