"""Every interval and limit that is no setting, with its reason."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from itertools import pairwise

from docs.generators import markdown
from docs.generators.attributes import Attribute, attributes
from ligan import intervals

_MEBI = 1024 * 1024


def page() -> str:
    """A table for each group of `ligan/intervals.py`."""
    intro = (
        "These numbers are no settings: each has one value that is right everywhere, and its reason. Seconds unless\n"
        "the reason says otherwise. They stand in `ligan/intervals.py`; whoever wants others tells us why.\n"
    )
    return markdown.page("Intervals and limits", intro, *_groups())


def _groups() -> Iterator[str]:
    found = list(attributes(intervals))
    starts = [*_headings(), (len(inspect.getsource(intervals).splitlines()) + 1, "")]
    for (line, title), (end, _) in pairwise(starts):
        rows = (_row(one) for one in found if line < one.line < end)
        yield f"## {title}\n"
        yield markdown.table(("name", "value", "reason"), rows)


def _headings() -> Iterator[tuple[int, str]]:
    """(line, title) of each comment that stands for itself."""
    for number, line in enumerate(inspect.getsource(intervals).splitlines(), 1):
        if match := re.match(r"# (.+)$", line):
            yield number, match[1]


def _row(one: Attribute) -> tuple[str, str, str]:
    return f"`{one.name}`", _value(one.value), one.text


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_value, value))
    if isinstance(value, int | float):
        return f"{value / _MEBI:g} MiB" if value >= _MEBI else f"{value:g}"
    return f"`{value}`"
