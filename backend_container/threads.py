"""How numeric libraries use threads in a backend: variables that they read once, when they are imported.

OpenMP's threads (torch's) sleep while they wait for each other. By default they spin, and take the CPU from the very
thread they wait for as soon as a machine has more backends than cores: a page took 10 s then, and 1.8 s with this.
OpenBLAS (NumPy's) has the one thread that calls it: its others spin whatever one says, and matrices of some hundred
rows gain nothing by them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

VARIABLES: Mapping[str, str] = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"}


def told(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process's libraries have read all of it, or what the user wants instead."""
    return all(name in environment for name in VARIABLES)


def tell() -> None:
    """To be called before NumPy and torch are imported. What the user has set holds."""
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
