import pytest

from backend_container.faces import choose, foreground
from backend_container.models.engine import FaceBox
from ligan.problem import Problem


def face(left, side, top=0):
    return FaceBox(left, top, left + side, top + side, 0.9)


LEFT, MIDDLE, RIGHT = face(0, 50), face(100, 60), face(200, 40)


def test_faces_count_from_the_left_whatever_the_detector_says_first():
    assert foreground([MIDDLE, RIGHT, LEFT]) == [LEFT, MIDDLE, RIGHT]
    assert [choose([LEFT, MIDDLE, RIGHT], n) for n in (1, 2, 3)] == [LEFT, MIDDLE, RIGHT]


def test_small_faces_belong_to_the_background():
    sixth = FaceBox(10, 0, 20, 60, 0.9)  # 600 of 3600 pixels: just large enough
    less = FaceBox(30, 0, 40, 59, 0.9)
    assert foreground([MIDDLE, sixth, less]) == [sixth, MIDDLE]


def test_no_face_stays_no_face():
    assert foreground([]) == []
    with pytest.raises(Problem) as caught:
        choose([], None)
    assert caught.value.slug == "no-face"


def test_the_only_face_needs_no_choice():
    assert choose([MIDDLE], None) is MIDDLE
    assert choose([MIDDLE], 1) is MIDDLE


def test_several_faces_are_listed_from_left_to_right_for_the_choice():
    with pytest.raises(Problem, match="`face` 1 to 3, counted from the left") as caught:
        choose([LEFT, MIDDLE, RIGHT], None)
    assert caught.value.slug == "several-faces"
    boxes = caught.value.document.model_extra["faces"]
    assert [(box["left"], box["right"]) for box in boxes] == [(0, 50), (100, 160), (200, 240)]
    assert boxes[0] == {"left": 0, "top": 0, "right": 50, "bottom": 50, "score": 0.9}


def test_a_face_that_is_not_there_cannot_be_chosen():
    with pytest.raises(Problem, match="There is no face 3") as caught:
        choose([LEFT, MIDDLE], 3)
    assert caught.value.slug == "invalid-parameters"
