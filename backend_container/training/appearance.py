"""Fit the appearance model: `python -m backend_container.training.appearance --data DIR --out DIR`.

Every face is taken twice, as it is and mirrored. So every component is either symmetric or antisymmetric (the
covariance commutes with mirroring), and random faces can be drawn with less of what makes a face lopsided.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay  # type: ignore[import-untyped]

from backend_container.datasets.aligned_faces import AlignedFaces, read_aligned_faces
from backend_container.models.appearance import mesh, weights
from backend_container.models.appearance.align import SIZE, whiten
from backend_container.models.appearance.finisher import WIDTHS, Finisher
from backend_container.models.appearance.model import AppearanceModel
from backend_container.models.appearance.warp import Triangles, Vertices, warp
from backend_container.models.engine import Photo
from backend_container.models.landmarks import Points

log = logging.getLogger(__name__)

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Recipe:
    shape_components: int = 24
    texture_components: int = 120
    symmetric: float = 0.8
    """Standard deviations of random faces along symmetric components, in units of the data's."""
    antisymmetric: float = 0.4
    """The same along antisymmetric ones: turned heads, lamps at one side, eyes of two sizes."""
    noise: float = 0.1
    """`AppearanceModel.noise`. Far above the residual's variance, as neighbouring pixels err together: against 0.001 it
    shortens the latents of unseen people by a fifth and costs their faces 5 % more L1.
    """


DEFAULT = Recipe()


@dataclass(frozen=True, eq=False)
class Faces:
    """Whitened faces, each followed by its mirror image: rows 2 i and 2 i + 1 are one photo."""

    images: Array
    """Shape (2 n, SIZE, SIZE, 3), 0 to 1."""
    vertices: Array
    """Shape (2 n, N, 2)."""


LUMINANCE = np.array([0.299, 0.587, 0.114])
CHEEKS = (50, 280, 101, 330, 118, 347, 205, 425, 4, 151)
"""Landmarks on bare skin: cheeks, nose and forehead."""
PALEST, PER_LEVEL, TOLERANCE = 0.566, -0.0017, 0.04
"""Saturation of skin before a whitened background: the line over its luminance (r = -0.76) in the London set, whose
lamps were neutral, and what is let through above the line."""


def prepare(aligned: AlignedFaces) -> Faces:
    """Whitened, untinted frames and mesh vertices with their mirror images."""
    frames = [untint(whiten(frame), points) for frame, points in zip(aligned.frames, aligned.points, strict=True)]
    images = np.stack(frames).astype(np.float32) / np.float32(255)
    vertices = np.stack([mesh.vertices(points) for points in aligned.points])
    return Faces(_interleave(images, images[:, :, ::-1]), _interleave(vertices, mirrored(vertices)))


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


def mirrored(vertices: Array) -> Array:
    """Vertices of mirror images; each vertex takes the place of its counterpart, found on the average face."""
    flipped = vertices * np.array([-1, 1], np.float32) + np.array([SIZE, 0], np.float32)
    mean = vertices.mean(0)
    distance = np.linalg.norm(mean[:, None] - flipped.mean(0)[None], axis=2)
    counterpart = distance.argmin(1)
    if not np.array_equal(counterpart[counterpart], np.arange(len(mean))):
        raise ValueError("the average face is too lopsided to tell which landmarks mirror each other; add faces")
    moved: Array = flipped[:, counterpart]
    return moved


def fit(faces: Faces, recipe: Recipe = DEFAULT) -> AppearanceModel:
    """The appearance model of faces with their mirror images.

    Raises ValueError when there are too few faces for the recipe's components.
    """
    mean_shape = faces.vertices.mean(0)
    triangles = triangulate(mean_shape)
    textures = np.stack([warp(i, v, mean_shape, triangles) for i, v in zip(faces.images, faces.vertices, strict=True)])
    mean_texture = textures.mean(0)
    shape_basis, shapes = _components(_rows(faces.vertices - mean_shape), recipe.shape_components)
    texture_basis, depths = _components(_rows(textures - mean_texture), recipe.texture_components)
    loadings = _loadings(shapes, depths, recipe)
    return AppearanceModel(
        mean_shape, triangles, shape_basis, mean_texture, texture_basis, loadings, noise=recipe.noise
    )


def triangulate(vertices: Vertices) -> Triangles:
    """Delaunay triangles of a mean shape, int32, shape (t, 3)."""
    return np.asarray(Delaunay(vertices).simplices, np.int32)


def _components(rows: Array, count: int) -> tuple[Array, Array]:
    """Principal components, shape (count, d), and the rows' coefficients, shape (n, count), by the Gram matrix.

    The rows are centred; the matrix is n x n, far smaller than d x d (Turk and Pentland, "Eigenfaces", 1991).
    """
    values, vectors = np.linalg.eigh((rows @ rows.T).astype(np.float64))
    largest = values.argsort()[::-1][:count]
    if len(largest) < count or values[largest[-1]] <= 1e-6 * values[largest[0]]:
        raise ValueError(f"{len(rows)} faces do not vary in {count} ways; add faces or take fewer components")
    basis = (vectors[:, largest].T @ rows) / np.sqrt(values[largest])[:, None]
    return basis.astype(np.float32), (rows @ basis.T).astype(np.float32)


def _loadings(shapes: Array, textures: Array, recipe: Recipe) -> Array:
    """Coefficients that one unit of each latent adds, shape (S + T, S + T).

    Shape is weighed so that both vary equally (Cootes, Edwards and Taylor, section 2.1).
    """
    weight = np.sqrt(textures.var(0).sum() / shapes.var(0).sum())
    joint = np.concatenate([weight * shapes, textures], axis=1).astype(np.float64)
    values, vectors = np.linalg.eigh(joint.T @ joint / len(joint))
    scores = joint @ vectors
    symmetry = (scores[0::2] * scores[1::2]).sum(0)
    spread = np.where(symmetry > 0, recipe.symmetric, recipe.antisymmetric)
    loadings = vectors.T * (spread * np.sqrt(np.maximum(values, 1e-4 * values.max())))[:, None]
    loadings[:, : shapes.shape[1]] /= weight
    return np.ascontiguousarray(loadings[::-1], dtype=np.float32)


def _interleave(one: Array, other: Array) -> Array:
    return np.stack([one, other], axis=1).reshape(-1, *one.shape[1:])


def _rows(array: Array) -> Array:
    return array.reshape(len(array), -1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit the appearance model; the finisher starts as the identity.")
    parser.add_argument("--data", type=Path, required=True, help="directory of an aligned set")
    parser.add_argument("--set", default="ccby_faces_128", help="name of the set in it")
    parser.add_argument("--out", type=Path, required=True, help="weights directory to write")
    parser.add_argument("--shape-components", type=int, default=DEFAULT.shape_components)
    parser.add_argument("--texture-components", type=int, default=DEFAULT.texture_components)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    faces = prepare(read_aligned_faces(options.data, options.set))
    log.info("fitting %d faces, mirror images included", len(faces.images))
    model = fit(faces, Recipe(options.shape_components, options.texture_components))
    weights.save(options.out, weights.Weights(model, Finisher(WIDTHS), WIDTHS))
    log.info("wrote %s; now train its finisher: python -m backend_container.training.finisher", options.out)


if __name__ == "__main__":
    main()
