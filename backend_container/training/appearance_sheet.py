"""A sheet of what an appearance engine draws: `python -m backend_container.training.appearance_sheet --out FILE`.

Above, random faces. Below, in pairs, some of them and what the engine makes of their photos: detected, encoded,
rendered. No photo of a person is shown.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from backend_container.models.detector import FaceDetector
from backend_container.models.engine import Engine, Photo, Photos
from backend_container.models.loader import load_engine

COLUMNS = 8


def sheet(engine: Engine, detector: FaceDetector, seed: int, rows: int) -> Photo:
    """RGB, uint8: `rows` rows of random faces, then one row of pairs (face, its reconstruction)."""
    faces = engine.synthesize(engine.sample(seed, rows * COLUMNS))
    originals = faces[: COLUMNS // 2]
    pairs = np.stack([originals, _reconstructed(engine, detector, originals)], axis=1).reshape(-1, *faces.shape[1:])
    return np.concatenate([np.concatenate(list(row), axis=1) for row in _in_rows(np.concatenate([faces, pairs]))])


def _reconstructed(engine: Engine, detector: FaceDetector, photos: Photos) -> Photos:
    return engine.synthesize(np.stack([engine.encode(photo, detector.find(photo)[0]) for photo in photos]))


def _in_rows(photos: Photos) -> Photos:
    return photos.reshape(-1, COLUMNS, *photos.shape[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a sheet of random faces and reconstructions as PNG.")
    parser.add_argument("--weights", type=Path, help="weights directory; default: the package's own")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=2)
    options = parser.parse_args()
    image = sheet(load_engine("appearance", options.weights), FaceDetector(), options.seed, options.rows)
    cv2.imwrite(str(options.out), image[..., ::-1])


if __name__ == "__main__":
    main()
