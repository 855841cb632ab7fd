"""FaceMesh landmarks: in their places on a real photo, refused where there is no face to read."""

import cv2
import numpy as np
import pytest
import skimage.data

from backend_container.models.engine import FaceBox, ModelError
from backend_container.models.landmarks import LEFT_EYE, MOUTH_CORNERS, NOSE_TIP, RIGHT_EYE, FaceMesh

FACE = FaceBox(left=179, top=57, right=271, bottom=177, score=1.0)


@pytest.fixture(scope="module")
def mesh():
    return FaceMesh()


@pytest.fixture(scope="module")
def points(mesh):
    return mesh.points(skimage.data.astronaut(), FACE)


def centre(points, numbers):
    return points[list(numbers)].mean(0)


def test_there_are_468_points_in_pixels_of_the_photo(points):
    assert points.shape == (468, 2)
    assert points.dtype == np.float32
    np.testing.assert_allclose(points.mean(0), [224, 125], atol=12)


def test_eyes_nose_and_mouth_are_where_the_photo_shows_them(points):
    """The right sides were read off the photo by eye."""
    np.testing.assert_allclose(centre(points, LEFT_EYE), [202, 101], atol=3)
    np.testing.assert_allclose(centre(points, RIGHT_EYE), [246, 103], atol=3)
    np.testing.assert_allclose(points[NOSE_TIP], [224, 126], atol=4)
    np.testing.assert_allclose(centre(points, MOUTH_CORNERS), [224, 140], atol=3)


def test_a_box_that_is_a_little_off_gives_the_same_points(mesh, points):
    other = FaceBox(left=186, top=60, right=276, bottom=186, score=1.0)
    assert np.linalg.norm(mesh.points(skimage.data.astronaut(), other) - points, axis=1).mean() < 1.5


@pytest.mark.parametrize("degrees", [-20, 20])
def test_a_tilted_head_has_tilted_points(mesh, points, degrees):
    turn = cv2.getRotationMatrix2D((225, 117), degrees, 1.0)
    photo = cv2.warpAffine(skimage.data.astronaut(), turn, (512, 512))
    expected = points @ turn[:, :2].T + turn[:, 2]
    assert np.linalg.norm(mesh.points(photo, FACE) - expected, axis=1).mean() < 3


def test_a_face_at_the_border_is_read_where_it_is(mesh, points):
    photo = np.ascontiguousarray(skimage.data.astronaut()[57:300, 170:300])
    moved = FaceBox(left=9, top=0, right=101, bottom=120, score=1.0)
    assert np.linalg.norm(mesh.points(photo, moved) - (points - [170, 57]), axis=1).mean() < 3


def refusal(mesh, photo, face):
    with pytest.raises(ModelError) as caught:
        mesh.points(photo, face)
    assert caught.value.slug == "face-not-readable"
    return caught.value.detail


def test_a_tiny_face_is_refused_with_its_size(mesh):
    assert "only 19 pixels" in refusal(mesh, skimage.data.astronaut(), FaceBox(10, 10, 25, 29, 1.0))


@pytest.mark.parametrize("name", ["coffee", "rocket"])
def test_what_is_no_face_is_refused_with_what_to_do(mesh, name):
    assert "Send a sharp photo" in refusal(mesh, getattr(skimage.data, name)(), FaceBox(100, 100, 220, 250, 1.0))


def test_noise_is_refused(mesh):
    photo = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    assert "were not found" in refusal(mesh, photo, FaceBox(100, 100, 200, 220, 1.0))


def test_a_presence_above_zero_tells_a_face_from_a_cup(mesh):
    assert mesh.presence(skimage.data.astronaut(), FACE) > 10
    assert mesh.presence(skimage.data.coffee(), FaceBox(200, 100, 320, 250, 1.0)) < -2
