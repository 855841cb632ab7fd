"""Bars as SVG, for reports. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_ROW, _BAR, _LABELS, _WIDTH = 28, 18, 220, 760
"""Pixels: a row, its bar, the column of labels, the whole picture."""
_COLOUR = "#2f6db3"


def bars(title: str, counts: Sequence[tuple[str, int]]) -> str:
    """A picture of one horizontal bar for each (label, count), with the numbers written beside the bars."""
    height = 44 + _ROW * len(counts) + 8
    most = max((count for _, count in counts), default=0) or 1
    rows = "".join(_row(index, label, count, most) for index, (label, count) in enumerate(counts))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'role="img" font-family="sans-serif" font-size="13" fill="#222"><title>{escape(title)}</title>'
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="12" y="26" font-size="16" font-weight="bold">{escape(title)}</text>{rows}</svg>\n'
    )


def _row(index: int, label: str, count: int, most: int) -> str:
    top = 44 + _ROW * index
    width = (_WIDTH - _LABELS - 90) * count / most
    return (
        f'<text x="{_LABELS - 8}" y="{top + 14}" text-anchor="end">{escape(label)}</text>'
        f'<rect x="{_LABELS}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{_COLOUR}"/>'
        f'<text x="{_LABELS + width + 6:.1f}" y="{top + 14}">{count}</text>'
    )
