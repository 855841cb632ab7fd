"""A timeline of sessions under load as SVG: ready backends, their generations, and how long tasks waited."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from _load import Look, Person, stalls

_WIDTH, _LEFT, _ROW, _TOP = 1000, 90, 130, 40
_COLOURS = ("#4477aa", "#66ccee")
"""Generations in turn (Paul Tol's bright scheme, which colour-blind people can tell apart)."""
_GAP = "#ee6677"


def write_timeline(crowd: list[Person], title: str, path: Path) -> None:
    """Draw one row for each session and write the file."""
    begin = min(person.began for person in crowd)
    end = max(look.at for person in crowd for look in person.looks)
    scale = (_WIDTH - _LEFT - 40) / (end - begin)
    rows = [_row(person, number, begin, scale) for number, person in enumerate(crowd)]
    height = _TOP + _ROW * len(crowd) + 40
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">'
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/><text x="10" y="22" font-size="15">{title}</text>'
        + "".join(rows)
        + _axis(end - begin, scale, height - 30)
        + "</svg>\n"
    )


def _row(person: Person, number: int, begin: float, scale: float) -> str:
    top = _TOP + number * _ROW
    stretches = [list(same) for _, same in groupby(person.looks, _colour)]
    ends = [later[0].at for later in stretches[1:]] + [person.looks[-1].at]
    bands = (
        _rect(_LEFT + (looks[0].at - begin) * scale, top + 80, (end - looks[0].at) * scale, 22, _colour(looks[0]))
        for looks, end in zip(stretches, ends, strict=True)
    )
    dots = (
        f'<circle cx="{_LEFT + (end - begin) * scale:.1f}" cy="{top + 74 - min(wait, 3) * 20:.1f}" r="1.3"/>'
        for end, wait in stalls(person)
    )
    words = f'<text x="8" y="{top + 96}">session {number + 1}</text><text x="8" y="{top + 78}">0 s</text>'
    return words + f'<text x="8" y="{top + 18}">≥ 3 s wait</text>' + "".join(bands) + "".join(dots)


def _colour(look: Look) -> str:
    return _COLOURS[look.generation % 2] if look.ready else _GAP


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _axis(seconds: float, scale: float, y: float) -> str:
    ticks = range(0, int(seconds) + 1, 60)
    marks = (f'<text x="{_LEFT + second * scale:.1f}" y="{y}">{second // 60} min</text>' for second in ticks)
    words = "bands: ready backend, a colour for each generation; red: none. dots: waits."
    legend = f'<text x="{_LEFT}" y="{y + 20}">{words}</text>'
    return "".join(marks) + legend
