"""What networks see of faces: who it is, gender and age."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Looks:
    """Of n faces. It stays in the backend's memory: an identity is biometric."""

    identities: Numbers
    """Shape (n, dimension); their Euclidean distances say how unlike two people are."""
    male: Numbers
    """Probability, 0 to 1, shape (n,)."""
    ages: Numbers
    """Years, shape (n,)."""
    clear: NDArray[np.bool_]
    """Whether eyes, nose and mouth were found, shape (n,)."""
