"""Fit the appearance model: `python -m backend_container.training.appearance --data DIR --out DIR`.

Every face counts as it is and mirrored. So every component is either symmetric or antisymmetric (the covariance
commutes with mirroring), and random faces can be drawn with less of what makes a face lopsided.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]
from scipy.spatial import Delaunay  # type: ignore[import-untyped]

from backend_container.models.appearance import mesh, planes, weights
from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.detail import Detail
from backend_container.models.appearance.finisher import WIDTHS, Finisher
from backend_container.models.appearance.model import AppearanceModel
from backend_container.models.appearance.population import Population
from backend_container.models.appearance.warp import Triangles, Vertices, warp
from backend_container.training.appearance_faces import REAL, SYNTHETIC, Faces, read_faces
from backend_container.training.in_a_sentence import in_a_sentence

log = logging.getLogger(__name__)

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Recipe:
    shape_components: int = 48
    texture_components: int = 320
    symmetric: float = 0.8
    """A latent's unit along symmetric components, in standard deviations of the data."""
    antisymmetric: float = 0.4
    """The same along antisymmetric ones: turned heads, lamps at one side, eyes of two sizes."""
    outside: float = 0.6
    """Weight of a pixel far from the face when components are chosen."""
    noise: float = 0.02
    """`AppearanceModel.noise`. Far above the residual's variance, as neighbouring pixels err together."""


DEFAULT = Recipe()
LEVEL = 0.75
"""Standard deviation, in latent units, to which the antisymmetric part of random faces' people is brought. Hair keeps
its own: evened, it would be half itself and half its mirror image.
"""
MEMBERS, STRAIGHT = 160, 0.75
"""People of each group whom random faces are blends of, at most; and the share of it that looks straight enough."""


@dataclass(frozen=True, eq=False)
class Warped:
    """n faces in the mean shape."""

    mean_shape: Vertices
    triangles: Triangles
    textures: Array
    """Shape (n, planes.COUNT)."""
    vertices: Array
    """Shape (n, N, 2)."""
    weights: Array
    """Shape (n,), summing to 1."""

    def take(self, rows: NDArray[np.intp]) -> Warped:
        total = self.weights[rows].sum()
        return replace(
            self, textures=self.textures[rows], vertices=self.vertices[rows], weights=self.weights[rows] / total
        )


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model, and the latents of the faces that it was fitted to, shape (n, D)."""

    model: AppearanceModel
    latents: Array
    inside: Array
    """The part of the latents that is the face and the shape, and not hair or clothes, shape (n, D)."""
    lopsided: NDArray[np.bool_]
    """Which latents are antisymmetric, shape (D,)."""


@dataclass(frozen=True, eq=False)
class _Parts:
    """Principal components of one parity: rows, standard deviations and the faces' coefficients."""

    basis: Array
    deviations: Array
    scores: Array


def warped(faces: Faces) -> Warped:
    """The faces in their mean shape, which is symmetric."""
    mean = (faces.weights[:, None, None] * (faces.vertices + mirrored(faces.vertices)) / 2).sum(0).astype(np.float32)
    triangles = triangulate(mean)

    def texture(image: NDArray[np.uint8], vertices: Vertices) -> Array:
        return planes.to_planes(warp(np.asarray(image / np.float32(255), np.float32), vertices, mean, triangles))

    with ThreadPoolExecutor() as pool:
        textures = np.stack(list(pool.map(texture, faces.images, faces.vertices)))
    return Warped(mean, triangles, textures, faces.vertices, faces.weights)


def mirrored(vertices: Array) -> Array:
    """Vertices of mirror images; each vertex takes the place of its counterpart, found on the average face."""
    flipped = vertices * np.array([-1, 1], np.float32) + np.array([SIZE, 0], np.float32)
    mean = vertices.mean(0)
    distance = np.square(mean[:, None] - flipped.mean(0)[None]).sum(2)
    counterpart = linear_sum_assignment(distance)[1]
    if not np.array_equal(counterpart[counterpart], np.arange(len(mean))):
        raise ValueError("the average face is too lopsided to tell which landmarks mirror each other; add faces")
    moved: Array = flipped[:, counterpart]
    return moved


