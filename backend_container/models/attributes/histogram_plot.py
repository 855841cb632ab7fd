"""Histograms of attributes as an SVG drawing: a bar for each set beside the other, in percent of its faces. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from backend_container.models.attributes.histograms import Histogram

WIDTH, LABELS = 640, 200
"""Of the drawing and of its left part with the words, in pixels."""
BAR, ROW, TOP = 8, 24, 44
COLOURS = ("#4c78a8", "#e45756")


def histogram_svg(found: Sequence[Histogram], names: tuple[str, str]) -> str:
    """An SVG document; `names` are of the two sets. Readable without colour: the first set's bar is the upper one."""
    rows = [row for histogram in found for row in _rows(histogram)]
    height = TOP + ROW * len(rows) + 8
    title = escape(f"Share of faces with each attribute: {names[0]} (upper bar) and {names[1]} (lower bar)")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" font-family="sans-serif" '
        f'font-size="12"><title>{title}</title><rect width="100%" height="100%" fill="#fff"/>',
        *_legend(names),
        *(part for number, row in enumerate(rows) for part in _drawn(number, *row)),
        "</svg>",
    ]
    return "\n".join(parts)


def _rows(histogram: Histogram) -> Iterator[tuple[str, tuple[float, float]]]:
    """Words and both shares: of a binary attribute those that have it, of another each class."""
    attribute = histogram.attribute
    for number, word in enumerate(attribute.classes):
        label = attribute.name if attribute.binary else f"{attribute.name}: {word}"
        first, second = histogram.shares[:, number].tolist()
        if not (attribute.binary and number == 0):
            yield label.replace("_", " "), (first, second)


def _legend(names: tuple[str, str]) -> Iterator[str]:
    for number, (name, colour) in enumerate(zip(names, COLOURS, strict=True)):
        x = LABELS + number * (WIDTH - LABELS) // 2
        yield f'<rect x="{x}" y="12" width="12" height="12" fill="{colour}"/>'
        yield f'<text x="{x + 18}" y="22">{escape(name)}</text>'


def _drawn(number: int, label: str, shares: tuple[float, float]) -> Iterator[str]:
    y, most = TOP + ROW * number, WIDTH - LABELS - 50
    yield f'<text x="{LABELS - 8}" y="{y + 13}" text-anchor="end">{escape(label)}</text>'
    for line, (share, colour) in enumerate(zip(shares, COLOURS, strict=True)):
        top = y + line * (BAR + 1)
        yield f'<rect x="{LABELS}" y="{top}" width="{max(share * most, 0.5):.1f}" height="{BAR}" fill="{colour}"/>'
        yield f'<text x="{LABELS + share * most + 5:.1f}" y="{top + 8}" font-size="9">{100 * share:.1f} %</text>'
