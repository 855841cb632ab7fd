"""The tone of skin: what brings ears and neck to the tone of another face. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_container.models.appearance import regions
from backend_container.models.appearance.grid_textures import GridTextures, shares
from backend_container.models.appearance.planes import HALF

Array = NDArray[np.float32]
LUMA = HALF * HALF
QUARTER = HALF // 2
COLOURED = LUMA + QUARTER * QUARTER
ALIKE = np.array([0.25, 0.05, 0.05])
"""Differences from the cheeks in brightness, blue and red at which a pixel is skin by 1 / e: light changes brightness
much, and the tone little."""


@dataclass(frozen=True, eq=False)
class Complexion:
    """Tones are brightness, blue less brightness and red less brightness of the cheeks, shape (3,)."""

    textures: GridTextures

    def tone(self, texture: Array) -> Array:
        """Of a texture, shape (GRID,)."""
        return np.array([part @ share for part, share in zip(_parts(texture), self._cheeks, strict=True)], np.float32)

    @cached_property
    def lightness(self) -> Array:
        """What a unit of each component adds to the tone's brightness, shape (D,)."""
        units = np.eye(self.textures.model.components, dtype=np.float32)
        added = self.textures.of(units)[:, :LUMA] - self.textures.of(units[0] * 0)[:LUMA]
        return np.asarray(added @ self._cheeks[0], np.float32)

    def shift(self, person: Array, change: Array) -> Array:
        """Components, shape (D,), that change the tone of a person's skin outside of the face.

        `person` is the texture of the whole person, shape (GRID,).
        """
        skin = self._skin(person)
        coarse = cv2.resize(skin, (QUARTER, QUARTER), interpolation=cv2.INTER_AREA).reshape(-1)
        changed = [skin.reshape(-1) * change[0], coarse * change[1], coarse * change[2]]
        return self.textures.components(np.concatenate(changed).astype(np.float32) * self._outside)

    def _skin(self, person: Array) -> Array:
        """How much of each pixel is skin, 0 to 1, shape (HALF, HALF)."""
        light, *colours = _parts(person)
        wide = [cv2.resize(colour.reshape(QUARTER, QUARTER), (HALF, HALF)) for colour in colours]
        unlike = np.stack([light.reshape(HALF, HALF), *wide], axis=-1) - self.tone(person)
        return np.asarray(cv2.GaussianBlur(np.exp(-np.square(unlike / ALIKE).sum(2)), (0, 0), 0.7), np.float32)

    @cached_property
    def _cheeks(self) -> list[Array]:
        return [part / part.sum() for part in _parts(shares(regions.cheeks(self.textures.model.mean_shape)))]

    @cached_property
    def _outside(self) -> Array:
        return 1 - shares(regions.face(self.textures.model.mean_shape))


def _parts(texture: Array) -> tuple[Array, Array, Array]:
    """Brightness, blue and red of a texture, shape (GRID,)."""
    return texture[:LUMA], texture[LUMA:COLOURED], texture[COLOURED:]
