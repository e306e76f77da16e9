"""What a browser says it is, as a few words of ours. Pure.

A user agent is whatever the sender likes. Of it only words from this page are ever kept, so that a
list of sessions can show them and nobody can write into it.
"""

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


def label_of(user_agent: str) -> str:
    """Such as ``Chrome on Android``; empty where it cannot be told."""
    said = user_agent[:_READ_CHARS].lower()
    program = next((name for sign, name in _PROGRAMS if sign in said), "")
    system = next((name for sign, name in _SYSTEMS if sign in said), "")
    return " on ".join(filter(None, (program, system)))
