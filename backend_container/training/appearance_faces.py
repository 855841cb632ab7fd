"""The faces that the appearance model is fitted to: sets joined, groups balanced, people held out, backgrounds even.

Nothing of a lamp or a wall shall become a property of a person: the frames are brought to one light (CC BY sets) and
cut out (`appearance_matte`) onto one grey.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_container.datasets.aligned_faces import AlignedFaces, read_aligned_faces
from backend_container.models.appearance import mesh
from backend_container.models.appearance.align import SIZE, WHITE, whiten
from backend_container.models.engine import Photo
from backend_container.models.landmarks import Points
from backend_container.training.appearance_matte import BACKGROUND_LOST, cut_out, matte

Array = NDArray[np.float32]

REAL, SYNTHETIC = "ccby_faces_128", "synthetic_faces_128"
MOST = 600
"""Faces taken of one group at most."""
FULL = 100
"""A group of so many faces counts as much as any other; a smaller one in proportion."""
HELD_OUT = 15
"""People of each synthetic group that no step sees, to measure."""
LUMINANCE = np.array([0.299, 0.587, 0.114])
CHEEKS = (50, 280, 101, 330, 118, 347, 205, 425, 4, 151)
"""Landmarks on bare skin: cheeks, nose and forehead."""
PALEST, PER_LEVEL, TOLERANCE = 0.566, -0.0017, 0.04
"""Saturation of skin before a whitened background: the line over its luminance (r = -0.76) in the London set, whose
lamps were neutral, and what is let through above the line."""


@dataclass(frozen=True, eq=False)
class Faces:
    """n prepared faces."""

    images: NDArray[np.uint8]
    """Shape (n, SIZE, SIZE, 3)."""
    vertices: Array
    """Shape (n, N, 2)."""
    people: list[str]
    groups: list[str]
    """Ethnicity and gender as the set labels them."""
    synthetic: NDArray[np.bool_]
    """Whether nobody is shown, shape (n,)."""

    def take(self, rows: NDArray[np.intp]) -> Faces:
        return Faces(
            self.images[rows],
            self.vertices[rows],
            [self.people[row] for row in rows],
            [self.groups[row] for row in rows],
            self.synthetic[rows],
        )

    @property
    def weights(self) -> Array:
        """Weight of each face, shape (n,), summing to 1: groups of FULL faces or more count alike."""
        sizes = Counter(self.groups)
        weights = np.array([min(1.0, sizes[group] / FULL) / sizes[group] for group in self.groups])
        return np.asarray(weights / weights.sum(), np.float32)


def prepare(aligned: AlignedFaces, synthetic: bool) -> Faces:
    """Frames cut out and evened, with mesh vertices. A synthetic face whose background cannot be told is left out."""
    with ThreadPoolExecutor() as pool:
        prepared = list(pool.map(_prepared, aligned.frames, aligned.points, [synthetic] * len(aligned.frames)))
    kept = [row for row, (_, lost) in enumerate(prepared) if not synthetic or lost <= BACKGROUND_LOST]
    return Faces(
        np.stack([prepared[row][0] for row in kept]),
        np.stack([mesh.vertices(aligned.points[row]) for row in kept]),
        [str(aligned.labels[row].get("id", aligned.labels[row]["file"])) for row in kept],
        [_group(aligned.labels[row]) for row in kept],
        np.full(len(kept), synthetic),
    )


def balanced(faces: Faces, seed: int = 0) -> tuple[Faces, Faces]:
    """At most MOST faces of each group; and HELD_OUT others of each synthetic group."""
    order = np.random.default_rng(seed).permutation(len(faces.people))
    held = _first(faces, order[faces.synthetic[order]], HELD_OUT)
    rest = order[~np.isin(order, held)]
    return faces.take(np.sort(_first(faces, rest, MOST))), faces.take(np.sort(held))


def read_faces(directory: Path, sets: Sequence[str] = (REAL, SYNTHETIC)) -> tuple[Faces, Faces]:
    """The prepared faces of sets of a directory: to fit, and held out."""
    fitted, held = zip(
        *(balanced(prepare(read_aligned_faces(directory, name), name == SYNTHETIC)) for name in sets), strict=True
    )
    return join(fitted), join(held)


def join(parts: Sequence[Faces]) -> Faces:
    return Faces(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.vertices for part in parts]),
        [person for part in parts for person in part.people],
        [group for part in parts for group in part.groups],
        np.concatenate([part.synthetic for part in parts]),
    )


def untint(frame: Photo, points: Points) -> Photo:
    """The frame with paler colours, if its skin is more saturated than neutral lamps show skin as bright."""
    columns, rows = np.clip(points[list(CHEEKS)], 0, SIZE - 1).astype(np.intp).T
    skin = np.median(frame[rows, columns], axis=0)
    saturation = (skin.max() - skin.min()) / max(skin.max(), 1.0)
    natural = PALEST + PER_LEVEL * float(skin @ LUMINANCE) + TOLERANCE
    if saturation <= natural:
        return frame
    grey = (frame @ LUMINANCE)[..., None]
    return np.asarray(grey + natural / saturation * (frame - grey) + 0.5, np.uint8)


def _prepared(frame: Photo, points: Points, synthetic: bool) -> tuple[Photo, float]:
    even = frame if synthetic else untint(whiten(frame), points)
    alpha, lost = matte(even, points)
    return (cut_out(even, alpha, WHITE), lost) if lost <= BACKGROUND_LOST else (even, lost)


def _first(faces: Faces, order: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """The first `count` rows of each group in this order."""
    seen: Counter[str] = Counter()
    chosen = []
    for row in order.tolist():
        seen[faces.groups[row]] += 1
        chosen += [row] if seen[faces.groups[row]] <= count else []
    return np.array(chosen, np.intp)


def _group(label: dict[str, object]) -> str:
    return f"{label.get('eth') or 'unlabelled'}, {label.get('gender') or 'unlabelled'}"
