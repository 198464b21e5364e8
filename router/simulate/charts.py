"""Horizontal bars with whiskers as inline SVG: all the page needs, so that it needs nothing from elsewhere."""

import math
from dataclasses import dataclass
from html import escape

_ROW, _LEFT, _WIDTH, _RIGHT = 22, 300, 520, 110


@dataclass(frozen=True, slots=True)
class Bar:
    """`half` is the whisker's half-width; infinite: none."""

    words: str
    value: float
    half: float
    own: bool = False
    bound: bool = False


def bar_chart(title: str, bars: list[Bar], logarithmic: bool) -> str:
    """One chart; its scale begins at 0, or at 1 when logarithmic."""
    top = max([bar.value + (bar.half if math.isfinite(bar.half) else 0.0) for bar in bars], default=0.0) or 1.0
    height = _ROW * len(bars) + 34
    width = _LEFT + _WIDTH + _RIGHT

    def place(value: float) -> float:
        if logarithmic:
            return _LEFT + _WIDTH * math.log10(max(value, 1.0)) / max(math.log10(max(top, 10.0)), 1e-9)
        return _LEFT + _WIDTH * max(value, 0.0) / top

    parts = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">']
    for tick in _ticks(top, logarithmic):
        x = place(tick)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - 26}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{height - 10}" text-anchor="middle">{_short(tick)}</text>')
    for i, bar in enumerate(bars):
        parts += _bar(bar, i * _ROW + 4, place)
    return "".join([*parts, "</svg>"])


def _bar(bar: Bar, y: float, place: "object") -> list[str]:
    assert callable(place)
    kind = "own" if bar.own else "bound" if bar.bound else "other"
    end, middle = place(bar.value), y + 8
    whisker = math.isfinite(bar.half) and bar.half > 0
    last = place(bar.value + bar.half) if whisker else end
    parts = [
        f'<text class="name" x="{_LEFT - 8}" y="{middle + 4}" text-anchor="end">{escape(bar.words)}</text>',
        f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{max(end - _LEFT, 1):.1f}" height="15">'
        f"<title>{escape(bar.words)}: {_plain(bar.value)}</title></rect>",
        f'<text class="value" x="{last + 6:.1f}" y="{middle + 4}">{_plain(bar.value)}</text>',
    ]
    if whisker:
        first = place(max(bar.value - bar.half, 0.0))
        parts.append(f'<line class="whisker" x1="{first:.1f}" x2="{last:.1f}" y1="{middle}" y2="{middle}"/>')
    return parts


def _ticks(top: float, logarithmic: bool) -> list[float]:
    if logarithmic:
        return [10.0**i for i in range(math.floor(math.log10(max(top, 10.0))) + 1)]
    step = 10 ** math.floor(math.log10(top))
    step = step if top / step >= 3 else step / 4 if top / step < 1.5 else step / 2
    return [step * i for i in range(int(top / step) + 1)]


def _short(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def _plain(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 2 else f"{value:.2f}"
