"""Sources: what is listed, in which order, and what of it cannot be read."""

import errno
import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend_container.datasets.dataset import Dataset
from backend_container.datasets.face import Broken, Face
from backend_container.datasets.shard_index import DatasetError
from backend_container.datasets.shards import ShardWriter
from ligan.intervals import MAX_UPLOAD
from tests.backend_container.datasets.pictures import archive_of, encoded, folder_of, picture, pngs
from tests.frontend_server.pictures import png_bomb


def names(*sources, **options):
    return [face.name for face in Dataset.load(*sources, **options)]


def broken(*sources):
    return {each.name: each.reason for each in Dataset.load(*sources).outcomes() if isinstance(each, Broken)}


def test_a_folder_is_read_with_all_its_levels_in_order(tmp_path):
    png = encoded(picture())
    folder_of(tmp_path / "f", {"b/2.png": png, "b/1.png": png, "a.png": png, "notes.txt": b"", "z/y/1.png": png})
    assert names(tmp_path / "f") == ["a.png", "b/1.png", "b/2.png", "z/y/1.png"]


def test_an_archive_is_read_where_it_is(tmp_path):
    path = archive_of(tmp_path / "s.tar", {"./2.png": encoded(picture(2)), "1.png": encoded(picture(1)), "l.json": b""})
    faces = list(Dataset.load(path))
    assert [face.name for face in faces] == ["2.png", "1.png"]
    assert np.array_equal(faces[0].photo, picture(2))
    assert list(tmp_path.iterdir()) == [path]


def test_names_of_members_are_words_not_paths(tmp_path):
    evil = {"../../out.png": b"", "/etc/x.png": b"", "a\x1b[31m\n.png": b"", "\udcff.png": b""}
    path = archive_of(tmp_path / "s.tar", dict.fromkeys(evil, encoded(picture())))
    assert names(path) == ["../../out.png", "/etc/x.png", "a\\u001b[31m\\n.png", "\\udcff.png"]
    assert list(tmp_path.iterdir()) == [path]


