"""Many photos through one model, a few at a time, so that progress can be told and memory stays small."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

CHUNK = 16

Tell = Callable[[str, int, int], None]
"""Hears what is being done, how many are done, and of how many."""
S = TypeVar("S", bound=np.generic)
T = TypeVar("T", bound=np.generic)


def in_chunks(what: str, work: Callable[[NDArray[S]], NDArray[T]], rows: NDArray[S], tell: Tell) -> NDArray[T]:
    """What `work` makes of one row or more, in their order."""
    made = []
    for begin in range(0, len(rows), CHUNK):
        made.append(work(rows[begin : begin + CHUNK]))
        tell(what, min(begin + CHUNK, len(rows)), len(rows))
    return np.concatenate(made)
