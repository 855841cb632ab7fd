"""How well each photo was reconstructed, and what that is on average for a group of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_container.evaluation.groups import groups_of
from backend_container.evaluation.identity import Recognition
from backend_container.evaluation.people import People
from backend_container.evaluation.reconstruction import signal_to_noise
from backend_container.evaluation.report import Group, Reconstruction


@dataclass(frozen=True, eq=False)
class Scores:
    """Of n reconstructions; None where the model that judges it is absent."""

    errors: NDArray[np.float64]
    """Mean squared errors, shape (n,)."""
    perceptual: NDArray[np.float64] | None
    recognition: Recognition | None
    same_person_below: float | None


def average(scores: Scores, rows: Sequence[int]) -> Reconstruction | None:
    """Means over some of the reconstructions; None over none."""
    if not len(rows):
        return None
    at = np.asarray(rows, np.intp)
    recognition = {} if scores.recognition is None else _recognition(scores.recognition, scores.same_person_below, at)
    return Reconstruction(
        count=len(rows),
        mse=float(scores.errors[at].mean()),
        psnr=float(signal_to_noise(scores.errors[at]).mean()),
        perceptual=None if scores.perceptual is None else float(scores.perceptual[at].mean()),
        **recognition,
    )


def _recognition(found: Recognition, threshold: float | None, at: NDArray[np.intp]) -> dict[str, float | None]:
    return {
        "identity": float(found.distances[at].mean()),
        "same_person": None if threshold is None else float((found.distances[at] < threshold).mean()),
        "rank_one": float(found.rank_one[at].mean()),
    }


def by_group(people: People, scores: Scores | None) -> list[Group]:
    """A row for each group of people that the photos' labels know."""
    read = groups_of(people.labels)
    return [
        Group(
            label=label,
            value=value,
            count=len(tried),
            readable=len(read.get((label, value), [])) / len(tried),
            reconstruction=average(scores, read.get((label, value), [])) if scores else None,
        )
        for (label, value), tried in groups_of(people.tried).items()
    ]
