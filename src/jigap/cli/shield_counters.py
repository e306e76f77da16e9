"""What a running web process has counted, asked of it over HTTP as any monitoring would."""

from dataclasses import dataclass
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from prometheus_client.parser import text_string_to_metric_families

from jigap.settings import Settings

REFUSED = "jigap_shield_refused"
TIMEOUT_S = 2.0
_READ_MAX = 4 << 20


@dataclass(frozen=True, slots=True)
class Unheard:
    """Nobody answered, and why."""

    why: str


def counters(given: Settings) -> dict[str, int] | Unheard:
    """How often each rule turned somebody away since the process started."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(given.host, given.host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{given.port}/metrics"
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=TIMEOUT_S) as answer:
            text = answer.read(_READ_MAX).decode()
        return _of(text)
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return Unheard(f"{url} does not answer ({reason})")


def _of(text: str) -> dict[str, int]:
    return {
        sample.labels["rule"]: int(sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"{REFUSED}_total"
    }
