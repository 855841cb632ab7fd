"""What networks would see of a face that is not drawn yet: identity, gender and age, guessed from its components.

The guess is linear, so that among a thousand possible fillers those can be chosen that will be as far from the suspect
as they shall be. It was learnt from renders of nobody (`training.appearance_foresight`). Pure NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_container.models.looks import Looks

Array = NDArray[np.float32]
OTHERS = 2
"""Numbers that follow those of identity: gender, from -1 (a woman) to 1 (a man), and years."""


@dataclass(frozen=True, eq=False)
class Foresight:
    """An affine map of D components to N + OTHERS numbers."""

    table: Array
    """Shape (D + 1, N + OTHERS); the last row is what is seen of the average face."""

    @property
    def identities(self) -> int:
        """N."""
        return int(self.table.shape[1]) - OTHERS

    @property
    def years(self) -> Array:
        """What a unit of each component adds to the years, shape (D,)."""
        return self.table[:-1, -1]

    def part(self, components: Array) -> Array:
        """What parts of faces, shape (..., D), add to what is seen, shape (..., N + OTHERS)."""
        return np.asarray(components @ self.table[:-1], np.float32)

    def of(self, components: Array) -> Array:
        """What is seen of faces."""
        return np.asarray(self.part(components) + self.table[-1], np.float32)


def numbers(looks: Looks) -> Array:
    """What was seen, as the numbers that are foreseen, shape (n, N + OTHERS)."""
    return np.column_stack([looks.identities, 2 * looks.male - 1, looks.ages]).astype(np.float32)
