"""Every interval and limit that is no setting, with its reason."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from itertools import pairwise

from docs.generators import markdown
from docs.generators.attributes import Attribute, attributes
from ligan import intervals

Units = tuple[tuple[int, str], ...]
_OF_BYTES: Units = ((2**20, "MiB"), (2**10, "KiB"))
_OF_SECONDS: Units = ((86400, "days"),)


def page() -> str:
    """A table for each group of `ligan/intervals.py`."""
    intro = (
        "These numbers are no settings: each has one value that is right everywhere, and its reason. Seconds unless\n"
        "value or reason say otherwise. They stand in `ligan/intervals.py`; whoever wants others tells us why.\n"
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
    units = _OF_BYTES if one.text.startswith("Bytes of") else _OF_SECONDS
    return f"`{one.name}`", value(one.value, units), one.text


def value(given: object, units: Units) -> str:
    """As it is shown: in the first of `units` of which it is more than one."""
    if isinstance(given, tuple):
        return ", ".join(value(part, units) for part in given)
    if not isinstance(given, int | float):
        return f"`{given}`"
    return next((f"{given / size:g} {unit}" for size, unit in units if given > size), f"{given:g}")
