"""Which of the engine's people does a face resemble? In hair, skin and head, and in what tells their groups apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from backend_container.models.appearance import regions
from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.grid_textures import GridTextures, shares

Array = NDArray[np.float32]
HELD = 2.5
"""Standard deviations to which a latent is held before it is compared: a photo's background can be anything."""
PLAIN = 0.08
"""Deviation of the upper corners from the people's background, in shares of white, at which hair beside the face
counts 1 / e: before another background nobody can tell hair from it."""
UNTIDY = 3.0
"""Times the usual deviation of the corners, beyond which a person lends nobody hair: it belongs to a turned head."""
STAIN, STAINED = (0.5, 0.78), 0.3
"""Brightness of an edge between that of hair and of the wall, and the share of it from which a person lends nobody
hair: `backdrop.even` takes such stains for clothes, and a filler with them stands out. They are 18 of 903 people."""
RIDGE = 2.0
"""Of each direction's variance within groups, so much is added to it: photos leave what the people vary in."""


@dataclass(frozen=True, eq=False)
class Look:
    """Numbers, linear in the latent, and those of each person; in units of all people's spread."""

    onto: Array
    """Shape (D, n)."""
    people: Array
    """Shape (M, n)."""

    @classmethod
    def of(cls, latents: Array, onto: Array, spread: float) -> Self:
        return cls(onto / spread, latents @ onto / spread)

    def distances(self, latent: Array) -> Array:
        """Squared, of each person, shape (M,)."""
        return np.asarray(np.square(self.people - latent @ self.onto).sum(1), np.float32)


@dataclass(frozen=True, eq=False)
class Resemblance:
    """Ranks people whose latents are known, shape (M, D)."""

    textures: GridTextures
    head: Look
    sides: Look
    kind: Look
    """Of faces: what tells groups apart."""
    background: Array
    """The usual corners, shape (c,)."""
    tidy: NDArray[np.bool_]

    @classmethod
    def learnt(cls, textures: GridTextures, people: Array, faces: Array, groups: NDArray[np.int32]) -> Self:
        """Of people's latents and their faces, shape (M, D) each, and groups 0 to G - 1, shape (M,)."""
        mean = textures.model.mean_shape
        maps = [textures.look(region(mean)) for region in (regions.head, regions.sides)]
        spread = _spread(*(people @ onto for onto in maps))
        head, sides = (Look.of(people, onto, spread) for onto in maps)
        telling = discriminants(faces, groups)
        corners = _corners(textures, people)
        usual = np.median(corners, axis=0)
        deviations = _deviation(corners, usual)
        tidy = (deviations <= UNTIDY * np.median(deviations)) & (_stains(textures, people) <= STAINED)
        return cls(textures, head, sides, Look.of(faces, telling, _spread(faces @ telling)), usual, tidy)

    def ranks(self, latent: Array, face: Array, unfit: Array | float = 0.0) -> NDArray[np.intp]:
        """People who can lend hair, the most alike first, of components, shape (D,), and the face in them.

        `unfit` is added to how unlike each of them is, shape (M,).
        """
        held = np.clip(latent, -HELD, HELD)
        unlike = (
            self.head.distances(held) + self._plain(latent) * self.sides.distances(held) + self.kind.distances(face)
        )
        order = (unlike + unfit).argsort(kind="stable")
        return order[self.tidy[order]]

    def _plain(self, latent: Array) -> float:
        """1 before the people's own background, near 0 before any other."""
        corners = _corners(self.textures, latent[np.newaxis])
        return float(np.exp(-np.square(_deviation(corners, self.background)[0] / PLAIN)))


def discriminants(faces: Array, groups: NDArray[np.int32]) -> Array:
    """Directions that tell groups apart, shape (D, G - 1), in standard deviations within groups (Fisher, "The Use of
    Multiple Measurements in Taxonomic Problems", Annals of Eugenics 7(2), 1936; regularised as Friedman, "Regularized
    Discriminant Analysis", JASA 84, 1989).
    """
    centres = np.stack([faces[groups == group].mean(0) for group in range(int(groups.max()) + 1)]).astype(np.float64)
    left = faces - centres[groups]
    within = left.T @ left / len(faces)
    variance = np.diag(within) + 1e-6
    whiten = np.linalg.cholesky(np.linalg.inv(within + RIDGE * np.diag(variance)))
    directions = np.linalg.svd(whiten.T @ (centres - centres.mean(0)).T, full_matrices=False)[0]
    return np.asarray(whiten @ directions[:, : len(centres) - 1], np.float32)


def _spread(*looks: Array) -> float:
    """Root of the total variance of people's numbers, above 0."""
    return float(np.sqrt(sum(look.var(axis=0).sum() for look in looks))) or 1.0


def _corners(textures: GridTextures, latents: Array) -> Array:
    return textures.of(latents, shares(regions.corners()) > 0.5)


def _stains(textures: GridTextures, latents: Array) -> Array:
    """Share of the edges that is neither hair nor wall, shape (n,)."""
    brightness = np.arange(textures.of(latents[0]).size) < (SIZE // 2) ** 2
    edges = textures.of(latents, brightness & (shares(regions.edges()) > 0.5))
    return np.asarray(((edges > STAIN[0]) & (edges < STAIN[1])).mean(1), np.float32)


def _deviation(corners: Array, usual: Array) -> Array:
    return np.asarray(np.sqrt(np.square(corners - usual).mean(1)), np.float32)
