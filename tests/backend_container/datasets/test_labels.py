"""Labels in the layouts of published sets."""

import json

import numpy as np
import pytest

from backend_container.datasets.labels import read_points, read_table, utkface_labels
from backend_container.datasets.shard_index import DatasetError


def table(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return read_table(path)


def test_json_by_name_and_json_as_a_list_say_the_same(tmp_path):
    for text in ('{"a.png": {"age": 30}}', '[{"file": "a.png", "age": 30}]'):
        found = table(tmp_path, "labels.json", text)
        assert found.find("a.png").labels == {"age": 30}
        assert found.find("some/folder/a.png").labels == {"age": 30}
        assert found.find("b.png").labels == {}


@pytest.mark.parametrize("head", ["", "2\n"])
def test_celebas_list_is_yes_and_no(tmp_path, head):
    found = table(tmp_path, "list_attr_celeba.txt", f"{head}Bald Male\n000001.jpg -1  1\n000002.jpg  1 -1\n")
    assert found.find("000001.jpg").labels == {"Bald": False, "Male": True}
    assert found.find("000002.jpg").labels == {"Bald": True, "Male": False}


def test_celebas_list_as_a_table(tmp_path):
    found = table(tmp_path, "attributes.csv", "image_id,Bald,Male\n000001.jpg,-1,1\n000002.jpg,1,1\n")
    assert found.find("000001.jpg").labels == {"Bald": False, "Male": True}


def test_a_list_of_one_attribute_needs_no_count(tmp_path):
    found = table(tmp_path, "list.txt", "Male\n000001.jpg -1\n000002.jpg  1\n")
    assert [found.find(name).labels for name in ("000001.jpg", "000002.jpg")] == [{"Male": False}, {"Male": True}]


def test_celebas_partition_is_a_label(tmp_path):
    found = table(tmp_path, "list_eval_partition.txt", "000001.jpg 0\n000002.jpg 1\n000003.jpg 2\n")
    names = ("000001.jpg", "000002.jpg", "000003.jpg")
    assert [found.find(name).labels for name in names] == [{"partition": part} for part in ("train", "valid", "test")]


def test_fairfaces_table(tmp_path):
    text = (
        "file,age,gender,race,service_test\ntrain/1.jpg,50-59,Male,East Asian,True\ntrain/2.jpg,3-9,Female,White,No\n"
    )
    assert table(tmp_path, "fairface.csv", text).find("train/1.jpg").labels == {
        "age": "50-59", "gender": "Male", "race": "East Asian", "service_test": "True",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("30_1_2_20170109150557335.jpg", {"age": 30, "gender": "female", "race": "asian"}),
        ("part1/100_0_0_20170112213500903.jpg.chip.jpg", {"age": 100, "gender": "male", "race": "white"}),
        ("39_1_20170116174525125.jpg", {}),  # three of the published files lack the race
        ("30_2_1_20170109.jpg", {}),
        ("portrait.jpg", {}),
    ],
)
def test_utkface_names(name, labels):
    assert utkface_labels(name) == labels


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("l.json", "{", "not JSON"),
        ("l.json", "[" * 100_000, "not JSON"),
        ("l.json", "3", "neither"),
        ("l.json", '[{"age": 3}]', '"file"'),
        ("l.json", '{"a.png": 3}', "a.png"),
        ("l.txt", "", "empty"),
        ("l.txt", "Bald Male\na.jpg 1\n", "line 2"),
        ("l.txt", "Bald Male\na.jpg 1 -1\nb.jpg 1 2\n", "line 3"),
        ("l.csv", "age,gender\n3,male\n", "no column for the file name"),
        ("l.csv", "", "no column for the file name"),
        ("l.csv", "file,age\na.png\n", "line 2"),
        ("l.csv", "file,age\na.png,3,4\n", "line 2"),
    ],
)
def test_labels_that_are_none_are_refused_with_the_place(tmp_path, name, text, sentence):
    with pytest.raises(DatasetError, match=sentence):
        table(tmp_path, name, text)


def test_labels_that_are_not_there_or_not_text(tmp_path):
    with pytest.raises(DatasetError, match="No such file"):
        read_table(tmp_path / "none.json")
    (tmp_path / "l.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match="not text"):
        read_table(tmp_path / "l.txt")


def test_landmarks_belong_to_the_rows_of_the_list(tmp_path):
    labels, points = tmp_path / "s.json", tmp_path / "s.npz"
    labels.write_text(json.dumps([{"file": "a.png"}, {"file": "b.png"}]))
    array = np.arange(2 * 468 * 2, dtype=np.float16).reshape(2, 468, 2)
    np.savez(points, p=array)
    assert np.array_equal(read_points(labels, points).find("b.png").points, array[1].astype(np.float32))


@pytest.mark.parametrize("array", [np.zeros((3, 468, 2)), np.full((2, 468, 2), np.nan), np.zeros((2, 68, 2))])
def test_landmarks_of_other_images_are_refused(tmp_path, array):
    labels, points = tmp_path / "s.json", tmp_path / "s.npz"
    labels.write_text(json.dumps([{"file": "a.png"}, {"file": "b.png"}]))
    np.savez(points, p=array)
    with pytest.raises(DatasetError, match="does not belong to"):
        read_points(labels, points)
    np.savez(points, p=array)
    for damaged in (b"nothing", points.read_bytes()[:-40], points.read_bytes().replace(b"NUMPY", b"RUMPY")):
        points.write_bytes(damaged)
        with pytest.raises(DatasetError, match="no array"):
            read_points(labels, points)
