"""The shield's numbers in ``/metrics``, read from it whenever somebody asks."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from jigap.shield import Rule, Shield


class ShieldFigures(Collector):
    """What one process's shield has done."""

    def __init__(self, shield: Shield) -> None:
        self._shield = shield

    def collect(self) -> Iterator[Metric]:
        refused = CounterMetricFamily(
            "jigap_shield_refused", "Requests and connections turned away.", labels=["rule"]
        )
        for rule in Rule:
            refused.add_metric([rule.value], self._shield.refused[rule])
        yield refused
        yield GaugeMetricFamily("jigap_shield_bans", "Bans in force.", value=self._shield.ban_count)
        yield GaugeMetricFamily(
            "jigap_shield_damaged",
            "1 when the shield's files cannot be read: nothing is changed or paid.",
            value=int(bool(self._shield.damage)),
        )
        age_days = self._shield.ranges_age_days()
        if age_days is not None:
            yield GaugeMetricFamily(
                "jigap_shield_ranges_age_days", "Age of the data about countries.", value=age_days
            )
