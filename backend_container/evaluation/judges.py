"""The models that judge an engine's faces, as far as they are installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from backend_container.evaluation.report import Absent
from backend_container.loading import Detector
from backend_container.models.attributes.predictor import AttributePredictor
from backend_container.models.engine import ModelError
from backend_container.models.features.network import FeatureNetwork
from backend_container.models.identity import IdentityEmbedding

T = TypeVar("T")


@dataclass(frozen=True)
class Judges:
    """All but the detector may be absent; their figures are then left out, and `absent` says why."""

    detector: Detector
    features: FeatureNetwork | None = None
    identity: IdentityEmbedding | None = None
    attributes: AttributePredictor | None = None
    absent: tuple[Absent, ...] = ()


def load_judges(
    features: str, feature_weights: Path | None = None, device: str = "cpu", attributes: Sequence[Path] = ()
) -> Judges:
    """Those that can be had; heads in the folders `attributes` are asked before the packaged ones.

    Raises ModelError when there is no detector, or the features or heads asked for cannot be had.
    """
    from backend_container.models.attributes.loader import load_predictor
    from backend_container.models.detector import FaceDetector
    from backend_container.models.features.network import load_features
    from backend_container.models.identity import load_identity

    absent: list[Absent] = []
    own = [_heads(folder, device) for folder in attributes]
    identity = _optional("identity distances", lambda: load_identity(device), absent)
    predictor = _optional("attributes", lambda: load_predictor(device, first=own), absent)
    network = load_features(features, feature_weights, device)
    return Judges(FaceDetector(), network, identity, predictor, tuple(absent))


def _heads(folder: Path, device: str) -> AttributePredictor:
    from backend_container.models.attributes.trained import TrainedPredictor  # torch

    return TrainedPredictor.load(folder, device)


def _optional(what: str, load: Callable[[], T], absent: list[Absent]) -> T | None:
    try:
        return load()
    except ModelError as error:
        absent.append(Absent(what=what, reason=error.detail))
        return None
