"""`ligan dataset`, called as the command calls it."""

import argparse
import errno
import json
import os
import signal

import numpy as np
import pytest

from backend_container.dataset_command import dataset as verb
from backend_container.dataset_command.building import recipe_of
from backend_container.dataset_command.progress import ProgressLine, line
from backend_container.datasets.dataset import Dataset
from backend_container.datasets.recipe import Cut, Recipe, applied
from backend_container.datasets.shard_index import DatasetError
from tests.backend_container.datasets.pictures import archive_of, encoded, folder_of, picture, pngs


def parsed(*words):
    parser = argparse.ArgumentParser(prog="ligan dataset")
    verb.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


def ligan_dataset(capsys, *words):
    code = verb.dataset(parsed(*words))
    return code, *capsys.readouterr()


def recipe(*words):
    return recipe_of(parsed("build", "photos", "-o", "out", *words))


def steps(*words):
    return [step.describe() for step in applied(recipe(*words), Dataset(())).steps]


@pytest.mark.parametrize(
    ("words", "remedy"),
    [((), "--min-size lets smaller photos in"), (("--as-is", "--no-keep-grey"), "--keep-grey keeps photos without")],
)
def test_where_no_face_is_left_it_is_told_what_would_keep_some(capsys, tmp_path, words, remedy):
    source = folder_of(tmp_path / "photos", {f"{n}.png": encoded(np.full((20, 20, 3), n, np.uint8)) for n in range(3)})
    code, told, wrong = ligan_dataset(capsys, "build", source, "-o", tmp_path / "faces", "--workers", 1, *words)
    assert code == 1
    assert "0 faces" in told
    assert f"No face is left. {remedy}" in wrong


def test_without_options_it_is_the_listing():
    assert recipe() == Recipe(128, Cut.PADDED, 256, False, 128, 0.9, True, 0.9, False)
    face = "min_face_width=128, output_face_height=128, output_face_width=128"
    assert steps() == [
        "filter size_filter(min_size=256)",
        "filter color_filter()",
        f"apply extract_face(confidence_threshold=0.9, min_face_height=128, {face})",
        "filter quality_filter()",
        "apply embed(aligned=False, embedding=identity)",
        "filter_window remove_too_similar(window_size=2, embedding=identity, similarity_threshold=0.9)",
    ]


def test_faces_as_they_are_are_only_fitted():
    assert steps("--as-is", "--size", 64) == ["apply fit(size=64)"]
    assert steps("--as-is", "--quality", "--no-keep-grey", "--points") == [
        "filter color_filter()",
        "filter quality_filter()",  # before black is added
        "apply fit(size=128)",
        "apply find_points()",
    ]


def test_aligned_faces_are_not_aligned_again():
    words = ("--cut", "aligned", "--min-size", 0, "--keep-grey", "--min-face", 60, "--no-quality")
    assert steps(*words)[:2] == [
        "apply align_face(confidence_threshold=0.9, min_face_height=60, min_face_width=60, size=128)",
        "apply embed(aligned=True, embedding=identity)",
    ]


@pytest.mark.parametrize(
    "words", [("--size", 4), ("--size", 9999), ("--confidence", 2), ("--similar", -1), ("--workers", -1)]
)
def test_numbers_out_of_range_say_the_range(words, capsys, tmp_path):
    with pytest.raises(DatasetError, match=f"{words[0]} is "):
        recipe(*words)
    code, _, told = ligan_dataset(capsys, "build", tmp_path, "-o", tmp_path / "out", *words)
    assert (code, told.startswith("ligan dataset: " + words[0])) == (1, True)


def test_landmarks_are_left_out_where_not_all_have_some(tmp_path):
    plain = applied(recipe("--as-is"), Dataset.load(folder_of(tmp_path / "f", pngs(1))))
    assert [step.label for step in plain.steps] == ["fit", "without_points"]


@pytest.fixture
def built(tmp_path, capsys):
    source = archive_of(tmp_path / "s.tar", {**pngs(5), "grey.png": encoded(picture()[..., 0]), "x.png": b"broken"})
    (tmp_path / "s.json").write_text(json.dumps({f"{index:03d}.png": {"age": 30 + index % 2} for index in range(5)}))
    words = ("build", source, "-o", tmp_path / "out", "--as-is", "--no-keep-grey", "--size", 16, "--workers", 0)
    code, told, progress = ligan_dataset(capsys, *words, "--json")
    assert code == 0
    assert "7 of 7 (100 %), 5 kept" in progress
    return tmp_path / "out", json.loads(told), words


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_folders_whose_names_are_no_text(tmp_path, capsys, words):
    source, out = folder_of(tmp_path / "\udcff", pngs(1)), tmp_path / "\udcfe"
    code, told, _ = ligan_dataset(capsys, "build", source, "-o", out, "--as-is", "--size", 16, "--workers", 0, *words)
    assert code == 0
    assert json.loads(told)["folder"].endswith("\\udcfe") if words else "\\udcfe: 1 faces" in told
    code, told, _ = ligan_dataset(capsys, "info", out, *words)
    assert code == 0
    assert json.loads(told)["made_by"]["sources"] == ["\\udcff"] if words else "\n  \\udcff" in told


