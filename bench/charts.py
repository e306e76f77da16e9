"""Line charts as SVG, drawn by hand: no library, legible on light and dark pages.

A chart has its own ground, so it does not depend on the page around it; colours change with what
the reader's system prefers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 20, 44, 96
#: Light and dark: chosen to differ in lightness, too, for those who see no colours.
_COLOURS = (
    ("#0b62c4", "#6cb2ff"),
    ("#c2410c", "#ff9b63"),
    ("#6b7280", "#b8bfca"),
    ("#15803d", "#62d48a"),
    ("#7e22ce", "#cf9bff"),
    ("#a16207", "#e7c04f"),
)
_DASHES = ("", "7 4", "2 4")


@dataclass(frozen=True, slots=True)
class Series:
    """A line. ``colour`` and ``dash`` are numbers; lines of one name are one entry of the key."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: int = 0
    dash: int = 0
    marks: bool = False


@dataclass(frozen=True, slots=True)
class _Scale:
    """Values to pixels, along one axis."""

    low: float
    high: float
    from_px: float
    to_px: float
    is_log: bool

    def at(self, value: float) -> float:
        low, high, value = (self._of(one) for one in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.from_px + share * (self.to_px - self.from_px), 1)

    def _of(self, value: float) -> float:
        return math.log10(max(value, 1e-9)) if self.is_log else value

    def ticks(self) -> list[float]:
        if self.is_log:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            return [10.0**power for power in range(first, last + 1)]
        step = _nice((self.high - self.low) / 6)
        count = int(self.high / step + 1e-9)
        return [step * number for number in range(math.ceil(self.low / step), count + 1)]


def _nice(rough: float) -> float:
    """1, 2 or 5 times a power of ten, not below ``rough``."""
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)


def chart(
    title: str,
    x: str,
    y: str,
    series: Sequence[Series],
    *,
    log_x: bool = False,
    log_y: bool = False,
) -> str:
    """The SVG text; series without points are left out."""
    series = [one for one in series if one.points]
    if not series:
        return ""
    x_scale = _scale([p[0] for one in series for p in one.points], log_x, _LEFT, WIDTH - _RIGHT)
    y_scale = _scale([p[1] for one in series for p in one.points], log_y, HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f"<style>{_style()}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="ink" x="{_LEFT}" y="26" font-size="15" font-weight="600">'
        f"{escape(title)}</text>",
        *_axes(x_scale, y_scale, x, y),
        *(_line(one, x_scale, y_scale) for one in series),
        *_key(series),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _scale(values: Sequence[float], is_log: bool, from_px: float, to_px: float) -> _Scale:
    if is_log:
        low = 10.0 ** math.floor(math.log10(max(min(values), 1e-6)))
        high = 10.0 ** math.ceil(math.log10(max(max(values), 1e-6)))
        return _Scale(low, max(high, low * 10), from_px, to_px, True)
    high = max(values) or 1.0
    step = _nice(high / 6)
    return _Scale(0.0, math.ceil(high / step - 1e-9) * step, from_px, to_px, False)


def _style() -> str:
    def colours(which: int) -> str:
        return "".join(
            f".l{number}{{stroke:{both[which]}}}.m{number}{{fill:{both[which]}}}"
            for number, both in enumerate(_COLOURS)
        )

    light = ".ground{fill:#fff}.ink{fill:#1f2328}.soft{fill:#57606a}.grid{stroke:#d8dee4}"
    dark = ".ground{fill:#14171c}.ink{fill:#e8ebef}.soft{fill:#a8b1bd}.grid{stroke:#343b45}"
    return f"{light}{colours(0)}@media(prefers-color-scheme:dark){{{dark}{colours(1)}}}"


def _axes(x_scale: _Scale, y_scale: _Scale, x: str, y: str) -> list[str]:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    parts = []
    for value in y_scale.ticks():
        at = y_scale.at(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{at}" x2="{right}" y2="{at}"/>')
        parts.append(
            f'<text class="soft" x="{_LEFT - 8}" y="{at + 4}" text-anchor="end">'
            f"{_said(value)}</text>"
        )
    for value in x_scale.ticks():
        at = x_scale.at(value)
        parts.append(f'<line class="grid" x1="{at}" y1="{bottom}" x2="{at}" y2="{bottom + 5}"/>')
        parts.append(
            f'<text class="soft" x="{at}" y="{bottom + 20}" text-anchor="middle">'
            f"{_said(value)}</text>"
        )
    middle = (_TOP + bottom) / 2
    return [
        *parts,
        f'<text class="soft" x="{(_LEFT + right) / 2}" y="{bottom + 40}" text-anchor="middle">'
        f"{escape(x)}</text>",
        f'<text class="soft" x="16" y="{middle}" text-anchor="middle"'
        f' transform="rotate(-90 16 {middle})">{escape(y)}</text>',
    ]


def _said(value: float) -> str:
    if value >= 1_000_000:
        return f"{value / 1_000_000:g}M"
    return f"{value / 1000:g}k" if value >= 10_000 else f"{value:g}"


def _line(one: Series, x_scale: _Scale, y_scale: _Scale) -> str:
    places = [(x_scale.at(x), y_scale.at(y)) for x, y in one.points]
    colour = one.colour % len(_COLOURS)
    dash = _DASHES[one.dash % len(_DASHES)]
    path = " ".join(f"{x},{y}" for x, y in places)
    parts = []
    if len(places) > 1:
        parts.append(
            f'<polyline class="l{colour}" fill="none" stroke-width="2" points="{path}"'
            + (f' stroke-dasharray="{dash}"' if dash else "")
            + "/>"
        )
    if one.marks or len(places) == 1:
        parts += [f'<circle class="m{colour}" cx="{x}" cy="{y}" r="4"/>' for x, y in places]
    return "".join(parts)


def _key(series: Sequence[Series]) -> list[str]:
    """One entry for each name, in two rows at most."""
    parts, x, y = [], float(_LEFT), HEIGHT - 30.0
    for name, one in reversed({one.name: one for one in reversed(series)}.items()):
        width = 40 + 7.0 * len(name)
        if x + width > WIDTH - _RIGHT and x > _LEFT:
            x, y = float(_LEFT), y + 20
        dash = _DASHES[one.dash % len(_DASHES)]
        colour = one.colour % len(_COLOURS)
        parts.append(
            f'<line class="l{colour}" stroke-width="3" x1="{x}" y1="{y}" x2="{x + 24}" y2="{y}"'
            + (f' stroke-dasharray="{dash}"/>' if dash else "/>")
            + f'<text class="ink" x="{x + 30}" y="{y + 4}">{escape(name)}</text>'
        )
        x += width
    return parts
