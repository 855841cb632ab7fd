"""Drawing latents: faces around a face, page by page, and the way from one face to another. NumPy only, no effects.

Every point has a random stream of its own, keyed by (seed, ..., n). So the nth point never depends on how many are
asked for, and pages do not repeat each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from backend_container.models.engine import Latents, Space

Points = NDArray[np.float32]
"""n points of a d-dimensional space, float32, shape (n, d)."""


@dataclass(frozen=True)
class Growth:
    """How the ball around a face grows from page to page.

    Unit: the typical distance of two unrelated faces, sqrt(2 d) standard deviations in d dimensions. It keeps its
    meaning whatever the dimension is; a number of standard deviations would not, because nearly all of a ball's volume
    lies at its radius, spread over all d directions.
    """

    first: float = 0.3
    """Page 1: alike but nobody's double, 0.4 standard deviations off along each direction."""
    step: float = 0.1
    """Added by each further page: page 8 reaches as far as an unrelated face."""
    last: float = 2.0
    """No page grows beyond this."""
    measured: tuple[float, ...] = ()
    """Radii of the first pages of one model, at which identities were measured to move away in equal steps
    (`page_growth`); further pages go on from the last of them."""

    def __post_init__(self) -> None:
        if list(self.measured) != sorted(self.measured) or not all(0 <= radius < math.inf for radius in self.measured):
            raise ValueError(f"measured radii are finite, 0 or more, and never shrink; not {self.measured}")

    def radius(self, page: int) -> float:
        """Of a page (1, 2, ...), in the unit above."""
        if page <= len(self.measured):
            return self.measured[page - 1]
        begin, pages = (self.measured[-1], len(self.measured)) if self.measured else (self.first, 1)
        return max(begin, min(begin + self.step * (page - pages), self.last))


DEFAULT_GROWTH = Growth()


@dataclass(frozen=True)
class Page:
    """Which fillers are asked for. The nth of them depends on the seed, the number and n alone, whatever `count` is."""

    number: int
    """1, 2, ...: later ones are less alike."""
    count: int
    seed: int
    growth: Growth = DEFAULT_GROWTH


LIMIT = 2.0
"""Standard deviations between the average face and a neighbour along any one direction, at most."""


def page_radius(page: int, dimension: int, growth: Growth = DEFAULT_GROWTH) -> float:
    """Radius of a page's ball, in standard deviations; never shrinks as `page` (1, 2, ...) grows.

    Raises ValueError on a page or dimension below 1.
    """
    at_least(1, page=page, dimension=dimension)
    return growth.radius(page) * math.sqrt(2 * dimension)


def normal(seed: int, *key: int, count: int, dimension: int) -> Points:
    """`count` points of the standard normal distribution; the nth depends on (seed, key, n) alone.

    Raises ValueError when the count or a part of the key is negative, or the dimension is below 1.
    """
    at_least(0, count=count)
    at_least(1, dimension=dimension)
    points = [stream(seed, *key, n).standard_normal(dimension, dtype=np.float32) for n in range(count)]
    return np.asarray(points, np.float32).reshape(count, dimension)


def ball(seed: int, *key: int, centre: NDArray[np.float32], radius: float, count: int) -> Points:
    """`count` points spread uniformly inside the d-ball around `centre`, shape (count, d) (thesis, section 3.4.5).

    A normal vector divided by its length is uniform on the sphere (Muller, "A note on a method for generating points
    uniformly on n-dimensional spheres", CACM 2(4), 1959); U^(1/d) times the radius then gives equal volumes equal
    chances, as the share of the ball within r is (r / radius)^d.

    Raises ValueError when a part of the key is negative, the radius negative or not finite, or count below 1.
    """
    at_least(1, count=count)
    if not 0 <= radius < math.inf:
        raise ValueError(f"the radius is a finite number of 0 or more, not {radius}")
    return np.stack([centre + radius * _unit_ball_point(stream(seed, *key, n), centre.size) for n in range(count)])


def neighbours(space: Space, latent: NDArray[np.float32], page: Page) -> Latents:
    """Latents of a page of faces like `latent` (shape latent_shape).

    It is `Engine.neighbours` of engines that know no people. They are drawn in the ball around the face's place in the
    subspace and lifted back. What the subspace leaves out of the latent is left out of its neighbours too, as the
    thesis does (section 3.4.5): those are the directions along which a photo leaves the faces that the model knows, and
    passing them on would give every filler of a lineup the same flaws and the suspect's own peculiarities.

    Face and neighbours are held within `LIMIT` along each direction, the allowable domain of Cootes et al. ("Active
    Shape Models", CVIU 61(1), 1995). A photo unlike those that the model learnt from lies far outside along the many
    weak directions; there a page's step would change nothing, and each neighbour would be its double, flaws included.
    And far pages, whose steps add to the face's own distance, would hold nobody whom one could meet. The domain is
    convex and holds the centre, so holding a neighbour within it takes it no farther from the centre.

    The nth of a page depends on (seed, number, n) alone, to the byte. Raises ValueError as `ball` and `page_radius` do.
    """
    centre = _allowable(space.project(latent[np.newaxis]))[0]
    radius = page_radius(page.number, space.dimension, page.growth)
    points = _allowable(ball(page.seed, page.number, centre=centre, radius=radius, count=page.count))
    # One by one: a matrix product of another height may round differently.
    return np.concatenate([space.lift(point[np.newaxis]) for point in points])


def interpolate(start: NDArray[np.float32], end: NDArray[np.float32], count: int) -> Latents:
    """`count` latents on the straight line from `start` to `end`, both included to the byte (thesis, section 5.3).

    Raises ValueError when count is below 2 or the shapes differ.
    """
    at_least(2, count=count)
    if start.shape != end.shape:
        raise ValueError(f"two latents of one engine are needed; these have the shapes {start.shape} and {end.shape}")
    share = np.linspace(0, 1, count, dtype=np.float32).reshape(-1, *[1] * start.ndim)
    # Not start + share * (end - start): that misses the end by a rounding.
    return (1 - share) * start + share * end


def stream(seed: int, *key: int) -> np.random.Generator:
    """The random stream of a key. Raises ValueError when a part of it is negative."""
    at_least(0, seed=seed, **{f"key {place}": part for place, part in enumerate(key)})
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def _unit_ball_point(stream: np.random.Generator, dimension: int) -> NDArray[np.float32]:
    direction = stream.standard_normal(dimension)
    length: float = stream.random() ** (1 / dimension)
    return (direction * (length / np.linalg.norm(direction))).astype(np.float32)


def _allowable(points: Points) -> Points:
    held: Points = np.clip(points, -LIMIT, LIMIT)
    return held


def at_least(least: int, **numbers: int) -> None:
    """Raises ValueError, which names it, when a number is smaller."""
    for name, number in numbers.items():
        if number < least:
            raise ValueError(f"{name} must be {least} or more, not {number}")
