"""Where the eyes and the mouth of a photo come to, and its light."""

import cv2
import numpy as np
import pytest
import skimage.data

from backend_container.models.appearance.align import SIZE, WHITE, align, alignment, whiten
from backend_container.models.detector import FaceDetector
from backend_container.models.landmarks import LEFT_EYE, MOUTH_CORNERS, RIGHT_EYE, FaceMesh


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1.0), (30, 1.0), (-90, 0.4), (5, 3.0)])
def test_eyes_and_mouth_come_to_the_same_places_however_the_photo_is_turned(degrees, scale):
    points = FaceMesh().points(skimage.data.astronaut(), FaceDetector().find(skimage.data.astronaut())[0])
    turn = cv2.getRotationMatrix2D((200, 100), degrees, scale)
    moved = (points @ turn[:, :2].T + turn[:, 2]).astype(np.float32)
    expected, found = ((p @ m[:, :2].T + m[:, 2]) for p, m in ((points, alignment(points)), (moved, alignment(moved))))
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_the_frame_is_the_one_of_the_paper():
    photo = skimage.data.astronaut()
    _, points = align(photo, FaceMesh().points(photo, FaceDetector().find(photo)[0]))
    left, right, mouth = (points[list(numbers)].mean(0) for numbers in (LEFT_EYE, RIGHT_EYE, MOUTH_CORNERS))
    eyes = (left + right) / 2
    half = max(2.0 * np.linalg.norm(right - left), 1.8 * np.linalg.norm(mouth - eyes))
    np.testing.assert_allclose(eyes + 0.1 * (mouth - eyes), [SIZE / 2, SIZE / 2], atol=0.01)
    assert half == pytest.approx(SIZE / 2, abs=0.01)
    assert left[0] < right[0]
    assert eyes[1] < mouth[1]


def test_a_tinted_background_becomes_neutral_and_the_face_keeps_its_contrast_to_it():
    frame = np.full((SIZE, SIZE, 3), (200, 170, 190), np.uint8)
    frame[40:, 40:88] = (120, 70, 60)
    white = whiten(frame)
    np.testing.assert_allclose(white[5, 5], WHITE, atol=1)
    np.testing.assert_allclose(white[80, 64], np.array([120, 70, 60]) * WHITE / [200, 170, 190], atol=1)


@pytest.mark.parametrize("kind", ["dark", "busy"])
def test_a_background_that_is_not_a_plain_bright_one_changes_nothing(kind):
    busy = np.random.default_rng(0).integers(100, 256, (SIZE, SIZE, 3)).astype(np.uint8)
    frame = busy if kind == "busy" else np.full((SIZE, SIZE, 3), 60, np.uint8)
    assert np.array_equal(whiten(frame), frame)
