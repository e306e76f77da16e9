"""The 16 bytes our transactions carry on the chain so that we, and nobody else, know them. Pure.

    tag = T (10 bytes) | M (6 bytes)
    T = HMAC-SHA3-256(k1, purpose, actor, idempotency key)    which request this was
    M = HMAC-SHA3-256(k2, T, sender)                          that the tag is ours

Without the keys both halves look random. With them, T tells whether a request has already been paid
even when every record of it is lost, and M tells our own payments from an outsider's.
"""

import hmac

REQUEST_BYTES = 10
TAG_BYTES = 16


class TagKeys:
    """The two keys, both derived from one secret of the ring."""

    def __init__(self, secret: bytes) -> None:
        self._request = hmac.digest(secret, b"request", "sha3_256")
        self._mark = hmac.digest(secret, b"mark", "sha3_256")

    def make(self, purpose: str, actor: str, idempotency_key: str, sender: bytes) -> bytes:
        """The tag of one request of ``actor``, on a transaction of ``sender``."""
        about = "\0".join((purpose, actor, idempotency_key)).encode()
        request = hmac.digest(self._request, about, "sha3_256")[:REQUEST_BYTES]
        return request + self._marked(request, sender)

    def is_ours(self, tag: bytes, sender: bytes) -> bool:
        """Whether we made this tag for a transaction of ``sender``."""
        if len(tag) != TAG_BYTES:
            return False
        wanted = self._marked(tag[:REQUEST_BYTES], sender)
        return hmac.compare_digest(wanted, tag[REQUEST_BYTES:])

    def _marked(self, request: bytes, sender: bytes) -> bytes:
        mark = hmac.digest(self._mark, request + sender, "sha3_256")
        return mark[: TAG_BYTES - REQUEST_BYTES]
