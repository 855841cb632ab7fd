"""Faces like a given one: the face moved towards other people's, with the hair of one who looks alike. Pure NumPy.

A ball around a latent holds hair that is an average of everybody's, and directions in which nobody differs. Here the
face moves as `population` draws: towards a blend of two of the people who resemble it most. The step is that of a
preconditioned Crank-Nicolson proposal (Cotter et al., Statistical Science 28(3), 2013), which keeps the variance: at
the largest radius a filler is a random face of those people, and nearer ones are as far from the average as people are.
Of the many fillers that are possible a page takes those of whom it is foreseen that they fit (`choice`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from backend_container.models.appearance import regions
from backend_container.models.appearance.casting import Around, Casting, Pairs, unchosen
from backend_container.models.appearance.choice import other_gender
from backend_container.models.appearance.complexion import Complexion
from backend_container.models.appearance.foresight import Foresight
from backend_container.models.appearance.grid_textures import GridTextures
from backend_container.models.appearance.model import AppearanceModel
from backend_container.models.appearance.population import Population
from backend_container.models.appearance.resemblance import Resemblance
from backend_container.models.sampling import LIMIT, Page, at_least, stream

Array = NDArray[np.float32]
NEAREST, MORE, MOST = 32, 16, 128
"""Without foresight: people of whom page 1 is made, who come to them with each page, and most of whom one is made."""
AMONG = 56
"""With foresight: people of whom any page is made. So its radius alone says how far away it is."""
GENDER = 1.5
"""How much the other gender counts beside how unlike people are, where the suspect's is told."""
SLACK, OLDEST = 5.0, 3.0
"""Years that a suspect is older than the fillers would be, before these are made older; and by how many deviations of
people's faces they are, at most: beyond, they are no faces that one meets."""


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
    foresight: Foresight | None = None

    @classmethod
    def of(cls, model: AppearanceModel, population: Population, foresight: Foresight | None = None) -> Self | None:
        """None where there are no people: then a ball has to do."""
        if not len(population.faces):
            return None
        textures = GridTextures(model)
        people = population.faces + population.hair
        cut = textures.cut(regions.face(model.mean_shape))
        faces = np.asarray(people @ cut, np.float32)
        resemblance = Resemblance.learnt(textures, people, faces, population.groups)
        return cls(textures, people, cut, faces, resemblance, foresight)

    def draw(self, latent: Array, page: Page, suspect: Array | None = None) -> tuple[Array, NDArray[np.intp]]:
        """Components of a page of faces like that of components, shape (D,), shape (count, D); and whose hair each
        wears, shape (count,).

        `suspect` is what is seen of the face (`foresight.numbers`); without it, what is foreseen. The nth of a page
        depends on latent, suspect and (seed, number, n) alone. Its hair is another person's than that of the others of
        its page, as long as there are people who fit.

        Raises ValueError as `sampling.neighbours`.
        """
        at_least(1, page=page.number, count=page.count)
        radius = page.growth.radius(page.number)
        if self.foresight is None:
            near = self._near(latent, min(NEAREST + MORE * (page.number - 1), MOST))
            order = np.asarray(stream(page.seed, page.number).permutation(near), np.intp)
            around = self._around(latent, order, radius)
            pairs = unchosen(len(order), page.count, page.seed, page.number)
        else:
            seen = self.foresight.of(latent) if suspect is None else suspect
            unfit = GENDER * other_gender(self.foresight.of(self.people), seen)
            order = self._near(latent, AMONG, unfit)
            casting = self._casting(self.foresight, latent, order, radius, seen)
            around, pairs = casting.around, casting.pairs(page.count, radius, page.seed, page.number)
        return self._dressed(around, order, pairs), order[pairs[:, 0]]

    def face(self, latent: Array) -> Array:
        """Components of what is the face, shape (D,), held within what faces of the people are (`sampling.LIMIT`)."""
        low, high = self._domain
        return np.asarray(np.clip(latent @ self.cut, low, high), np.float32)

    def _near(self, latent: Array, people: int, unfit: Array | float = 0.0) -> NDArray[np.intp]:
        """So many people, the most alike first. How little each fits, shape (M,), counts as far as it is given."""
        return self.resemblance.ranks(latent, self.face(latent), unfit)[:people]

    def _around(self, latent: Array, order: NDArray[np.intp], radius: float) -> Around:
        faces, kept = self.faces[order], 1 - min(radius, 1.0) ** 2
        centre = faces.mean(0)
        start = centre + kept * (self.face(latent) - centre)
        return Around(np.asarray(start, np.float32), np.asarray(np.sqrt(1 - kept**2) * (faces - centre), np.float32))

    def _casting(
        self, foresight: Foresight, latent: Array, order: NDArray[np.intp], radius: float, seen: Array
    ) -> Casting:
        around, hair = self._around(latent, order, radius), (self.people - self.faces)[order]
        years = float(seen[-1] - foresight.of(around.start + hair.mean(0))[-1])
        aged = Around(around.start + self._older(foresight, years), around.others)
        return Casting(foresight, aged, hair, seen, self.face(latent), self._complexion.lightness)

    def _older(self, foresight: Foresight, years: float) -> Array:
        """What makes a face so many years older, as far as people's faces vary, shape (D,)."""
        along = self._covariance @ foresight.years
        a_deviation = float(np.sqrt(foresight.years @ along))
        deviations = np.clip((years - SLACK) / a_deviation, 0, OLDEST)
        return np.asarray(deviations / a_deviation * along, np.float32)

    def _dressed(self, around: Around, order: NDArray[np.intp], pairs: Pairs) -> Array:
        return np.stack([self._worn(around.face(*pair), int(order[pair[0]])) for pair in pairs.tolist()])

    def _worn(self, face: Array, person: int) -> Array:
        """The face with a person's hair, whose ears and neck take its tone."""
        own, whole = self.faces[person], self.people[person]
        face_tone, own_tone = (self._complexion.tone(self.textures.of(one)) for one in (face, own))
        skin = self._complexion.shift(self.textures.of(whole), face_tone - own_tone)
        return np.asarray(face + (whole - own) + skin, np.float32)

    @cached_property
    def _covariance(self) -> Array:
        return np.asarray(np.cov(self.faces.T), np.float32)

    @cached_property
    def _domain(self) -> tuple[Array, Array]:
        centre, reach = self.faces.mean(0), LIMIT * self.faces.std(0)
        return centre - reach, centre + reach

    @cached_property
    def _complexion(self) -> Complexion:
        return Complexion(self.textures)
