"""The screen of real faces: identity, age, gender and landmarks, each by a network of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Hashable

import numpy as np

from backend_container.latent_cache import Recent
from backend_container.models.attributes.age_gender import AgeGender
from backend_container.models.engine import FaceBox, ModelError, Photo, Photos
from backend_container.models.identity import IdentityEmbedding, load_identity
from backend_container.models.landmarks import LEAST_PRESENCE, FaceMesh
from backend_container.models.looks import Looks
from backend_container.screening.looks import Screen

log = logging.getLogger(__name__)
FACE = (0.16, 0.16, 0.84, 0.88)
"""Left, top, right and bottom of the face in its frame, in shares of its side."""


class FaceScreen:
    """A `Screen`. Its networks take some 0.2 s of one core for a page of 16."""

    def __init__(
        self, identity: IdentityEmbedding, age_gender: AgeGender, mesh: FaceMesh, double_below: float | None = None
    ) -> None:
        """`double_below`: as measured of the engine; without it, what the embedding takes for the same person."""
        self._identity, self._age_gender, self._mesh = identity, age_gender, mesh
        self.double_below = identity.same_person_below if double_below is None else double_below
        self._known: Recent[Looks] = Recent()

    def look(self, frames: Photos) -> Looks:
        """At aligned faces of any size."""
        ages, male = self._age_gender.years_and_male(frames)
        clear = [self._mesh.presence(frame, _box(frame)) > LEAST_PRESENCE for frame in frames]
        return Looks(self._identity.embed(frames), male, ages, np.array(clear, bool))

    def remembered(self, key: Hashable, frame: Callable[[], Photo]) -> Looks:
        return self._known.get(key, lambda: self.look(frame()[np.newaxis]))

    def forget(self, names: Collection[str]) -> None:
        self._known.forget(names)


def load_screen(double_below: float | None = None, device: str = "cpu") -> Screen | None:
    """A `FaceScreen`; `double_below` is its engine's. None, and a line in the log, where a model part is
    not installed: pages are then made without flags."""
    try:
        return FaceScreen(load_identity(device), AgeGender(), FaceMesh(), double_below)
    except ModelError as error:
        log.warning("Fillers are not screened: %s", error.detail)
        return None


def _box(frame: Photo) -> FaceBox:
    left, top, right, bottom = (round(share * frame.shape[0]) for share in FACE)
    return FaceBox(left, top, right, bottom, 1.0)
