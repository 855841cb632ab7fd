"""Which faces are kept: the filters of Listing 2 of the thesis, with its parameters and defaults. Pure but for models.

Where the thesis is silent: a side as long as `min_size` is long enough; a photo is grey when all channels of all pixels
are equal; a pixel is white or black when all its channels are beyond the threshold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_container.datasets.embedding import Embedding, Identity
from backend_container.datasets.face import Face
from backend_container.datasets.mappings import embed

IDENTITY = Identity()
"""In place of the thesis's OpenFace, which no package carries."""


def size_filter(face: Face, min_size: int = 256) -> bool:
    """Whether the shorter side has `min_size` pixels."""
    return bool(min(face.photo.shape[:2]) >= min_size)


def color_filter(face: Face) -> bool:
    """Whether the photo has colours: a pixel's channels differ somewhere."""
    red, green, blue = (face.photo[..., channel] for channel in range(3))
    return not (np.array_equal(red, green) and np.array_equal(green, blue))


def quality_filter(
    face: Face,
    white_threshold: int = 240,
    black_threshold: int = 15,
    white_ratio_threshold: float = 0.55,
    black_ratio_threshold: float = 0.2,
) -> bool:
    """Whether no more than these shares of the pixels, 0 to 1, are nearly white or nearly black (levels, 0 to 255)."""
    white = float((face.photo.min(axis=2) >= white_threshold).mean())
    black = float((face.photo.max(axis=2) <= black_threshold).mean())
    return white <= white_ratio_threshold and black <= black_ratio_threshold


def remove_too_similar(*window: Face, embedding: Embedding = IDENTITY, similarity_threshold: float = 0.9) -> bool:
    """Whether the last face of the window is far enough from each before it (thesis, section 3.1.2).

    Faces are embedded here, one by one, unless `mappings.embed` did it before, which all processes of a build do.

    The threshold is in units of the distance below which the embedding takes two photos for one person's. The thesis
    does not say in which units its 0.9 is; an L2 distance of OpenFace's unit vectors, of which 1 is that limit.
    """
    *earlier, last = (_vector(face, embedding) for face in window)
    least = similarity_threshold * embedding.same_person_below
    return all(float(np.linalg.norm(last - other)) >= least for other in earlier)


def _vector(face: Face, embedding: Embedding) -> NDArray[np.float32]:
    known = face if embedding.name in face.embeddings else embed(face, embedding)
    return np.asarray(known.embeddings[embedding.name], np.float32)
