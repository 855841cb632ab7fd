"""Shards: what was written is read, and nothing else."""

import json
import pickle

import numpy as np
import pytest

from backend_container.datasets import shard_writer
from backend_container.datasets.shards import DatasetError, FaceShards, ShardWriter

SIDE, COUNT, FULL = 8, 10, 4
FACES = np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE, 3), dtype=np.uint8)
POINTS = np.random.default_rng(1).normal(size=(COUNT, 468, 2)).astype(np.float32)


def write(folder, points=True):
    writer = ShardWriter(folder, SIDE, shard_faces=FULL)
    for index, face in enumerate(FACES):
        writer.add(f"{index}.png", face, {"age": index}, POINTS[index] if points else None)
    writer.finish({"sources": ["made up"]})
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "faces")


def changed(folder, **members):
    path = folder / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **members}))


def test_faces_of_several_shards_come_in_the_order_asked_for(folder):
    shards = FaceShards.open(folder)
    wanted = np.array([9, 0, 4, 3, 0, 8])
    assert (len(shards), shards.resolution, len(shards.index.shards)) == (COUNT, SIDE, 3)
    assert np.array_equal(shards.photos(wanted), FACES[wanted])
    assert np.array_equal(shards.points(wanted), POINTS[wanted])
    assert list(shards.names)[-1] == "9.png"
    assert [row["age"] for row in shards.labels] == list(range(COUNT))


def test_a_batch_is_the_callers_own(folder):
    shards = FaceShards.open(folder)
    batch = shards.photos(np.array([1]))
    batch[:] = 0
    assert np.array_equal(shards.photos(np.array([1])), FACES[1:2])


def test_a_set_without_landmarks_says_so(tmp_path):
    assert FaceShards.open(write(tmp_path / "faces", points=False)).points(np.array([0])) is None


def test_no_faces_are_a_data_set_too(tmp_path):
    ShardWriter(tmp_path / "none", SIDE).finish()
    shards = FaceShards.open(tmp_path / "none")
    assert len(shards) == 0
    assert shards.photos(np.array([], int)).shape == (0, SIDE, SIDE, 3)


@pytest.mark.parametrize("index", [-1, COUNT])
def test_there_is_no_face_outside(folder, index):
    with pytest.raises(IndexError, match="0 to 9"):
        FaceShards.open(folder).photos(np.array([0, index]))


def test_they_travel_to_other_processes_as_their_folder(folder):
    sent = pickle.dumps(FaceShards.open(folder))
    assert len(sent) < FACES.nbytes / 4
    assert np.array_equal(pickle.loads(sent).photos(np.array([7])), FACES[7:8])  # noqa: S301


def test_a_full_shard_has_32_mib(tmp_path):
    writer = ShardWriter(tmp_path, 128)
    assert writer._capacity == shard_writer.SHARD_BYTES // (128 * 128 * 3) == 682


def test_a_writer_goes_on_after_the_shards_that_are_there(tmp_path):
    first = ShardWriter(tmp_path / "two", SIDE, shard_faces=FULL)
    for index in range(FULL):
        full = first.add(f"{index}.png", FACES[index], {"age": index}, POINTS[index])
    assert full
    second = ShardWriter(tmp_path / "two", SIDE, first.shards, shard_faces=FULL)
    for index in range(FULL, COUNT):
        second.add(f"{index}.png", FACES[index], {"age": index}, POINTS[index])
    second.finish({"sources": ["made up"]})
    whole = write(tmp_path / "one")
    assert {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()} == {
        path.name: path.read_bytes() for path in whole.iterdir()
    }


def test_a_writer_refuses_what_does_not_fit(tmp_path, folder):
    writer = ShardWriter(tmp_path / "new", SIDE)
    with pytest.raises(DatasetError, match="not RGB uint8 of 8 pixels"):
        writer.add("a", FACES[0, :4], {})
    with pytest.raises(DatasetError, match="shape"):
        writer.add("a", FACES[0], {}, POINTS[0, :5])
    writer.add("a", FACES[0], {})
    with pytest.raises(DatasetError, match="all faces of a data set have landmarks"):
        writer.add("b", FACES[0], {}, POINTS[0])
    with pytest.raises(DatasetError, match="finished"):
        ShardWriter(folder, SIDE)
    with pytest.raises(DatasetError, match="1 to 1024"):
        ShardWriter(tmp_path / "large", 4096)


def test_an_unfinished_set_is_not_opened(folder):
    (folder / "dataset.json").unlink()
    with pytest.raises(DatasetError, match="no finished data set"):
        FaceShards.open(folder)


@pytest.mark.parametrize("name", ["faces-00001.npy", "faces-00001.json", "faces-00001.points.npy"])
def test_every_file_is_checked(folder, name):
    path = folder / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(DatasetError, match=f"{name} has {len(whole) - 1} bytes instead of {len(whole)}"):
        FaceShards.open(folder, verify=False)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DatasetError, match=f"{name} is damaged"):
        FaceShards.open(folder)
    path.unlink()
    with pytest.raises(DatasetError, match=f"{name} cannot be read"):
        FaceShards.open(folder, verify=False)


class _Trap:
    def __reduce__(self):
        return pytest.fail, ("an array of objects was unpickled",)


@pytest.mark.parametrize("kind", ["objects", "floats", "nonsense"])
def test_a_foreign_file_of_the_right_length_is_refused(folder, kind, tmp_path):
    path = folder / "faces-00000.npy"
    length = path.stat().st_size
    if kind == "objects":
        with (tmp_path / "trap.npy").open("wb") as file:
            file.write(b"\x93NUMPY\x01\x00" + _header("|O"))
            file.write(pickle.dumps(_Trap()))
        data = (tmp_path / "trap.npy").read_bytes()
    else:
        data = b"\x93NUMPY\x01\x00" + _header("<f4") if kind == "floats" else b"no array at all"
    path.write_bytes(data.ljust(length, b"\0"))
    with pytest.raises(DatasetError, match=r"faces-00000\.npy is not"):
        FaceShards.open(folder, verify=False)


def _header(dtype):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': (4, 8, 2, 3), }}".ljust(117) + "\n"
    return len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"format": 2}, "of format 2, this release reads 1"),
        ({"count": 11}, "do not hold 11 faces"),
        ({"points": False}, "contradicts itself about landmarks"),
        ({"resolution": 16}, "not uint8 of shape"),
        ({"resolution": 10**9}, "resolution"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_an_index_that_is_wrong_is_refused(folder, members, sentence):
    changed(folder, **members)
    with pytest.raises(DatasetError, match=sentence):
        FaceShards.open(folder)


@pytest.mark.parametrize("text", [b"", b"[]", b"\xff\xfe", b"{", b"null"])
def test_an_index_that_is_none_is_refused(folder, text):
    (folder / "dataset.json").write_bytes(text)
    with pytest.raises(DatasetError, match="not the index of a data set"):
        FaceShards.open(folder)


def test_an_index_names_nothing_outside_its_folder(folder):
    read = json.loads((folder / "dataset.json").read_text())
    read["shards"][0]["photos"]["name"] = "../faces-00000.npy"
    changed(folder, shards=read["shards"])
    with pytest.raises(DatasetError, match=r"shards\.0\.photos\.name"):
        FaceShards.open(folder)


def test_labels_that_are_not_as_many_are_refused(folder):
    path = folder / "faces-00000.json"
    path.write_text('{"names": ["a"], "labels": [{}]}')
    with pytest.raises(DatasetError, match="does not name 4 faces"):
        FaceShards(folder, FaceShards.open(write(folder.parent / "good")).index).names  # noqa: B018
