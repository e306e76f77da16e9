"""Where a request comes from: its network, and what the program says it is. Pure.

A user agent is whatever the sender likes. Of it only words from this page are ever kept, so that a
list of sessions can show them and nobody can write into it.
"""

import ipaddress
from dataclasses import dataclass

_PROGRAMS = (
    ("edg", "Edge"),
    ("opr/", "Opera"),
    ("samsungbrowser", "Samsung Internet"),
    ("whale/", "Whale"),
    ("kakaotalk", "KakaoTalk"),
    ("firefox/", "Firefox"),
    ("fxios/", "Firefox"),
    ("crios/", "Chrome"),
    ("chrome/", "Chrome"),
    ("safari/", "Safari"),
    ("curl/", "curl"),
    ("python", "Python"),
    ("okhttp", "an app"),
)
_SYSTEMS = (
    ("android", "Android"),
    ("iphone", "iPhone"),
    ("ipad", "iPad"),
    ("windows", "Windows"),
    ("mac os", "macOS"),
    ("macintosh", "macOS"),
    ("cros", "ChromeOS"),
    ("linux", "Linux"),
)
_READ_CHARS = 400


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a request comes from: network address and what the program says it is."""

    address: str = ""
    user_agent: str = ""


NOBODY = Visitor()


def label_of(user_agent: str) -> str:
    """Such as ``Chrome on Android``; empty where it cannot be told."""
    said = user_agent[:_READ_CHARS].lower()
    program = next((name for sign, name in _PROGRAMS if sign in said), "")
    system = next((name for sign, name in _SYSTEMS if sign in said), "")
    return " on ".join(filter(None, (program, system)))


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 that one IPv6 customer has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