def test_an_archive_that_is_cut_off_gives_what_came_before(tmp_path):
    path = archive_of(tmp_path / "s.tar", pngs(3, height=40))
    size = len(encoded(picture(0, height=40)))
    path.write_bytes(path.read_bytes()[: 512 + 512 * -(-size // 512) + 512 + 100])
    outcomes = list(Dataset.load(path).outcomes())
    assert [type(each) for each in outcomes] == [Face, Broken, Broken]
    assert "cut off: 100 of" in outcomes[1].reason
    assert "what follows is lost" in outcomes[2].reason


@pytest.mark.parametrize("rest", [b"", b"x" * 100, b"x" * 2048])
def test_an_archive_without_its_end_is_told_of(tmp_path, rest):
    """Python's own tarfile takes each of these for the end."""
    path = archive_of(tmp_path / "s.tar", pngs(1, height=40))
    size = len(encoded(picture(0, height=40)))
    path.write_bytes(path.read_bytes()[: 512 + 512 * -(-size // 512)] + rest)
    whole, told = Dataset.load(path).outcomes()
    assert isinstance(whole, Face)
    assert "what follows is lost" in told.reason


@pytest.mark.parametrize("mode", ["w:gz", "w:xz"])
def test_a_compressed_archive_says_what_to_do(tmp_path, mode):
    path = tmp_path / "s.tar.gz"
    with tarfile.open(path, mode):
        pass
    with pytest.raises(DatasetError, match="gunzip"):
        names(path)


def test_links_and_devices_of_an_archive_are_no_images(tmp_path):
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            member = tarfile.TarInfo("x.png")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    assert names(tmp_path / "s.tar") == []


def test_broken_files_are_told_with_reasons(tmp_path):
    whole = encoded(picture(height=60, width=60))
    folder_of(
        tmp_path / "f",
        {
            "bomb.png": png_bomb(60_000, 60_000),
            "cut.png": whole[:300],
            "empty.png": b"",
            "good.png": whole,
            "text.jpg": b"hello",
        },
    )
    (tmp_path / "f/large.png").write_bytes(b"")
    with (tmp_path / "f/large.png").open("r+b") as file:
        file.truncate(MAX_UPLOAD + 1)
    found = broken(tmp_path / "f")
    assert set(found) == {"bomb.png", "cut.png", "empty.png", "large.png", "text.jpg"}
    assert "50 million pixels" in found["bomb.png"]
    assert "damaged or cut off" in found["cut.png"]
    assert "0 bytes" in found["empty.png"]
    assert f"at most {MAX_UPLOAD}" in found["large.png"]


def test_what_a_folder_cannot_give_is_told(tmp_path):
    """Links that lead nowhere, in the place of their names."""
    folder_of(tmp_path / "f", {"a.png": encoded(picture())})
    (tmp_path / "f/gone.png").symlink_to("nothing.png")
    (tmp_path / "f/round.png").symlink_to("round.png")
    (tmp_path / "f/notes.txt").symlink_to("nothing.txt")
    os.mkfifo(tmp_path / "f/pipe.png")
    assert names(tmp_path / "f") == ["a.png"]
    assert broken(tmp_path / "f") == {
        "gone.png": "It cannot be read: No such file or directory.",
        "round.png": "It cannot be read: Too many levels of symbolic links.",
    }


def test_folders_that_cannot_be_read_are_told(tmp_path, monkeypatch):
    """As root everything can be: so the kernel's answer is played."""
    folder_of(tmp_path / "f", {"a.png": encoded(picture()), "locked/b.png": encoded(picture())})
    scandir = os.scandir

    def guarded(path):
        if Path(path).name == locked:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    locked = "locked"
    assert names(tmp_path / "f") == ["a.png"]
    assert broken(tmp_path / "f") == {"locked": "It cannot be read: Permission denied. What is in it is lost."}
    locked = "f"
    with pytest.raises(DatasetError, match="f cannot be read: Permission denied"):
        names(tmp_path / "f")


def test_photos_are_upright_rgb(tmp_path):
    image = Image.fromarray(np.full((10, 20, 3), (200, 0, 0), np.uint8))
    turned, buffer = Image.Exif(), io.BytesIO()
    turned[0x0112] = 6
    image.save(buffer, "JPEG", exif=turned)
    grey = encoded(np.full((5, 5), 9, np.uint8))
    folder_of(tmp_path / "f", {"a.jpg": buffer.getvalue(), "b.png": grey})
    assert [face.photo.shape for face in Dataset.load(tmp_path / "f")] == [(20, 10, 3), (5, 5, 3)]


def test_labels_and_landmarks_beside_a_source_are_used(tmp_path):
    archive_of(tmp_path / "s.tar", pngs(2))
    (tmp_path / "s.json").write_text(json.dumps([{"file": "001.png", "age": 3}, {"file": "000.png", "age": 4}]))
    np.savez(tmp_path / "s_mesh468.npz", p=np.stack([np.full((468, 2), 1.0), np.full((468, 2), 2.0)]))
    (tmp_path / "more.csv").write_text("file,age,eyes\n000.png,50,blue\n")
    first, second = Dataset.load(tmp_path / "s.tar", labels=[tmp_path / "more.csv"])
    assert first.labels == {"age": "50", "eyes": "blue"}
    assert second.labels == {"age": 3}
    assert (float(first.points[0, 0]), float(second.points[0, 0])) == (2.0, 1.0)


def test_labels_name_images_below_the_folder_that_a_source_is(tmp_path):
    """FairFace's: `train/1.jpg` and `val/1.jpg`, of which somebody builds one."""
    png = encoded(picture())
    for part in ("train", "val"):
        folder_of(tmp_path / part, {"1.png": png})
    archive_of(tmp_path / "train.tar", {"1.png": png})
    (tmp_path / "labels.csv").write_text("file,age\ntrain/1.png,0-2\n")
    found = [list(Dataset.load(tmp_path / name, labels=[tmp_path / "labels.csv"])) for name in ("train", "train.tar")]
    assert [face.labels for (face,) in found] == [{"age": "0-2"}] * 2
    (other,) = Dataset.load(tmp_path / "val", labels=[tmp_path / "labels.csv"])
    assert other.labels == {}


def test_a_data_set_is_a_source_too(tmp_path):
    writer = ShardWriter(tmp_path / "d", 24, shard_faces=2)
    for index in range(3):
        writer.add(f"{index}.png", picture(index), {"age": index}, np.full((468, 2), index))
    writer.finish()
    face = list(Dataset.load(tmp_path / "d"))[2]
    assert (face.name, face.labels, face.points[0, 0]) == ("2.png", {"age": 2}, 2.0)
    assert np.array_equal(face.photo, picture(2))


def test_several_sources_follow_each_other(tmp_path):
    one = folder_of(tmp_path / "one", {"x.png": encoded(picture())})
    two = archive_of(tmp_path / "two.tar", {"a.png": encoded(picture())})
    assert names(one, two) == names([one, str(two)]) == ["x.png", "a.png"]
    assert names(one / "x.png") == ["x.png"]


def test_a_source_that_is_none_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="There is no"):
        Dataset.load(tmp_path / "nothing")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DatasetError, match="neither a folder, nor an image, nor a tar"):
        names(tmp_path / "notes.txt")