def test_it_tells_what_was_built(built, capsys):
    folder, answer, words = built
    assert answer.pop("images_per_second") > 0
    assert answer == {
        "folder": str(folder), "resolution": 16, "read": 7, "kept": 5, "broken": 1,
        "dropped": {"color_filter": 1, "fit": 0, "without_points": 0},
    }  # fmt: skip
    code, told, _ = ligan_dataset(capsys, *words)
    assert code == 0
    assert "5 faces of 16 × 16 pixels, of 7 images\nnot in it:" in told
    assert "1  broken files" in told


def test_it_tells_what_a_data_set_holds(built, capsys):
    code, told, _ = ligan_dataset(capsys, "info", built[0], "--check")
    assert code == 0
    assert "5 faces of 16 × 16 pixels, without landmarks" in told
    assert "  age: 30 3, 31 2" in told
    _, told, _ = ligan_dataset(capsys, "info", built[0], "--json")
    assert json.loads(told)["labels"] == {"age": {"30": 3, "31": 2}}


def test_a_histogram_is_a_picture(built, capsys):
    code, told, _ = ligan_dataset(capsys, "info", built[0], "--histogram", "age")
    assert (code, told.startswith("<svg"), told.count("<rect")) == (0, True, 3)
    code, _, told = ligan_dataset(capsys, "info", built[0], "--histogram", "eyes")
    assert (code, "has no label eyes. It has: age." in told) == (1, True)


def test_damage_is_told(built, capsys):
    path = built[0] / "faces-00000.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\0\0")
    code, _, told = ligan_dataset(capsys, "info", built[0])
    assert (code, "it was cut off" in told) == (1, True)


def test_ctrl_c_says_that_it_goes_on(tmp_path, capsys, monkeypatch):
    def interrupted(*_arguments, **_options):
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Dataset, "create", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    source = folder_of(tmp_path / "s", pngs(1))
    code, _, told = ligan_dataset(capsys, "build", source, "-o", tmp_path / "out", "--as-is")
    assert (code, told) == (130, "ligan dataset: stopped. The same command goes on from here.\n")
    assert signal.getsignal(signal.SIGTERM) is before


def test_sources_without_an_image_make_no_data_set(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("x")
    code, _, told = ligan_dataset(capsys, "build", tmp_path, "-o", tmp_path / "out")
    assert (code, told.startswith(f"ligan dataset: There is no image in {tmp_path}.")) == (1, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("labels", ["utkface", "other.csv"])
def test_labels_of_other_images_are_told(tmp_path, capsys, monkeypatch, labels):
    """They would be left out without a word, and missed by the training."""
    monkeypatch.chdir(tmp_path)
    source = folder_of(tmp_path / "s", pngs(1))
    (tmp_path / "other.csv").write_text("file,age\nperson.png,3\n")
    words = ("build", source, "-o", tmp_path / "out", "--as-is", "--size", 16, "--workers", 0, "--labels")
    code, _, told = ligan_dataset(capsys, *words, labels)
    assert (code, f"{labels} says nothing of any image: they are called 000.png" in told) == (1, True)


def test_a_full_disk_says_that_it_goes_on(tmp_path, capsys, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Dataset, "create", full)
    code, _, told = ligan_dataset(capsys, "build", folder_of(tmp_path / "s", pngs(1)), "-o", tmp_path / "out")
    assert code == 1
    assert told.startswith(f"ligan dataset: {tmp_path}/out: No space left on device. ")
    assert "the same command goes on" in told


def test_a_login_node_says_what_is_missing(capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "backend_container.dataset_command.building", None)
    code, _, told = ligan_dataset(capsys, "build", "x", "-o", "y")
    assert code == 3
    assert "is not installed here" in told


def test_the_end_is_told_once_it_can_be_known():
    assert line(10, 40, 9, fresh=10, elapsed=2.0) == "10 of 40 (25 %), 9 kept"
    assert line(10, 40, 9, fresh=10, elapsed=20.0) == "10 of 40 (25 %), 9 kept, 0.5 images/s, 1:00 left"
    assert line(100, 40_000, 9, fresh=10, elapsed=10.0).endswith("11:05:00 left")
    assert line(0, 0, 0, fresh=0, elapsed=0.0) == "0 of 0 (nothing to do), 0 kept"


def test_only_images_of_this_go_count_for_the_speed(capsys):
    now = [100.0]
    progress = ProgressLine(lambda: now[0])
    for later, done in ((0, 1000), (30, 1001), (10, 1011), (10, 1021)):
        now[0] += later
        progress(done, 2000, done)
    told = capsys.readouterr().err.splitlines()
    assert told[-1] == "1021 of 2000 (51 %), 1021 kept, 1 images/s, 16:19 left"
    assert progress.speed(2000) == pytest.approx(1000 / 50)
