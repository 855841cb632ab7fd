"""The grain that people lend: `python -m backend_container.training.appearance_grain --data DIR --out DIR`.

After the finisher's training, for it is what a finished face lacks beside its photo. Only synthetic people lend.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_container.models.appearance import mesh, weights
from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.engine import OWN, AppearanceEngine
from backend_container.models.appearance.grain import Grain
from backend_container.models.appearance.model import AppearanceModel
from backend_container.models.appearance.planes import LUMA, to_planes
from backend_container.models.appearance.warp import Vertices, warp
from backend_container.models.engine import Photo
from backend_container.training.appearance import face_shares, projected
from backend_container.training.appearance_faces import REAL, SYNTHETIC, Faces, read_faces
from backend_container.training.appearance_pairs import encoded
from backend_container.training.in_a_sentence import in_a_sentence

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
FACE, FACE_FINEST = 1.2, 1.5
"""How much of what is left of a face is lent, and the deviation, in pixels, of the blur that is finer than all of it:
eyes and lips of two people differ in more than that."""
HAIR, HAIR_FINEST = 0.7, 3.0
"""The same outside of the face. All of it the eye takes for a drawing."""


def with_grain(fitted: weights.Weights, faces: Faces) -> weights.Weights:
    """The weights whose people lend their grain. `faces`: those that the model was fitted to."""
    model = fitted.model
    synthetic = faces.take(np.flatnonzero(faces.synthetic))
    photos = zip(synthetic.images, synthetic.vertices, strict=True)
    textures = np.stack([_texture(model, *photo) for photo in photos])
    rows = rows_of(fitted, textures)
    latents = encoded(model, synthetic, rows)
    latents[:, model.components :] *= OWN
    engine = AppearanceEngine(replace(fitted, grain=Grain()))
    left = [_left(engine, texture, latent) for texture, latent in zip(textures[rows], latents, strict=True)]
    return replace(fitted, grain=Grain.of(np.stack(left)))


def rows_of(fitted: weights.Weights, textures: Array) -> NDArray[np.intp]:
    """Which of the faces, whose textures have the shape (n, planes.COUNT), each of the people is, by their hair."""
    model = fitted.model
    outside = (textures - model.mean_texture) * (1 - face_shares(model))
    hair = projected(model, outside, np.broadcast_to(model.mean_shape, (len(textures), *model.mean_shape.shape)))
    distances = np.square(hair).sum(1) - 2 * fitted.population.hair @ hair.T
    return np.asarray(distances.argmin(1), np.intp)


def _texture(model: AppearanceModel, image: Photo, vertices: Vertices) -> Array:
    pixels = np.asarray(image / np.float32(255), np.float32)
    return to_planes(warp(pixels, vertices, model.mean_shape, model.triangles))


def _left(engine: AppearanceEngine, texture: Array, latent: Array) -> Array:
    """The finest of what the engine's photo of a latent leaves of a texture's brightness, shape (SIZE, SIZE)."""
    model = engine.weights.model
    made = _texture(model, engine.synthesize(latent[np.newaxis])[0], model.vertices(latent))
    left = (texture - made)[:LUMA].reshape(SIZE, SIZE)
    face = mesh.face_weights(model.mean_shape, 0.0)
    return np.asarray(FACE * face * _fine(left, FACE_FINEST) + HAIR * (1 - face) * _fine(left, HAIR_FINEST), np.float32)


def _fine(left: Array, deviation: float) -> Array:
    return np.asarray(left - cv2.GaussianBlur(left, (0, 0), deviation), np.float32)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Let the appearance model's synthetic people lend their grain.")
    parser.add_argument("--data", type=Path, required=True, help="directory of aligned sets")
    parser.add_argument("--sets", nargs="+", default=[REAL, SYNTHETIC], help="names of the sets in it")
    parser.add_argument("--out", type=Path, required=True, help="weights directory, fitted to these sets")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with in_a_sentence():
        faces, _ = read_faces(options.data, options.sets)
        lending = with_grain(weights.load(options.out), faces)
        weights.save(options.out, lending)
    log.info("%d people lend their grain", lending.grain.count)


if __name__ == "__main__":
    main()
