"""The socket a server listens on, bound before anything else starts.

Binding first makes a port in use one clear line instead of a half-started platform, and lets port 0
mean "any free one" with the number known to whoever has to be told.
"""

import errno
import socket

from jigap.node.server import PortInUse
from jigap.refusal import Kind, Refusal


class AddressUnusable(Refusal):
    """The address is not one this machine can listen on."""

    code = "address_unusable"
    kind = Kind.INVALID


def listen(host: str, port: int, *, backlog: int = 2048) -> socket.socket:
    """A bound, inheritable TCP socket. Raises ``PortInUse`` or ``AddressUnusable``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(backlog)
    except (OSError, OverflowError) as error:
        listener.close()
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise PortInUse(f"Port {port} on {host} is in use.", port=port) from None
        raise AddressUnusable(f"Cannot listen on {host} port {port}: {error}.") from None
    listener.setblocking(False)
    listener.set_inheritable(True)
    return listener


def url_of(listener: socket.socket) -> str:
    """The address a browser on this machine reaches the socket at."""
    host, port = listener.getsockname()[:2]
    shown = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::1", "::") else host
    return f"http://{shown}:{port}"
