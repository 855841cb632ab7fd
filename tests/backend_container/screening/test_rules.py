import numpy as np
import pytest

from backend_container.models.looks import Looks
from backend_container.screening.rules import CERTAIN, LARGEST_AGE_GAP, farther, flags
from ligan.wire.image import Flag

APART = 0.6
CALM = np.zeros(1, bool)


def looks(*identities, male=0.9, age=30.0, clear=True):
    n = len(identities)
    return Looks(
        np.array(identities, np.float32), np.full(n, male, np.float32), np.full(n, age, np.float32), np.full(n, clear)
    )


SUSPECT = looks((0, 0))


@pytest.mark.parametrize(
    ("filler", "expected"),
    [
        (looks((0.7, 0)), ()),
        (looks((0.5, 0)), (Flag.DOUBLE_OF_SUSPECT,)),
        (looks((0.7, 0), age=30 + LARGEST_AGE_GAP), ()),
        (looks((0.7, 0), age=31 + LARGEST_AGE_GAP), (Flag.OTHER_AGE,)),
        (looks((0.7, 0), age=29 - LARGEST_AGE_GAP), (Flag.OTHER_AGE,)),
        (looks((0.7, 0), male=1 - CERTAIN - 0.01), (Flag.OTHER_GENDER,)),
        (looks((0.7, 0), male=0.5), ()),
        (looks((0.7, 0), clear=False), (Flag.UNCLEAR_FACE,)),
    ],
)
def test_one_filler(filler, expected):
    assert flags(filler, CALM, APART, SUSPECT) == [expected]


def test_a_suspect_of_uncertain_gender_says_nothing_of_the_fillers():
    assert flags(looks((1, 0), male=0.01), CALM, APART, looks((0, 0), male=0.5)) == [()]


def test_of_two_fillers_that_are_alike_the_later_is_flagged():
    fillers = looks((1, 0), (2, 0), (1.1, 0), (1.1, 0.1))
    found = flags(fillers, np.zeros(4, bool), APART, SUSPECT)
    assert found == [(), (), (Flag.DOUBLE_OF_FILLER,), (Flag.DOUBLE_OF_FILLER,)]


def test_without_a_suspect_only_the_fillers_themselves_are_judged():
    found = flags(looks((0, 0), (0.1, 0), age=90), np.zeros(2, bool), APART)
    assert found == [(), (Flag.DOUBLE_OF_FILLER,)]


def test_an_outlier_of_the_engines_space_is_unusual():
    random = np.random.default_rng(0).standard_normal((200, 150)).astype(np.float32)
    far = farther(np.stack([random[0], 3 * random[0]]), random)
    assert flags(looks((1, 0), (2, 0)), far, APART, SUSPECT) == [(), (Flag.UNUSUAL_FACE,)]
    assert not farther(random, random).any()


def test_flags_come_in_the_order_of_their_list():
    (found,) = flags(looks((0, 0), age=80, clear=False), CALM, APART, SUSPECT)
    assert found == (Flag.UNCLEAR_FACE, Flag.DOUBLE_OF_SUSPECT, Flag.OTHER_AGE)
