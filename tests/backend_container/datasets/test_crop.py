"""Face extraction of the thesis, section 3.1.1."""

import numpy as np
import pytest

from backend_container.datasets.crop import face_crop
from backend_container.models.engine import FaceBox


def box(left, top, right, bottom):
    return FaceBox(left, top, right, bottom, score=1.0)


def test_a_face_with_room_gets_twice_its_longer_side():
    # goalsize = 2 max(20, 30) = 60: paddings (60 - 20) / 2 and (60 - 30) / 2
    assert face_crop(200, 200, box(90, 80, 110, 110)) == (70, 65, 130, 125)


def test_both_sides_take_the_smaller_padding_so_the_face_stays_in_the_middle():
    left, top, right, bottom = face_crop(200, 200, box(10, 80, 30, 110))
    assert (left, right) == (0, 40)
    assert (top, bottom) == (65, 125)


def test_an_odd_goal_pads_both_sides_by_the_floor():
    # goalsize = 2 max(5, 4) = 10: paddings 2 and 3 across become 2 and 2
    assert face_crop(100, 100, box(50, 50, 55, 54)) == (48, 47, 57, 57)


def test_a_face_that_fills_the_photo_is_the_crop():
    assert face_crop(30, 40, box(0, 0, 30, 40)) == (0, 0, 30, 40)


@pytest.mark.parametrize("seed", range(20))
def test_the_crop_lies_in_the_photo_and_is_centred_on_the_face(seed):
    random = np.random.default_rng(seed)
    width, height = random.integers(20, 400, 2).tolist()
    left, right = sorted(random.choice(width + 1, 2, replace=False).tolist())
    top, bottom = sorted(random.choice(height + 1, 2, replace=False).tolist())
    crop = face_crop(width, height, box(left, top, right, bottom))
    assert 0 <= crop[0] <= left
    assert 0 <= crop[1] <= top
    assert right <= crop[2] <= width
    assert bottom <= crop[3] <= height
    assert left - crop[0] == crop[2] - right
    assert top - crop[1] == crop[3] - bottom
