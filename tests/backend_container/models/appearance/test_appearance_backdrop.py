"""What is behind a head."""

import numpy as np
import pytest

from backend_container.models.appearance.align import SIZE, WHITE
from backend_container.models.appearance.backdrop import even

GREY = WHITE / 255
HEAD = np.s_[40:, 40:88]


@pytest.fixture
def stained():
    """A dark head before a bright wall that falls off to the right, with a stain and a smear that do not touch it."""
    photo = np.linspace(0.95, 0.86, SIZE, dtype=np.float32)[None, :, None] * np.ones((SIZE, SIZE, 3), np.float32)
    photo[HEAD] = (0.5, 0.3, 0.2)
    photo[20:22, 10:12] = 0.8
    photo[100:110, 10:16] = (0.4, 0.3, 0.3)
    return photo


def test_the_wall_becomes_one_grey_and_the_head_stays(stained):
    evened = even(stained)
    assert np.array_equal(evened[HEAD], stained[HEAD])
    behind = np.ones((SIZE, SIZE), bool)
    behind[HEAD] = False
    np.testing.assert_allclose(evened[behind], GREY, atol=1e-6)


def test_a_soft_outline_stays_soft(stained):
    stained[40:, 39] = 0.8  # half way from no wall to wall
    outline = even(stained)[60, 39]
    np.testing.assert_allclose(outline, (0.8 + GREY) / 2, atol=1e-3)


@pytest.mark.parametrize("colour", [(0.3, 0.3, 0.3), (0.9, 0.8, 0.8)])
def test_before_a_dark_or_coloured_wall_nothing_changes(stained, colour):
    stained[:40] = stained[:, :40] = stained[:, 88:] = colour
    assert np.array_equal(even(stained), stained)


def test_what_is_bright_within_the_head_is_no_wall(stained):
    stained[70:74, 60:68] = 0.95  # teeth
    assert np.array_equal(even(stained)[HEAD], stained[HEAD])


def test_evening_twice_is_evening_once(stained):
    np.testing.assert_allclose(even(even(stained)), even(stained), atol=1e-6)


def test_a_wall_is_made_even_by_degrees(stained):
    np.testing.assert_allclose(even(stained, 0.25), stained + 0.25 * (even(stained) - stained), atol=1e-6)
    assert np.array_equal(even(stained, 0), stained)
