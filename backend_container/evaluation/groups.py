"""Groups of people by their labels, so that a figure can be read for each of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

AGES = ((0, 17), (18, 29), (30, 44), (45, 59), (60, 150))
"""First and last year of the groups of age."""
NAMES = {"ethnicity": ("ethnicity", "eth", "race"), "gender": ("gender", "sex", "Male")}
"""What sets of photos call a label."""
_WORDS = {"Male": {"true": "male", "false": "female"}}
"""What CelebA's attribute says."""
_AGE_GROUP = re.compile(r"(?:more than )?(\d{1,3})(?:-(\d{1,3})|\+)?", re.ASCII)

Groups = dict[tuple[str, str], list[int]]
"""Rows of each group, by label and value: ("gender", "female")."""


def age_of(labels: Mapping[str, Any]) -> int | None:
    """Years, where the labels say so; of a group, such as FairFace's 20-29 and `more than 70`, its middle or begin."""
    age = labels.get("age")
    if group := _AGE_GROUP.fullmatch(str(age)):
        return (int(group[1]) + int(group[2] or group[1])) // 2
    try:
        return int(float(age))  # type: ignore[arg-type] # what is no number is refused
    except (TypeError, ValueError, OverflowError):
        return None


def groups_of(labels: Sequence[Mapping[str, Any]]) -> Groups:
    """All groups that people of these labels are in, by label and value; a person may be in several."""
    found: Groups = {}
    for row, one in enumerate(labels):
        for key in memberships(one):
            found.setdefault(key, []).append(row)
    return dict(sorted(found.items()))


def memberships(labels: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A person's groups."""
    named = [(label, _first(labels, keys)) for label, keys in NAMES.items()]
    age = age_of(labels)
    spans = [("age", f"{first} to {last}") for first, last in AGES if age is not None and first <= age <= last]
    return [(label, value) for label, value in named if value] + spans


def _first(labels: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    values = ((key, labels.get(key)) for key in keys)
    return next((_word(key, value) for key, value in values if value not in (None, "")), None)


def _word(key: str, value: object) -> str:
    word = str(value).replace("_", " ").lower()
    return _WORDS.get(key, {}).get(word, word)
