"""What the paper printed: its Tables 13 to 16, to the digit, and where they disagree with it.

Ko, Han, Jeong 2023, section 5.2. Other machines than ours: an AMD Ryzen 5 PRO 3400GE as web server,
an Intel Xeon E3-1230 v6 as node, an Intel i7-8750H with JMeter 5.5 as client.
"""

from dataclasses import dataclass

#: In the order in which the paper prints them, after label, samples, KO and error %.
COLUMNS = (
    "average_ms",
    "min_ms",
    "max_ms",
    "median_ms",
    "p90_ms",
    "p95_ms",
    "p99_ms",
    "throughput_per_s",
    "received_kb_per_s",
    "sent_kb_per_s",
)

SLIPS = (
    "The captions call Table 13 the one without and Table 14 the one with protection; the text and "
    "the sign of the effect say the reverse (protection would have made wallets faster). The rows "
    "stand here under the case that their caption names.",
    "Table 13 prints one and the same figure as 90th and as 95th percentile in every row but the "
    "Total.",
    "Table 14's Total counts 2 errors where its rows have 8.",
    "The throughput of each Total is below that of every row of its table: pauses between the runs "
    "seem to be in it. Ours leaves them out.",
)


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """One table: rows of label, samples, KO, error %, then ``COLUMNS``; the Total comes first."""

    number: int
    caption: str
    rows: tuple[tuple[str, int, int, float, tuple[float, ...]], ...]

    def shown(self) -> list[dict[str, float | int | str]]:
        """As the measured rows are, the Total last."""
        found: list[dict[str, float | int | str]] = [
            {
                "label": label,
                "samples": samples,
                "ko": ko,
                "error_percent": percent,
                **dict(zip(COLUMNS, figures, strict=True)),
            }
            for label, samples, ko, percent, figures in self.rows
        ]
        return [*found[1:], found[0]]

    def at(self, clients: int) -> dict[str, float | int | str] | None:
        return next((row for row in self.shown() if row["label"] == f"User{clients}"), None)


PRINTED = {
    "tc1": PrintedTable(
        13,
        "TC1 Response time of keystore creation (without DDoS protection)",
        (
            (
                "Total", 8000, 2, 0.03,
                (1222.38, 11, 2037, 1568, 1732, 1767, 1829, 27.98, 10.37, 6.07),
            ),
            (
                "User10", 1000, 0, 0.00,
                (322.70, 230, 552, 314.50, 404, 404, 450.96, 30.66, 11.35, 6.59),
            ),
            (
                "User20", 2000, 0, 0.00,
                (646.74, 210, 912, 650.50, 800.95, 800.95, 861, 30.52, 11.30, 6.56),
            ),
            (
                "User50", 5000, 2, 0.04,
                (1632.57, 11, 2037, 1646, 1784, 1784, 1843, 30.47, 11.30, 6.54),
            ),
        ),
    ),
    "tc2": PrintedTable(
        14,
        "TC2 Response time keystore creation (with DDoS protection)",
        (
            (
                "Total", 8000, 2, 0.10,
                (1148.02, 6, 1891, 1483, 1612, 1641, 1700, 17.00, 6.32, 3.65),
            ),
            (
                "User10", 1000, 0, 0.00,
                (304.58, 209, 488, 296, 360.90, 390, 431.98, 32.27, 11.94, 6.93),
            ),
            (
                "User20", 2000, 0, 0.00,
                (608.69, 191, 825, 617, 711, 737, 786.99, 32.42, 12.00, 6.97),
            ),
            (
                "User50", 5000, 8, 0.16,
                (1532.44, 6, 1891, 1544, 1633, 1661, 1712.99, 32.47, 12.11, 6.97),
            ),
        ),
    ),
    "tc3": PrintedTable(
        15,
        "TC3 Response time of balance inquiry (without DDoS protection)",
        (
            (
                "Total", 65000, 230, 0.35,
                (425.91, 0, 1980, 571, 920, 1022, 1229, 383.81, 168.20, 82.17),
            ),
            (
                "User50", 5000, 0, 0.00,
                (83.01, 31, 307, 78, 121, 140, 185, 560.73, 242.54, 120.47),
            ),
            (
                "User100", 10000, 1, 0.01,
                (156.17, 15, 638, 136, 276, 329, 426, 565.55, 244.71, 121.49),
            ),
            (
                "User200", 20000, 18, 0.09,
                (387.40, 4, 1496, 368, 651, 737, 896.99, 482.35, 209.33, 103.54),
            ),
            (
                "User300", 30000, 211, 0.70,
                (598.63, 0, 1980, 571, 920, 1022, 1229, 475.01, 210.84, 101.34),
            ),
        ),
    ),
    "tc4": PrintedTable(
        16,
        "TC4 response time of balance inquiry (with DDoS protection)",
        (
            (
                "Total", 65000, 210, 0.32,
                (830.81, 0, 3067, 1131, 1610, 1764, 2060.99, 223.60, 97.89, 47.88),
            ),
            (
                "User50", 5000, 0, 0.00,
                (191.60, 48, 524, 186, 276, 307, 370.99, 247.34, 106.98, 53.14),
            ),
            (
                "User100", 10000, 1, 0.01,
                (372.60, 8, 1660, 356, 571, 652, 822.99, 252.31, 109.17, 54.20),
            ),
            (
                "User200", 20000, 32, 0.16,
                (752.27, 3, 2151, 738, 1112.90, 1228.95, 1468, 250.26, 108.91, 53.68),
            ),
            (
                "User300", 30000, 177, 0.59,
                (1142.44, 0, 3067, 1131, 1610, 1764, 2060.99, 251.95, 111.39, 53.81),
            ),
        ),
    ),
}  # fmt: skip
