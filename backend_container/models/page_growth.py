"""What was measured of an engine's pages: radii at which identities move away page by page, and how near a double is.

pages.json lies beside the weights and names those that it was measured with. NumPy only.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend_container.models.sampling import Growth

log = logging.getLogger(__name__)
FILE = "pages.json"
PAGES = 8
"""Pages that are measured; beyond them faces are hardly less alike than strangers."""
NEARLY = 0.9
"""Share of the way to the farthest distance at which the last measured page lies: the rest would take any radius."""


class PageTable(BaseModel):
    """What pages.json holds."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["ligan-pages-1"] = "ligan-pages-1"
    weights: str
    """Fingerprint of the weights, `backend_container.loading.fingerprint`."""
    identity: str
    """Name of the identity embedding."""
    suspects: int = Field(ge=1)
    radii: tuple[float, ...] = Field(min_length=1, max_length=1000)
    """Of pages 1, 2, ..., in the unit of `Growth`."""
    distances: tuple[float, ...]
    """Mean identity distance between suspect and filler on each page."""
    rises: tuple[float, ...]
    """Of each page but the first, the share of suspects whose mean distance is greater than on the page before."""
    double_below: float = Field(gt=0, allow_inf_nan=False)
    """Identity distance below which two faces are doubles (`page_calibration.double_below`)."""
    doubles: tuple[float, ...]
    """Of each page, the share of its fillers that are doubles of the suspect."""

    @property
    def growth(self) -> Growth:
        """Raises ValueError when radii shrink or are not finite."""
        return Growth(measured=self.radii)


def read_table(folder: Path, fingerprint: str) -> PageTable | None:
    """That of a folder of weights; None where none was measured with these very weights."""
    try:
        table = PageTable.model_validate_json((folder / FILE).read_bytes())
        _ = table.growth
    except FileNotFoundError:
        return None
    except (OSError, ValidationError, ValueError) as error:
        log.warning("%s is passed over, it is not one: %s", folder / FILE, str(error).splitlines()[0])
        return None
    if table.weights != fingerprint:
        log.warning("%s is passed over: it was measured with other weights", folder / FILE)
        return None
    return table


def equal_steps(
    radii: NDArray[np.floating], distances: NDArray[np.floating], least: float, pages: int = PAGES
) -> tuple[float, ...]:
    """Radii of pages whose mean distances rise in equal steps, by interpolation of a measured curve.

    `distances`, of rising `radii`, are made to rise too: neighbours that fall are averaged (isotonic regression). The
    first page lies where the distance is `least`, or at the curve's beginning when it is greater there, or half-way up
    when it never gets there.

    Raises ValueError when the curve has fewer than two points, or does not rise.
    """
    rising = isotonic(np.asarray(distances, np.float64))
    if len(rising) < 2 or rising[-1] <= rising[0]:
        raise ValueError("distances do not rise with the radius: this engine's pages cannot be told apart")
    last = rising[0] + NEARLY * (rising[-1] - rising[0])
    first = max(rising[0], least) if least < last else (rising[0] + last) / 2
    climbs = np.concatenate([[True], np.diff(rising) > 0])
    steps = np.interp(np.linspace(first, last, pages), rising[climbs], np.asarray(radii, np.float64)[climbs])
    return tuple(np.round(steps, 4).tolist())


def isotonic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest row of numbers, by least squares, that never falls: pool adjacent violators (Barlow et al. 1972)."""
    blocks: list[tuple[float, int]] = []
    for value in values.tolist():
        mean, count = value, 1
        while blocks and blocks[-1][0] > mean:
            before, many = blocks.pop()
            mean, count = (before * many + mean * count) / (many + count), many + count
        blocks.append((mean, count))
    return np.repeat([mean for mean, _ in blocks], [count for _, count in blocks])
