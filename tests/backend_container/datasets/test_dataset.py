"""The lazy pipeline."""

import pytest

from backend_container.datasets import dataset as module
from backend_container.datasets.dataset import Dataset
from backend_container.datasets.face import Dropped
from backend_container.datasets.filters import size_filter
from backend_container.datasets.shard_index import DatasetError
from tests.backend_container.datasets.pictures import archive_of, folder_of, pngs
from tests.backend_container.datasets.steps import broken_by_opencv, is_even, not_a_seventh


def numbers(dataset):
    return [int(face.name[:3]) for face in dataset]


@pytest.fixture
def ten(tmp_path):
    return Dataset.load(folder_of(tmp_path / "ten", pngs(10)))


def test_nothing_is_read_before_it_is_asked_for(ten, monkeypatch):
    read = []
    plain = module.prepared
    monkeypatch.setattr(
        module, "prepared", lambda reference, steps: read.append(reference.name) or plain(reference, steps)
    )
    pipeline = iter(ten.filter(is_even))
    assert read == []
    assert next(pipeline).name == "000.png"
    assert read == ["000.png"]
    assert next(pipeline).name == "002.png"
    assert read == ["000.png", "001.png", "002.png"]


def test_steps_are_taken_in_order_and_a_pipeline_is_not_changed_by_the_next_step(ten):
    even = ten.filter(is_even)
    assert numbers(even.apply(not_a_seventh)) == [2, 4, 6, 8]
    assert numbers(even) == [0, 2, 4, 6, 8]
    assert numbers(ten.apply(not_a_seventh).apply(lambda face: face if face.name > "005" else None)) == [5, 6, 8, 9]


def test_outcomes_say_which_step_and_why(ten):
    outcomes = list(ten.filter(size_filter, min_size=20).filter(is_even).apply(not_a_seventh).outcomes())
    assert outcomes[0] == Dropped("000.png", "not_a_seventh", "a seventh")
    assert outcomes[1] == Dropped("001.png", "is_even")


def test_a_step_used_twice_has_two_names(ten):
    twice = ten.filter(size_filter, min_size=1).filter(size_filter, min_size=999)
    assert [step.label for step in twice.steps] == ["size_filter", "size_filter 2"]
    assert next(twice.outcomes()) == Dropped("000.png", "size_filter 2")


def test_what_opencv_cannot_work_on_is_broken_and_stops_nothing(ten):
    assert [type(each).__name__ for each in ten.apply(broken_by_opencv).outcomes()] == ["Broken"] * 10


@pytest.mark.parametrize(("size", "seen"), [(2, [[0, 2], [2, 4]]), (3, [[0, 2], [0, 2, 4]])])
def test_a_window_slides_over_what_reaches_it(tmp_path, size, seen):
    windows = []

    def note(*faces):
        windows.append([int(face.name[:3]) for face in faces])
        return False

    five = Dataset.load(archive_of(tmp_path / "five.tar", pngs(5)))
    assert numbers(five.filter(is_even).filter_window(note, window_size=size)) == [0], "the first has none before it"
    assert windows == seen, "those that were dropped by it are looked back at, those dropped before it are not"


def test_steps_after_a_window_are_taken_too(ten):
    assert numbers(ten.filter_window(lambda *faces: True).filter(is_even)) == [0, 2, 4, 6, 8]


def test_creating_without_a_folder_iterates(ten):
    assert [face.name for face in ten.filter(is_even).create()] == [f"{number:03}.png" for number in (0, 2, 4, 6, 8)]


def test_a_window_of_one_is_refused(ten):
    with pytest.raises(DatasetError, match="2 images at least"):
        ten.filter_window(lambda *faces: True, window_size=1)