def fit(faces: Warped, recipe: Recipe = DEFAULT) -> Fitted:
    """The appearance model of faces and their mirror images, without details.

    Raises ValueError when there are too few faces for the recipe's components.
    """
    metric = planes.over_planes(mesh.face_weights(faces.mean_shape, recipe.outside))
    even, odd = _parities(faces.textures, planes.mirrored(faces.textures))
    mean = faces.weights @ even
    textures = _components((even - mean) * metric, odd * metric, faces.weights, recipe.texture_components)
    even, odd = (_rows(part) for part in _parities(faces.vertices, mirrored(faces.vertices)))
    centre = faces.mean_shape.reshape(-1)
    shapes = _components(even - centre, odd, faces.weights, recipe.shape_components)
    loadings, latents, lopsided = _joint(shapes, textures, faces.weights, recipe)
    model = AppearanceModel(
        mean_shape=faces.mean_shape,
        triangles=faces.triangles,
        shape_basis=np.concatenate([part.basis for part in shapes]),
        mean_texture=mean,
        texture_basis=np.asarray(np.concatenate([part.basis for part in textures]) / metric, np.float32),
        loadings=loadings,
        noise=recipe.noise,
        detail=Detail(faces.mean_shape, np.empty((0, 2), np.int32), np.empty(0, np.float32)),
    )
    return Fitted(model, latents, _inside(model, faces, recipe), lopsided)


def _inside(model: AppearanceModel, faces: Warped, recipe: Recipe) -> Array:
    """Latents, shape (n, D), of the faces in their shapes with average hair."""
    return projected(model, (faces.textures - model.mean_texture) * face_shares(model), faces.vertices, recipe)


def face_shares(model: AppearanceModel) -> Array:
    """How much of each number of a texture is face and not hair or clothes, 0 to 1, shape (planes.COUNT,)."""
    everywhere = np.ones((SIZE, SIZE), np.float32)
    return planes.over_planes(mesh.face_weights(model.mean_shape, 0.0)) / planes.over_planes(everywhere)


def projected(model: AppearanceModel, differences: Array, vertices: Array, recipe: Recipe = DEFAULT) -> Array:
    """Latents, shape (n, D), of textures less the mean, shape (n, planes.COUNT), and vertices, as the fit has them."""
    metric = planes.over_planes(mesh.face_weights(model.mean_shape, recipe.outside))
    textures = differences @ (model.texture_basis * metric * metric).T
    shapes = _rows(vertices - model.mean_shape) @ model.shape_basis.T
    return np.asarray(np.concatenate([shapes, textures], axis=1) @ np.linalg.inv(model.loadings), np.float32)


def triangulate(vertices: Vertices) -> Triangles:
    """Delaunay triangles of a mean shape, int32, shape (t, 3)."""
    return np.asarray(Delaunay(vertices).simplices, np.int32)


def population(fitted: Fitted, faces: Faces, members: int = MEMBERS) -> Population:
    """Up to `members` synthetic people of each group, evened; nobody where no face is synthetic."""
    level = np.where(fitted.lopsided, LEVEL / fitted.latents.std(0), 1).astype(np.float32)
    names = sorted({group for group, synthetic in zip(faces.groups, faces.synthetic, strict=True) if synthetic})
    rows = [_members(faces, fitted, name)[:members] for name in names]
    groups = np.repeat(np.arange(len(rows), dtype=np.int32), [len(group) for group in rows])
    chosen = np.concatenate([np.empty(0, np.intp), *rows])
    inside = fitted.inside[chosen]
    return Population(inside * level, fitted.latents[chosen] - inside, groups)


def _members(faces: Faces, fitted: Fitted, group: str) -> NDArray[np.intp]:
    """Synthetic faces of a group without the most lopsided ones, the least lopsided first."""
    rows = np.flatnonzero(faces.synthetic & (np.array(faces.groups) == group))
    lopsidedness = np.square(fitted.latents[rows][:, fitted.lopsided]).sum(1)
    return np.asarray(rows[lopsidedness.argsort(kind="stable")][: max(2, round(STRAIGHT * len(rows)))])


def _parities(rows: Array, mirror: Array) -> tuple[Array, Array]:
    half = np.float32(0.5)
    return half * (rows + mirror), half * (rows - mirror)


