"""The filters of Listing 2 of the thesis."""

import inspect

import numpy as np
import pytest
import skimage.data

from backend_container.datasets.face import Face
from backend_container.datasets.filters import (
    IDENTITY,
    color_filter,
    quality_filter,
    remove_too_similar,
    size_filter,
)
from backend_container.datasets.mappings import embed, extract_face
from tests.backend_container.datasets.pictures import picture


def face(photo):
    return Face("a.png", np.asarray(photo, np.uint8))


def with_share(share, level, rest=128):
    """10 × 10 pixels, that share of them of one level."""
    photo = np.full((100, 3), rest, np.uint8)
    photo[: round(100 * share)] = level
    return face(photo.reshape(10, 10, 3))


def test_parameters_and_defaults_are_the_listings():
    def defaults(function):
        return {
            name: each.default
            for name, each in inspect.signature(function).parameters.items()
            if each.default is not inspect.Parameter.empty
        }

    assert defaults(size_filter) == {"min_size": 256}
    assert defaults(color_filter) == {}
    assert defaults(extract_face) == {
        "min_face_width": 128, "min_face_height": 128, "confidence_threshold": 0.9,
        "output_face_width": 256, "output_face_height": 256,
    }  # fmt: skip
    assert defaults(quality_filter) == {
        "white_threshold": 240, "black_threshold": 15, "white_ratio_threshold": 0.55, "black_ratio_threshold": 0.2,
    }  # fmt: skip
    assert defaults(remove_too_similar) == {"similarity_threshold": 0.9, "embedding": IDENTITY}


@pytest.mark.parametrize(("shape", "kept"), [((256, 256), True), ((256, 900), True), ((255, 900), False)])
def test_the_shorter_side_counts(shape, kept):
    assert size_filter(face(np.zeros((*shape, 3)))) is kept


def test_a_single_coloured_pixel_is_colour():
    grey = np.repeat(picture()[..., :1], 3, axis=2)
    assert not color_filter(face(grey))
    for channel in range(3):
        tinted = grey.copy()
        tinted[3, 4, channel] ^= 1
        assert color_filter(face(tinted))


@pytest.mark.parametrize(
    ("share", "level", "kept"),
    [
        (0.55, 240, True),
        (0.56, 240, False),
        (0.56, 239, True),
        (0.20, 15, True),
        (0.21, 15, False),
        (0.21, 16, True),
        (0.90, (255, 255, 100), True),  # yellow is not white
        (0.90, (0, 0, 100), True),  # nor is dark blue black
    ],
)
def test_too_much_white_or_black_is_dropped(share, level, kept):
    assert quality_filter(with_share(share, level)) is kept


class Levels:
    """An embedding: the mean level, of which 10 tell two people apart."""

    name = "levels"
    same_person_below = 10.0

    def embed(self, photos):
        return photos.reshape(len(photos), -1).mean(1, keepdims=True).astype(np.float32)


def level(value):
    return face(np.full((4, 4, 3), value))


@pytest.mark.parametrize(("last", "kept"), [(108, False), (109, True), (91, True), (92, False)])
def test_the_threshold_is_in_units_of_the_embeddings_own(last, kept):
    assert remove_too_similar(level(100), level(last), embedding=Levels()) is kept


def test_the_last_is_compared_with_each_before_it():
    assert not remove_too_similar(level(100), level(150), level(101), embedding=Levels())
    assert remove_too_similar(level(100), level(100), level(150), embedding=Levels())


def test_the_vector_that_a_face_carries_is_used():
    carried = Face("a.png", level(100).photo, embeddings={"levels": np.array([500.0])})
    assert remove_too_similar(level(100), carried, embedding=Levels())
    assert remove_too_similar(level(100), level(120), embedding=Levels(), similarity_threshold=2.0)
    assert not remove_too_similar(level(100), level(119), embedding=Levels(), similarity_threshold=2.0)


def test_faces_are_embedded_in_the_frame_that_embeddings_want():
    """As the listing writes it, without a step of its own: in the frame of `align_face`, not as `extract_face` cuts."""
    cut = extract_face(Face("a.png", skimage.data.astronaut()), min_face_width=64, min_face_height=64)
    shown = []

    class Watching(Levels):
        def embed(self, photos):
            shown.append(photos[0])
            return super().embed(photos)

    assert not remove_too_similar(cut, cut, embedding=Watching())
    expected = embed(cut, Levels()).embeddings["levels"]
    assert [photo.mean() for photo in shown] == pytest.approx([expected[0]] * 2)
    assert shown[0].shape != cut.photo.shape
