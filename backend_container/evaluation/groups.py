"""Groups of people by their labels, so that a figure can be read for each of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

AGES = ((0, 17), (18, 29), (30, 44), (45, 59), (60, 150))
"""First and last year of the groups of age."""
NAMES = {"ethnicity": ("ethnicity", "eth", "race"), "gender": ("gender", "sex")}
"""What sets of photos call a label."""

Groups = dict[tuple[str, str], list[int]]
"""Rows of each group, by label and value: ("gender", "female")."""


def age_of(labels: Mapping[str, Any]) -> int | None:
    """Years, where the labels say so."""
    try:
        return int(float(labels["age"]))
    except (KeyError, TypeError, ValueError, OverflowError):
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
    values = (labels.get(key) for key in keys)
    return next((str(value).replace("_", " ").lower() for value in values if value not in (None, "")), None)
