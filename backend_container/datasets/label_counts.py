"""How often each value of a label occurs: what `ligan dataset info` tells and histograms are drawn of. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MOST_BINS = 14
"""More bars say less."""
MANY = 20
"""A label with more values than this is counted in bins if they are numbers."""

Counts = list[tuple[str, int]]


def keys(labels: Iterable[Mapping[str, Any]]) -> list[str]:
    """All labels that some face has, in the order in which they come."""
    return list(dict.fromkeys(key for row in labels for key in row))


def histogram(labels: Sequence[Mapping[str, Any]], key: str) -> Counts:
    """(value, faces) of a label: numbers ascending, in bins if they are many; other values with the most faces first.

    Faces without the label are not counted. Numbers written as text are numbers.
    """
    values = [row[key] for row in labels if row.get(key) is not None]
    numbers = [_number(value) for value in values]
    known = [number for number in numbers if number is not None]
    if not values or len(known) < len(values):
        return [(_word(value), count) for value, count in Counter(map(_word, values)).most_common()]
    return _binned(known) if len(set(known)) > MANY else _listed(known)


def _word(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _number(value: object) -> float | None:
    """Neither yes and no nor words are numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _listed(numbers: Sequence[float]) -> Counts:
    return [(f"{value:g}", count) for value, count in sorted(Counter(numbers).items())]


def _binned(numbers: Sequence[float]) -> Counts:
    """Bins of a round width, 1, 2 or 5 times a power of ten: `20 to 30` is 20 or more and less than 30."""
    width = _round_width((max(numbers) - min(numbers)) / (MOST_BINS - 2))
    bins = Counter(math.floor(number / width) for number in numbers)
    return [(f"{bin_ * width:g} to {(bin_ + 1) * width:g}", bins[bin_]) for bin_ in range(min(bins), max(bins) + 1)]


def _round_width(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= least)