def _components(even: Array, odd: Array, weights: Array, count: int) -> tuple[_Parts, _Parts]:
    """The `count` strongest principal components of rows and their mirror images, by parity."""
    parts = [_principal(rows, weights, count) for rows in (even, odd)]
    strength = np.concatenate([part.deviations for part in parts])
    if len(strength) < count:
        raise ValueError(f"{len(weights)} faces do not vary in {count} ways; add faces or take fewer components")
    least = np.sort(strength)[-count]
    kept = [int((part.deviations >= least).sum()) for part in parts]
    first, second = (
        _Parts(part.basis[:k], part.deviations[:k], part.scores[:, :k]) for part, k in zip(parts, kept, strict=True)
    )
    return first, second


def _principal(rows: Array, weights: Array, count: int) -> _Parts:
    """Principal components of weighted rows, by the Gram matrix.

    It is n x n, far smaller than d x d (Turk and Pentland, "Eigenfaces", 1991).
    """
    weighted = rows * np.sqrt(weights)[:, None]
    values, vectors = np.linalg.eigh((weighted @ weighted.T).astype(np.float64))
    order = values.argsort()[::-1][:count]
    order = order[values[order] > 1e-6 * values.max()]
    deviations = np.sqrt(values[order]).astype(np.float32)
    basis = (vectors[:, order].T.astype(np.float32) @ weighted) / deviations[:, None]
    return _Parts(basis, deviations, rows @ basis.T)


def _joint(
    shapes: tuple[_Parts, _Parts], textures: tuple[_Parts, _Parts], weights: Array, recipe: Recipe
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Loadings, shape (D, S + T), the faces' latents, and which latents are antisymmetric.

    Shape is weighed so that both vary equally (Cootes, Edwards and Taylor, section 2.1).
    """
    variance = [sum(float(np.square(part.deviations).sum()) for part in kind) for kind in (shapes, textures)]
    balance = float(np.sqrt(variance[1] / variance[0]))
    sizes = [part.basis.shape[0] for part in (*shapes, *textures)]
    starts = np.cumsum([0, *sizes])
    loadings, latents, strengths = [], [], []
    for parity, spread in enumerate((recipe.symmetric, recipe.antisymmetric)):
        joint = np.concatenate([balance * shapes[parity].scores, textures[parity].scores], axis=1).astype(np.float64)
        values, vectors = np.linalg.eigh((joint * weights[:, None]).T @ joint)
        deviations = spread * np.sqrt(np.maximum(values, 1e-4 * values.max(initial=0)))
        block = (vectors * deviations).T
        block[:, : sizes[parity]] /= balance
        rows = np.zeros((len(values), starts[-1]))
        rows[:, starts[parity] : starts[parity + 1]] = block[:, : sizes[parity]]
        rows[:, starts[2 + parity] : starts[3 + parity]] = block[:, sizes[parity] :]
        loadings.append(rows)
        latents.append(joint @ vectors / deviations)
        strengths.append(values)
    order = np.concatenate(strengths).argsort()[::-1]
    lopsided = np.repeat([False, True], [len(values) for values in strengths])[order]
    stacked = np.concatenate(loadings)[order].astype(np.float32)
    return np.ascontiguousarray(stacked), np.concatenate(latents, axis=1)[:, order].astype(np.float32), lopsided


def _rows(array: Array) -> Array:
    return array.reshape(len(array), -1)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Fit the appearance model; the finisher starts as the identity.")
    parser.add_argument("--data", type=Path, required=True, help="directory of aligned sets")
    parser.add_argument("--sets", nargs="+", default=[REAL, SYNTHETIC], help="names of the sets in it")
    parser.add_argument("--out", type=Path, required=True, help="weights directory to write")
    parser.add_argument("--shape-components", type=int, default=DEFAULT.shape_components)
    parser.add_argument("--texture-components", type=int, default=DEFAULT.texture_components)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with in_a_sentence():
        _fit(options)
    log.info("wrote %s; now train its finisher: python -m backend_container.training.finisher", options.out)


def _fit(options: argparse.Namespace) -> None:
    faces, _ = read_faces(options.data, options.sets)
    log.info("fitting %d faces and their mirror images", len(faces.images))
    fitted = fit(warped(faces), Recipe(options.shape_components, options.texture_components))
    weights.save(options.out, weights.Weights(fitted.model, population(fitted, faces), Finisher(WIDTHS), WIDTHS))


if __name__ == "__main__":
    main()
