"""What tells people apart, for the filter of similar faces."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from backend_container.datasets.face import Face
from backend_container.models.engine import Photos

if TYPE_CHECKING:
    from backend_container.models.identity import IdentityEmbedding


class Embedding(Protocol):
    """As much of an `IdentityEmbedding` as the filter needs."""

    @property
    def name(self) -> str: ...

    @property
    def same_person_below(self) -> float:
        """Euclidean distance below which two photos are taken for one person's."""
        ...

    def embed(self, photos: Photos) -> NDArray[np.float32]:
        """Vectors of faces in the frame of `mappings.align_face`, shape (n, d)."""
        ...


class Identity:
    """LiGAN's identity embedding, loaded by each process when it first needs it; travels as nothing but its class.

    Raises ModelError with slug `model-part-missing` when its model is not installed.
    """

    name = "identity"

    @property
    def same_person_below(self) -> float:
        return self._loaded.same_person_below

    def embed(self, photos: Photos) -> NDArray[np.float32]:
        """As `Embedding.embed`."""
        return self._loaded.embed(photos)

    @cached_property
    def _loaded(self) -> IdentityEmbedding:
        from backend_container.models.identity import load_identity  # torch: half a second

        return load_identity()

    def __reduce__(self) -> tuple[type[Identity], tuple[()]]:
        return Identity, ()


def vector_of(face: Face, embedding: Embedding) -> NDArray[np.float32]:
    """The vector of a face, shape (d,): the one it carries, or a new one."""
    known = face.embeddings.get(embedding.name)
    return embedding.embed(face.photo[None])[0] if known is None else np.asarray(known, np.float32)
