"""`ligan train` as it is typed: what it refuses and what it says."""

from __future__ import annotations

import argparse
import errno
import json
import os
import subprocess
import sys
import tomllib

import pytest
import torch

from backend_container.training import command, session
from backend_container.training.command import add_arguments
from backend_container.training.error import TrainingError
from tests.backend_container.training_runs import ToyConfig, ToyTrainer, make_shards, make_toy


def train(*words: object) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return command.train(parser.parse_args([str(word) for word in words]))


@pytest.fixture
def toy(monkeypatch):
    """The kind `generator` is a random walk."""

    class Module:
        Config, make_trainer = ToyConfig, staticmethod(make_toy)

    monkeypatch.setattr(command, "_module", lambda _kind, _name: Module)
    # The test's own signals stay as they are.
    monkeypatch.setattr(session.Stop, "install", lambda _self: None)


def test_an_example_is_a_settings_file(capsys):
    assert train("generator", "--example") == 0
    assert tomllib.loads(capsys.readouterr().out)["r1_every"] == 16


def test_it_tells_scripts_of_all_that_happens(toy, shards, tmp_path, capsys):
    settings = tmp_path / "toy.toml"
    settings.write_text('log_every = 2\nsteps = 9\ndevice = "cpu"\n')
    assert (
        train("generator", "--config", settings, "--data", shards, "--out", tmp_path / "run", "--steps", 4, "--json")
        == 0
    )
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["event"] for one in told] == ["checkpoint", "progress", "progress", "checkpoint", "done"]
    progress = told[2]
    assert (progress["step"], progress["steps"], progress["images"]) == (4, 4, 32)
    assert progress["losses"].keys() == {"length"}
    assert progress["images_per_s"] > 0


def test_it_tells_people_too(toy, shards, tmp_path, capsys):
    assert train("generator", "--data", shards, "--out", tmp_path, "--steps", 40) == 0
    assert "step 20 of 40 · 160 images · " in capsys.readouterr().out
    assert train("generator", "--data", shards, "--out", tmp_path, "--steps", 41) == 0
    assert "[train] goes on from step 40 of 41" in capsys.readouterr().out


@pytest.mark.parametrize(("cut", "warned"), [("extract_face(min_face_width=128)", True), ("align_face()", False)])
def test_faces_that_the_engines_see_otherwise_are_told_of(toy, tmp_path, capsys, cut, warned):
    shards = make_shards(tmp_path / "shards", steps=["filter size_filter()", f"apply {cut}"])
    assert train("generator", "--data", shards, "--out", tmp_path / "run", "--steps", 1) == 0
    assert ("--cut aligned" in capsys.readouterr().out) is warned


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--data is needed"),
        (("--data", "{tmp}/nothing", "--out", "{tmp}/run"), "ligan dataset build"),
        (("--data", "{shards}", "--out", "{tmp}/run", "--config", "{tmp}/none.toml"), "cannot be read as TOML"),
        (("--data", "{shards}", "--out", "/proc/run"), "take another --out"),
        (("--data", "{shards}", "--out", "{tmp}/run", "--steps", "0"), "steps: Input should be greater"),
        (("--data", "{shards}", "--out", "{shards}/..", "--resume", "never"), "holds a run already"),
    ],
)
def test_what_cannot_begin_says_why(toy, shards, tmp_path, capsys, words, told):
    (shards.parent / "checkpoints").mkdir(exist_ok=True)
    assert train("generator", *(word.format(tmp=tmp_path, shards=shards) for word in words)) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("device", ["cuda:99", "meta"])
def test_a_device_that_is_not_there(toy, shards, tmp_path, capsys, device):
    """`meta` is one of PyTorch's that holds no numbers."""
    settings = tmp_path / "toy.toml"
    settings.write_text(f'device = "{device}"\n')
    assert train("generator", "--config", settings, "--data", shards, "--out", tmp_path / "run") == 2
    assert f"PyTorch cannot use the device '{device}'" in capsys.readouterr().err


def test_threads_that_no_machine_has(toy, shards, tmp_path, capsys):
    """PyTorch would break off in the middle of its own start."""
    settings = tmp_path / "toy.toml"
    settings.write_text("threads = 100000\n")
    assert train("generator", "--config", settings, "--data", shards, "--out", tmp_path / "run") == 2
    assert "threads: Input should be less than or equal to 1024" in capsys.readouterr().err


def test_a_login_node_has_no_torch(monkeypatch, tmp_path, capsys):
    for name in [name for name in sys.modules if name.startswith("backend_container.training.generator")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert train("generator", "--data", tmp_path, "--out", tmp_path / "run") == 2
    assert "torch is not installed here" in capsys.readouterr().err


@pytest.mark.parametrize("kind", command.KINDS)
def test_a_login_node_writes_examples_all_the_same(kind):
    code = "import sys; sys.modules['torch'] = None; from ligan.command import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code, "train", kind, "--example"], capture_output=True, text=True)
    assert (done.returncode, done.stdout.startswith("# Steps in all")) == (0, True)


def test_a_kind_that_is_not_there():
    with pytest.raises(TrainingError, match=r"cannot train sculptors: backend_container\.training\.sculptors is"):
        command._module("sculptors", "config")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_too_little_memory_is_told(toy, shards, tmp_path, capsys, monkeypatch, error):
    def greedy(_trainer):
        raise error

    monkeypatch.setattr(ToyTrainer, "step", greedy)
    assert train("generator", "--data", shards, "--out", tmp_path, "--steps", 2) == 1
    assert "The memory is too small" in capsys.readouterr().err


def test_a_disk_that_is_full_at_the_end_is_told(toy, shards, tmp_path, capsys, monkeypatch):
    def full(_trainer, _folder):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(ToyTrainer, "finish", full)
        assert train("generator", "--data", shards, "--out", tmp_path, "--steps", 2) == 1
    assert f"{tmp_path} cannot be written (No space left on device); make room" in capsys.readouterr().err
    assert train("generator", "--data", shards, "--out", tmp_path, "--steps", 2) == 0
