"""Ages as FairFace groups them (Kärkkäinen and Joo, WACV 2021; thesis, section 3.3.1). NumPy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_container.models.attributes.predictor import Attribute

STARTS = (0, 3, 10, 20, 30, 40, 50, 60, 70)
"""First year of each group."""
AGE = Attribute("age", ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+"))


def age_group(years: float) -> int:
    """Number of the group. Raises ValueError when `years` is below 0."""
    if not years >= 0:
        raise ValueError(f"an age is 0 or more years, not {years}")
    return int(np.searchsorted(STARTS, years, side="right")) - 1


def group_probabilities(probabilities: NDArray[np.float32], years: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each group, shape (n, 9), from those of each age in `years`, shape (n, len(years))."""
    groups = np.zeros((len(years), len(STARTS)), np.float32)
    groups[np.arange(len(years)), [age_group(float(age)) for age in years]] = 1
    return np.asarray(probabilities @ groups, np.float32)
