"""Draw bars that lie, each with the span of its rounds, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 760, 250, 130, 48, 30
_OURS, _THEIRS, _SPAN, _TEXT = "#1b6ca8", "#8a9ba8", "#222", "#333"


@dataclass(frozen=True, slots=True)
class Bar:
    """One value, and the lowest and highest of its rounds."""

    name: str
    low: float
    value: float
    high: float
    ours: bool
    said: str
    """The value as people read it."""


def draw(bars: Sequence[Bar], title: str, unit: str) -> str:
    """Draw bars, the longest of which takes the whole width.

    Args:
        bars: from top to bottom.
        title: what stands above.
        unit: what is measured, below the title.
    """
    height = _TOP + _ROW * len(bars) + 10
    most = max((bar.high for bar in bars), default=0.0) or 1.0
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">'
    parts = [head, f"<title>{escape(title)}</title>", '<rect width="100%" height="100%" fill="#fff"/>']
    parts += [_text(12, 20, title, size=14), _text(12, 37, unit, size=11)]
    for number, bar in enumerate(bars):
        parts += _drawn(bar, _TOP + number * _ROW, (_WIDTH - _LEFT - _RIGHT) / most)
    return "\n".join([*parts, "</svg>", ""])


def _drawn(bar: Bar, top: float, scale: float) -> list[str]:
    low, end, high = (_LEFT + max(0.0, value) * scale for value in (bar.low, bar.value, bar.high))
    middle, colour = top + 10, _OURS if bar.ours else _THEIRS
    ticks = [_line(x, middle - 4, x, middle + 4) for x in (low, high)]
    return [
        _text(_LEFT - 8, middle + 4, bar.name, anchor="end"),
        f'<rect x="{_LEFT}" y="{top}" width="{max(end - _LEFT, 1):.1f}" height="20" fill="{colour}"/>',
        _line(low, middle, high, middle),
        *ticks,
        _text(max(end, high) + 8, middle + 4, bar.said),
    ]


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12) -> str:
    font = f'font-family="sans-serif" font-size="{size}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {font} text-anchor="{anchor}" fill="{_TEXT}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{_SPAN}"/>'
