"""The faces of a set of photos as an engine sees and renders them; what cannot be read is listed, never fatal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend_container.datasets.face import Broken
from backend_container.datasets.reference import Reference, read
from backend_container.evaluation.chunks import Tell
from backend_container.evaluation.groups import age_of
from backend_container.evaluation.report import LeftOut
from backend_container.faces import foreground
from backend_container.loading import Detector
from backend_container.models.engine import Engine, FaceBox, ModelError, Photo, Photos


@dataclass(frozen=True, eq=False)
class People:
    """n faces that were read, and the labels of all photos that were tried."""

    names: Sequence[str]
    people: Sequence[str]
    """Who is on each; the photo's name where nobody says."""
    labels: Sequence[Mapping[str, Any]]
    frames: Photos
    """As the engine frames them, shape (n, resolution, resolution, 3)."""
    made: Photos | None
    """Encoded and rendered again, the same shape; None where the engine has no encoder."""
    left_out: Sequence[LeftOut]
    tried: Sequence[Mapping[str, Any]]
    """Labels of all that were tried, those that were left out too."""
    not_made: str = ""
    """Why the engine cannot encode."""


def chosen(photos: Sequence[Reference], count: int, seed: int, least_age: int) -> list[Reference]:
    """At most `count` photos, drawn by the seed; none whose label says younger than `least_age` years."""
    ages = [age_of(photo.labels) for photo in photos]
    old_enough = [photo for photo, age in zip(photos, ages, strict=True) if age is None or age >= least_age]
    drawn = np.random.default_rng(seed).permutation(len(old_enough))[:count]
    return [old_enough[place] for place in sorted(drawn.tolist())]


def read_people(engine: Engine, detector: Detector, photos: Sequence[Reference], tell: Tell) -> People:
    """Frame, encode and render the largest face of each photo; only frame it where the engine has no encoder."""
    found: list[tuple[Reference, _Face]] = []
    left_out: list[LeftOut] = []
    for done, photo in enumerate(photos, 1):
        face = _face(engine, detector, photo)
        if isinstance(face, LeftOut):
            left_out.append(face)
        else:
            found.append((photo, face))
        tell("photos", done, len(photos))
    return _people(engine, photos, found, left_out)


@dataclass(frozen=True, eq=False)
class _Face:
    frame: Photo
    made: Photo | None
    not_made: str = ""


def _face(engine: Engine, detector: Detector, photo: Reference) -> _Face | LeftOut:
    image = read(photo)
    if isinstance(image, Broken):
        return LeftOut(name=photo.name, reason=image.reason)
    faces = foreground(detector.find(image.photo))
    if not faces:
        return LeftOut(name=photo.name, reason="No face was found.")
    face = max(faces, key=lambda face: face.area)
    try:
        return _reconstructed(engine, engine.frame(image.photo, face), image.photo, face)
    except ModelError as error:
        return LeftOut(name=photo.name, reason=error.detail)


def _reconstructed(engine: Engine, frame: Photo, photo: Photo, face: FaceBox) -> _Face:
    try:
        return _Face(frame, engine.synthesize(engine.encode(photo, face)[np.newaxis])[0])
    except ModelError as error:
        if error.slug != "weights-missing":
            raise
        return _Face(frame, None, error.detail)


def _people(
    engine: Engine,
    photos: Sequence[Reference],
    found: Sequence[tuple[Reference, _Face]],
    left_out: Sequence[LeftOut],
) -> People:
    made = [face.made for _, face in found if face.made is not None]
    none = np.empty((0, engine.resolution, engine.resolution, 3), np.uint8)
    return People(
        [photo.name for photo, _ in found],
        [str(photo.labels.get("id", photo.name)) for photo, _ in found],
        [photo.labels for photo, _ in found],
        np.stack([face.frame for _, face in found]) if found else none,
        np.stack(made) if made else (None if found else none),
        left_out,
        [photo.labels for photo in photos],
        next((face.not_made for _, face in found), ""),
    )
