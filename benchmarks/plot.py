"""Draw lines over two logarithmic axes, as SVG: all that one figure of the documents needs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 460, 76, 110, 40, 50
_COLOURS = ("#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#b9770e", "#4d5656")


@dataclass(frozen=True)
class Line:
    """One line: its name stands at its end."""

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


def draw(lines: Sequence[Line], across: str, upwards: str, title: str) -> str:
    """Draw lines; each pair of neighbours has one colour.

    Args:
        lines: what to draw.
        across: the name of the horizontal axis.
        upwards: the name of the vertical one.
        title: what stands above.
    """
    low_x, high_x = _decades(x for line in lines for x, _ in line.points)
    low_y, high_y = _decades(y for line in lines for _, y in line.points)

    def place(x: float, y: float) -> tuple[float, float]:
        along = (math.log10(x) - low_x) / (high_x - low_x)
        up = (math.log10(y) - low_y) / (high_y - low_y)
        return _LEFT + along * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)

    parts = [_text(_LEFT, 22, title, "start"), _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 12, across, "middle")]
    parts.append(f'<g transform="rotate(-90 16 {_HEIGHT / 2})">{_text(16, _HEIGHT / 2, upwards, "middle")}</g>')
    for power in range(low_x, high_x + 1):
        x, _ = place(10**power, 10**low_y)
        parts += [_rule(x, _TOP, x, _HEIGHT - _BOTTOM), _text(x, _HEIGHT - _BOTTOM + 18, _tick(power), "middle")]
    for power in range(low_y, high_y + 1):
        _, y = place(10**low_x, 10**power)
        parts += [_rule(_LEFT, y, _WIDTH - _RIGHT, y), _text(_LEFT - 6, y + 4, _tick(power), "end")]
    for number, line in enumerate(lines):
        places = [place(x, y) for x, y in line.points]
        colour = _COLOURS[number // 2 % len(_COLOURS)]
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dashes = ' stroke-dasharray="5 4"' if line.dashed else ""
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        if line.name:
            parts.append(_text(places[-1][0] + 6, places[-1][1] + 4, line.name, "start", colour))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
    style = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", style, *parts, "</svg>", ""])


def _decades(values: Iterable[float]) -> tuple[int, int]:
    found = [math.log10(value) for value in values]
    return math.floor(min(found)), math.ceil(max(found))


def _tick(power: int) -> str:
    return f"{10**power:,}" if power < 5 else f"1e{power}"


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#333") -> str:
    font = 'font-family="sans-serif" font-size="12"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {font} text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'
