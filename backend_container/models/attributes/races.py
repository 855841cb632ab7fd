"""Words for groups of people, as sets of photos write them. They are other people's opinions of faces. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

RACE = "race"
KEYS = (RACE, "ethnicity", "eth")
"""What sets of photos call the label."""
WIDER: Mapping[str, tuple[str, ...]] = {
    "east_asian": ("asian",),
    "southeast_asian": ("asian",),
    "latino": ("latino_hispanic", "other"),
    "latino_hispanic": ("other",),
    "middle_eastern": ("other",),
    "west_asian": ("middle_eastern", "other"),
}
"""The class of a word that is none itself: the first of these that there is. UTKFace's `other` holds Hispanic, Latino
and Middle Eastern people (Zhang, Song and Qi, 2017)."""


def race_class(word: object, classes: Sequence[str]) -> int | None:
    """The number of the class that a label's word belongs to; None where it belongs to none."""
    said, known = _plain(word), [_plain(name) for name in classes]
    return next((known.index(name) for name in (said, *WIDER.get(said, ())) if name in known), None)


def race_word(labels: Mapping[str, Any]) -> str:
    """What a face's labels say; empty where they say nothing."""
    return next((str(labels[key]) for key in KEYS if labels.get(key) not in (None, "")), "")


def _plain(word: object) -> str:
    return str(word).strip().lower().replace(" ", "_")
