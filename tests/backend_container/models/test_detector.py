"""Face detection: it finds faces, and does not find what is none."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from backend_container.models.detector import FaceDetector
from backend_container.models.engine import ModelError
from backend_container.models.package_files import package_file

PHOTOS = Path(__file__).resolve().parents[4] / "shared/data/photos"


@pytest.fixture(scope="module")
def detector():
    return FaceDetector()


def noise(seed, cell):
    small = np.random.default_rng(seed).integers(0, 256, (480 // cell, 640 // cell, 3), dtype=np.uint8)
    return cv2.resize(small, (640, 480), interpolation=cv2.INTER_CUBIC)


def in_colour(grey):
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)


def test_the_astronaut_has_one_face(detector):
    (face,) = detector.find(skimage.data.astronaut())
    assert face.left < 225 < face.right  # between the eyes
    assert face.top < 112 < face.bottom
    assert 70 < face.width < 140
    assert 0.9 < face.score <= 1


@pytest.mark.parametrize("name", ["coffee", "rocket", "chelsea", "hubble_deep_field", "immunohistochemistry", "logo"])
def test_a_photo_without_people_has_none(detector, name):
    assert detector.find(np.ascontiguousarray(getattr(skimage.data, name)()[..., :3])) == []


@pytest.mark.parametrize("name", ["text", "clock", "moon", "coins", "page", "brick", "grass"])
def test_textures_of_which_the_first_network_is_sure_are_refused(detector, name):
    assert detector.find(in_colour(getattr(skimage.data, name)())) == []


@pytest.mark.parametrize("cell", [1, 4, 16, 32])
def test_noise_has_no_face(detector, cell):
    assert detector.find(noise(0, cell)) == []


def test_a_plain_photo_has_no_face(detector):
    assert detector.find(np.full((200, 300, 3), 128, np.uint8)) == []


def test_faces_come_largest_first_and_each_once(detector):
    large = skimage.data.astronaut()[:256, 96:352]
    small = cv2.resize(large, (160, 160), interpolation=cv2.INTER_AREA)
    photo = np.full((256, 440, 3), 200, np.uint8)
    photo[48:208, :160] = small
    photo[:, 184:] = large
    first, second = detector.find(photo)
    assert first.area > second.area
    assert first.left >= 184
    assert second.right <= 160


def test_a_tight_crop_is_found_and_its_box_lies_inside(detector):
    tight = np.ascontiguousarray(skimage.data.astronaut()[68:180, 182:268])
    (face,) = detector.find(tight)
    assert 0 <= face.left < face.right <= tight.shape[1]
    assert 0 <= face.top < face.bottom <= tight.shape[0]
    assert face.area > 0.5 * tight.shape[0] * tight.shape[1]


def test_a_large_photo_gives_the_same_face_in_its_own_pixels(detector):
    photo = skimage.data.astronaut()
    (small,) = detector.find(photo)
    (large,) = detector.find(cv2.resize(photo, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC))
    corners = np.array([[face.left, face.top, face.right, face.bottom] for face in (small, large)])
    np.testing.assert_allclose(corners[1] / 5, corners[0], atol=3)


def test_half_a_face_at_the_border_is_inside_the_photo_or_not_found(detector):
    photo = np.ascontiguousarray(skimage.data.astronaut()[:, 225:])
    assert all(face.left >= 0 and face.right <= photo.shape[1] for face in detector.find(photo))


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="needs ../shared/data/photos beside the checkout")
def test_each_portrait_has_one_face(detector):
    found = {path.name: len(detector.find(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB))) for path in PHOTOS.iterdir()}
    assert set(found.values()) == {1}, found


def test_a_package_that_is_not_installed_is_named_with_what_to_do():
    with pytest.raises(ModelError, match=r"no-such-carrier is not installed.*make setup") as caught:
        package_file("no-such-carrier", "model.bin")
    assert caught.value.slug == "model-part-missing"


def test_a_file_that_the_package_does_not_carry_is_named():
    with pytest.raises(ModelError, match=r"model\.bin is not in the installed package numpy"):
        package_file("numpy", "model.bin")
