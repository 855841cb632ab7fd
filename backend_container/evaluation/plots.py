"""Distributions as SVG drawings that need no script and can be read without colours. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 240, 46, 40, 34
BINS = 40
STROKES = (("#225588", ""), ("#aa3377", "6 3"))
"""Colour and dashes of each set's line."""


@dataclass(frozen=True, eq=False)
class Values:
    """One set of numbers."""

    name: str
    numbers: NDArray[np.floating]


def distribution(title: str, unit: str, sets: Sequence[Values], mark: tuple[str, float] | None = None) -> str:
    """Lines of the share of each set's numbers in equal steps from 0 up, at most two sets of one number or more.

    `mark` is a word and a number, drawn as an upright line.
    """
    last = max(float(one.numbers.max()) for one in sets) * 1.02 or 1.0
    counts = [np.histogram(one.numbers, BINS, (0, last))[0] / one.numbers.size for one in sets]
    most = max(float(count.max()) for count in counts)
    lines = zip(sets, counts, STROKES, strict=False)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif" '
        f'font-size="12"><title>{escape(title)}</title><rect width="100%" height="100%" fill="#fff"/>',
        *_axis(last, most, unit),
        *(_line(number, one.name, count / most, stroke) for number, (one, count, stroke) in enumerate(lines)),
        _mark(*mark, last) if mark and mark[1] <= last else "",
        "</svg>",
    ]
    return "\n".join(part for part in parts if part)


def _line(number: int, name: str, heights: NDArray[np.floating], stroke: tuple[str, str]) -> str:
    colour, dashes = stroke
    steps = np.repeat(np.linspace(LEFT, WIDTH - 10, BINS + 1), 2)[1:-1]
    tops = np.repeat(HEIGHT - BOTTOM - heights * (HEIGHT - BOTTOM - TOP), 2)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(steps, tops, strict=True))
    drawn = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"'
    x = LEFT + 290 * number
    return (
        f'<polyline points="{points}" {drawn}/><line x1="{x}" x2="{x + 26}" y1="14" y2="14" {drawn}/>'
        f'<text x="{x + 32}" y="18">{escape(name)}</text>'
    )


def _axis(last: float, most: float, unit: str) -> Iterator[str]:
    base = HEIGHT - BOTTOM
    yield f'<path d="M{LEFT},{TOP} V{base} H{WIDTH - 10}" fill="none" stroke="#333"/>'
    yield f'<text x="4" y="{TOP + 10}">{100 * most:.0f} %</text>'
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = LEFT + share * (WIDTH - 10 - LEFT)
        yield f'<text x="{x:.0f}" y="{base + 16}" text-anchor="middle">{share * last:.2f}</text>'
    yield f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">{escape(unit)}</text>'


def _mark(word: str, at: float, last: float) -> str:
    x = LEFT + at / last * (WIDTH - 10 - LEFT)
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#555" stroke-dasharray="2 3"/>'
        f'<text x="{x + 4:.1f}" y="{TOP + 10}">{escape(word)} {at:g}</text>'
    )
