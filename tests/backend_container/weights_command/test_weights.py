"""`ligan weights`: published weights become a page of faces, and all weights can be listed."""

import argparse
import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from backend_container import loading
from backend_container.models.engine import FaceBox, ModelError
from backend_container.models.loader import WEIGHTS
from backend_container.models.sampling import Page, neighbours
from backend_container.phases import Phases
from backend_container.weights_command import command, importing
from backend_container.weights_command.folder import described
from tests.backend_container.models.published.published_files import random_tensors, rosinality_file
from tests.backend_container.test_loading import bootstrap


def run(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.weights(parser.parse_args([str(word) for word in words]))


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Read only."""
    folder = tmp_path_factory.mktemp("import")
    file = rosinality_file(folder / "550000.pt", random_tensors())
    assert run("import", file, "--out", folder / "faces") == 0
    return folder / "faces"


def test_a_page_of_faces_is_made_of_imported_weights(imported):
    models = loading.load(bootstrap(engine="stylegan2", weights=str(imported), device="cpu"), Phases())
    engine = models.engine
    latents = engine.sample(0, 2)
    page = neighbours(engine.space, latents[0], Page(1, 4, 0))
    photos = engine.synthesize(np.concatenate([latents, page]))
    assert photos.shape == (6, 64, 64, 3)
    assert len({photo.tobytes() for photo in photos}) == 6
    with pytest.raises(ModelError, match="hold a generator only, so no photo can be read") as caught:
        engine.encode(np.zeros((64, 64, 3), np.uint8), FaceBox(10, 10, 50, 50, 1.0))
    assert caught.value.slug == "weights-missing"


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_files_and_folders_whose_names_are_no_text(tmp_path, capsys, words):
    file = rosinality_file(tmp_path / "\udcff.pt", random_tensors())
    assert run("import", file, "--out", tmp_path / "\udcfe", *words) == 0
    assert run("info", tmp_path / "\udcfe", *words) == 0
    assert "udcff.pt, sha256" in capsys.readouterr().out


def test_an_import_that_was_broken_off_leaves_nothing_in_the_way(tmp_path, capsys, monkeypatch):
    file, save = rosinality_file(tmp_path / "550000.pt", random_tensors()), importing.files.save

    def full(folder, weights, *, half):
        save(folder, weights, half=half)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(importing.files, "save", full)
        assert run("import", file, "--out", tmp_path / "faces") == 1
    assert "faces cannot be written: No space left" in capsys.readouterr().err
    assert run("import", file, "--out", tmp_path / "faces") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["550000.pt", "faces"]


def test_an_import_into_this_folder_names_it_whole(tmp_path, capsys, monkeypatch):
    file = rosinality_file(tmp_path / "550000.pt", random_tensors())
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert run("import", file, "--out", ".") == 0
    assert f'weights = "{tmp_path}/here"' in capsys.readouterr().out
    assert described(Path()).encoder_trained is False


def test_an_import_says_where_it_comes_from_and_what_to_set(tmp_path, capsys):
    file = rosinality_file(tmp_path / "550000.pt", random_tensors())
    assert run("import", file, "--out", tmp_path / "faces", "--half", "--truncation", "0.5") == 0
    said = capsys.readouterr().out
    assert f'[backend]\nengine = "stylegan2"\nweights = "{tmp_path}/faces"' in said
    assert "550000.pt, sha256" in said
    assert json.loads((tmp_path / "faces" / "config.json").read_text())["truncation"] == 0.5
    assert run("import", file, "--out", tmp_path / "faces") == 1
    assert "is not empty. Name another folder" in capsys.readouterr().err


def test_imports_are_listed_beside_what_is_packaged(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert run("import", rosinality_file(tmp_path / "small.pt", random_tensors())) == 0
    capsys.readouterr()
    assert run("list", "--json") == 0
    found = {Path(one["folder"]).name: one for one in json.loads(capsys.readouterr().out)["weights"]}
    assert found["small"]["engine"] == "stylegan2"
    assert (found["small"]["resolution"], found["small"]["encoder_trained"]) == (64, False)
    assert found["appearance"]["engine"] == "appearance"
    assert found["appearance"]["encoder_trained"]
    assert found["small"]["terms"] == "those of its authors"
    assert run("list") == 0
    assert "no encoder" in capsys.readouterr().out


def test_weights_that_judge_faces_are_listed_with_their_terms(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert run("list", "--json") == 0
    found = {Path(one["folder"]).name: one for one in json.loads(capsys.readouterr().out)["weights"]}
    told = {name: (one["use"], one["engine"], one["resolution"], one["terms"]) for name, one in found.items()}
    assert told == {
        "appearance": ("appearance", "appearance", 128, "research use"),
        "appearance-ccby": ("appearance", "appearance", 128, "CC BY 4.0"),
        "celeba": ("attributes", "", 128, "non-commercial research"),
        "utkface": ("attributes", "", 128, "non-commercial research"),
    }
    assert all(file["sound"] for one in found.values() for file in one["files"])
    assert run("list") == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("attributes")]
    assert [row[3:6] for row in rows] == [["–", "non-commercial", "research"]] * 2


def test_a_damaged_import_hides_no_others(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    damaged = tmp_path / "ligan" / "weights" / "damaged"
    damaged.mkdir(parents=True)
    (damaged / "config.json").write_text("{")
    assert run("list") == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[-2] for row in rows if row.endswith("damaged")] == ["DAMAGED"]
    assert sum(row.startswith("appearance") for row in rows) == 2
    assert run("list", "--json") == 0
    found = {Path(one["folder"]).name: one for one in json.loads(capsys.readouterr().out)["weights"]}
    assert "is not JSON" in found["damaged"]["trouble"]
    assert run("list", damaged) == 1, "a folder that is named has to hold weights"


def test_weights_of_no_engine_are_none_of_stylegan2():
    found = described(WEIGHTS / "attributes" / "celeba")
    assert (found.engine, found.encoder_trained) == ("", False)


def test_a_damaged_file_is_shown(tmp_path, capsys):
    assert run("import", rosinality_file(tmp_path / "x.pt", random_tensors()), "--out", tmp_path / "faces") == 0
    assert run("info", tmp_path / "faces") == 0
    (tmp_path / "faces" / "pca.safetensors").write_bytes(b"other")
    capsys.readouterr()
    assert run("info", tmp_path / "faces", "--json") == 1
    sound = {file["name"]: file["sound"] for file in json.loads(capsys.readouterr().out)["files"]}
    assert sound == {"encoder.safetensors": True, "generator.safetensors": True, "pca.safetensors": False}


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (None, r"config\.json cannot be read"),
        ("{", "is not JSON"),
        ("[]", "names no files"),
        ('{"files": {"../../etc/passwd": "00"}}', "names no files"),
        ('{"files": {"a.safetensors": "00"}}', r"a\.safetensors cannot be read"),
    ],
)
def test_a_folder_that_holds_no_weights(tmp_path, config, reason):
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(ModelError, match=reason):
        described(tmp_path)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("import", "nowhere.pt"), "nowhere.pt cannot be read"),
        (("import", "."), ". is no file. Name a .pkl or a .pt"),
        (("import", "/dev/zero"), "/dev/zero is no file"),
        (("import", "nowhere.pt", "--out", __file__), "is no folder. Name another one"),
        (("info", "nowhere"), "nowhere holds no weights"),
    ],
)
def test_refusals_are_sentences(words, reason, capsys):
    assert run(*words) == 1
    assert reason in capsys.readouterr().err
