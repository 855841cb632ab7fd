"""Faces like a given one: the face moved towards other people's, with the hair of one who looks alike. Pure NumPy.

A ball around a latent holds hair that is an average of everybody's, and directions in which nobody differs. Here the
face moves as `population` draws: towards a blend of two of the people who resemble it most. The step is that of a
preconditioned Crank-Nicolson proposal (Cotter et al., Statistical Science 28(3), 2013), which keeps the variance: at
the largest radius a filler is a random face of those people, and nearer ones are as far from the average as people are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from backend_container.models.appearance import regions
from backend_container.models.appearance.complexion import Complexion
from backend_container.models.appearance.grid_textures import GridTextures
from backend_container.models.appearance.model import AppearanceModel
from backend_container.models.appearance.population import FIRST, SECOND, Population
from backend_container.models.appearance.resemblance import Resemblance
from backend_container.models.sampling import LIMIT, Growth, at_least, stream

Array = NDArray[np.float32]
NEAREST, MORE, MOST = 32, 16, 128
"""People of whom page 1 is made, who come to them with each page, and of whom a page is made at most."""


@dataclass(frozen=True, eq=False)
class Fillers:
    """Draws fillers among M people, whose latents are known."""

    textures: GridTextures
    people: Array
    """Shape (M, D)."""
    cut: Array
    """What of components is the face, and the shape: a map, shape (D, D)."""
    faces: Array
    """Of the people, shape (M, D)."""
    resemblance: Resemblance

    @classmethod
    def of(cls, model: AppearanceModel, population: Population) -> Self | None:
        """None where there are no people: then a ball has to do."""
        if not len(population.faces):
            return None
        textures = GridTextures(model)
        people = population.faces + population.hair
        cut = textures.cut(regions.face(model.mean_shape))
        faces = np.asarray(people @ cut, np.float32)
        return cls(textures, people, cut, faces, Resemblance.learnt(textures, people, faces, population.groups))

    def draw(self, latent: Array, page: int, count: int, seed: int, growth: Growth) -> Array:
        """Components of `count` faces like that of components, shape (D,), less alike with each page; (count, D).

        The nth of a page depends on (seed, page, n) alone. Its hair is another person's than that of the others of its
        page, until there are more of them than people on the page; m people make m (m - 1) fillers.

        Raises ValueError as `sampling.neighbours`.
        """
        at_least(1, page=page, count=count)
        order = self._order(latent, page, seed)
        face = self.face(latent)
        kept = 1 - min(growth.radius(page), 1.0) ** 2
        centre = self.faces[order].mean(0)
        start, others = centre + kept * (face - centre), np.sqrt(1 - kept**2) * (self.faces[order] - centre)
        drawn = (start + _blend(others, n, stream(seed, page, n % len(others))) for n in range(count))
        return np.stack([self._worn(one, int(order[n % len(order)])) for n, one in enumerate(drawn)])

    def lenders(self, latent: Array, page: int, count: int, seed: int) -> NDArray[np.intp]:
        """Whose hair each filler of `draw` wears, shape (count,)."""
        return np.resize(self._order(latent, page, seed), count)

    def _order(self, latent: Array, page: int, seed: int) -> NDArray[np.intp]:
        """The people of a page, in the order in which they lend their hair."""
        near = self.resemblance.ranks(latent, self.face(latent))[: min(NEAREST + MORE * (page - 1), MOST)]
        return np.asarray(stream(seed, page).permutation(near), np.intp)

    def face(self, latent: Array) -> Array:
        """Components of what is the face, shape (D,), held within what faces of the people are (`sampling.LIMIT`)."""
        low, high = self._domain
        return np.asarray(np.clip(latent @ self.cut, low, high), np.float32)

    def _worn(self, face: Array, person: int) -> Array:
        """The face with a person's hair, whose ears and neck take its tone."""
        own, whole = self.faces[person], self.people[person]
        face_tone, own_tone = (self._complexion.tone(self.textures.of(one)) for one in (face, own))
        skin = self._complexion.shift(self.textures.of(whole), face_tone - own_tone)
        return np.asarray(face + (whole - own) + skin, np.float32)

    @cached_property
    def _domain(self) -> tuple[Array, Array]:
        centre, reach = self.faces.mean(0), LIMIT * self.faces.std(0)
        return centre - reach, centre + reach

    @cached_property
    def _complexion(self) -> Complexion:
        return Complexion(self.textures)


def _blend(others: Array, n: int, random: np.random.Generator) -> Array:
    """Of the nth of m differences, shape (m, D), and one of the others; round n // m takes another one each time.

    `random` is of n modulo m.
    """
    first = n % len(others)
    second = first + 1 + (int(random.integers(len(others) - 1)) + n // len(others)) % (len(others) - 1)
    return np.asarray(FIRST * others[first] + SECOND * others[second % len(others)], np.float32)
