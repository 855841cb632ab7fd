"""What is made of photos, with the real detector on a public photo where one is needed."""

import numpy as np
import pytest
import skimage.data

from backend_container.datasets import mappings
from backend_container.datasets.crop import face_crop
from backend_container.datasets.face import Face, RejectedError
from backend_container.models.landmarks import LEFT_EYE, MOUTH_CORNERS, RIGHT_EYE
from tests.backend_container.datasets.pictures import picture

ASTRONAUT = Face("astronaut", np.ascontiguousarray(skimage.data.astronaut()), {"name": "Eileen Collins"})
LEAST = {"min_face_width": 60, "min_face_height": 60}


def dotted(height, width, across, down):
    """A black photo with a white dot, and landmarks that all lie on it."""
    photo = np.zeros((height, width, 3), np.uint8)
    photo[down - 2 : down + 3, across - 2 : across + 3] = 255
    return Face("dot", photo, points=np.full((468, 2), (across, down), np.float32))


def centre_of_light(photo):
    weights = photo[..., 0].astype(float)
    rows, columns = np.indices(weights.shape)
    return np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()


@pytest.mark.parametrize(("height", "width", "size"), [(100, 60, 50), (60, 100, 64), (20, 30, 90), (40, 40, 40)])
def test_a_whole_photo_keeps_its_proportions_and_its_landmarks(height, width, size):
    fitted = mappings.fit(dotted(height, width, 15, 12), size=size)
    assert fitted.photo.shape == (size, size, 3)
    assert np.abs(fitted.points[0] - centre_of_light(fitted.photo)).max() < 0.3


def test_a_photo_that_is_not_square_is_padded_with_zeros():
    white = Face("white", np.full((109, 89, 3), 255, np.uint8))
    square = mappings.fit(white, size=128).photo
    columns = np.flatnonzero((square == 255).all(axis=(0, 2)))
    assert (columns[0], len(columns)) == ((128 - 105) // 2, 105)
    assert not square[:, : columns[0]].any()
    assert not square[:, columns[-1] + 1 :].any()


def test_a_photo_of_the_right_size_is_not_touched():
    face = Face("a", picture(height=32, width=32))
    assert np.array_equal(mappings.fit(face, size=32).photo, face.photo)


def test_the_thesiss_crop_is_resized_to_the_size_asked_for():
    (box,) = mappings._detector().find(ASTRONAUT.photo)
    left, top, right, bottom = face_crop(512, 512, box)
    cut = mappings.extract_face(ASTRONAUT, **LEAST, output_face_width=right - left, output_face_height=bottom - top)
    assert np.array_equal(cut.photo, ASTRONAUT.photo[top:bottom, left:right])
    small = mappings.extract_face(ASTRONAUT, **LEAST, output_face_width=48, output_face_height=64)
    assert small.photo.shape == (64, 48, 3)
    assert small.labels == ASTRONAUT.labels


@pytest.mark.parametrize("function", [mappings.extract_face, mappings.align_face])
def test_faces_that_are_not_wanted_say_why(function):
    with pytest.raises(RejectedError, match=r"the largest face has \d+ × \d+ pixels"):
        function(ASTRONAUT)
    with pytest.raises(RejectedError, match=r"a confidence of [01]\.\d\d only"):
        function(ASTRONAUT, **LEAST, confidence_threshold=1.01)
    with pytest.raises(RejectedError, match="no face"):
        function(Face("coffee", np.ascontiguousarray(skimage.data.coffee())))


def test_an_aligned_face_lies_in_the_engines_frame_with_its_landmarks():
    aligned = mappings.align_face(ASTRONAUT, **LEAST, size=64)
    left, right = (aligned.points[list(eye)].mean(0) for eye in (LEFT_EYE, RIGHT_EYE))
    eyes, mouth = (left + right) / 2, aligned.points[list(MOUTH_CORNERS)].mean(0)
    assert aligned.photo.shape == (64, 64, 3)
    assert np.abs(eyes + 0.1 * (mouth - eyes) - 32).max() < 0.01, "the frame's centre"


def test_landmarks_are_looked_for_where_there_are_none():
    crop = Face("crop", np.ascontiguousarray(ASTRONAUT.photo[20:220, 125:325]))
    found = mappings.find_points(crop)
    assert found.points.shape == (468, 2)
    assert mappings.find_points(found) is found
    assert mappings.without_points(found).points is None
    with pytest.raises(RejectedError, match="no face"):
        mappings.find_points(Face("noise", picture(height=64, width=64)))


class Middle:
    """An embedding: the colour in the middle of the frame."""

    name = "middle"
    same_person_below = 1.0

    def embed(self, photos):
        return photos[:, 64, 64].astype(np.float32)


def test_a_face_is_aligned_before_it_is_embedded():
    frame = mappings.align_face(ASTRONAUT, 1, 1, 0.0).photo
    assert np.array_equal(mappings.embed(ASTRONAUT, Middle()).embeddings["middle"], frame[64, 64])
    plain = mappings.embed(ASTRONAUT, Middle(), aligned=True)
    assert np.array_equal(plain.embeddings["middle"], ASTRONAUT.photo[64, 64])
    nobody = Face("noise", picture(height=128, width=128))
    assert np.array_equal(mappings.embed(nobody, Middle()).embeddings["middle"], nobody.photo[64, 64])


def test_grey_photos_of_own_steps_get_three_channels():
    grey = picture()[..., 0]
    assert np.array_equal(mappings.convert_to_rgb(Face("a", grey)).photo, np.stack([grey] * 3, axis=2))
    assert np.array_equal(mappings.convert_to_rgb(Face("a", picture())).photo, picture())
