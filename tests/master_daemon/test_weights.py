"""The site's weights by their hashes, and who may fetch them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import requests

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.web.guard import TOKEN_HEADER, bearer
from master_daemon.weights import Weights
from tests.master_daemon.running import House


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "config.json").write_bytes(b"{}")
    (folder / "model.safetensors").write_bytes(b"tensors" * 100_000)
    (folder / "samples.png").write_bytes(b"for people")
    return folder


def test_what_an_engine_reads_is_named_by_its_hash(folder: Path) -> None:
    weights = Weights(str(folder))
    assert weights.files() == {"config.json": sha256(b"{}"), "model.safetensors": sha256(b"tensors" * 100_000)}
    assert weights.find(sha256(b"{}")) == folder / "config.json"
    assert weights.find(sha256(b"for people")) is None


def test_a_file_that_changes_has_another_hash(folder: Path) -> None:
    weights = Weights(str(folder))
    weights.files()
    (folder / "config.json").write_bytes(b'{"new": 1}')
    assert weights.files()["config.json"] == sha256(b'{"new": 1}')
    assert weights.find(sha256(b"{}")) is None


@pytest.mark.parametrize("directory", ["", "/nowhere/at/all"])
def test_what_is_not_here_cannot_be_given(directory: str) -> None:
    assert Weights(directory).files() == {}
    assert Weights(directory).find("0" * 64) is None


def test_a_file_that_cannot_be_read_leaves_the_daemon_at_work(folder: Path) -> None:
    (folder / "gone.json").symlink_to(folder / "nowhere")
    assert Weights(str(folder)).files() == {}


@pytest.fixture
def given(house: House, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon has these weights to give."""
    monkeypatch.setitem(house.daemon.parts.launcher.__dict__, "weights", Weights(str(folder)))


@pytest.mark.usefixtures("given")
def test_a_backend_fetches_what_its_document_names(house: House, browser: requests.Session) -> None:
    backend = house.backend(browser)
    files = backend.bootstrap.weights_files
    assert set(files) == {"config.json", "model.safetensors"}
    line = backend.cluster()
    assert line.get_bytes(f"/weights/{files['model.safetensors']}") == b"tensors" * 100_000
    for name in ("0" * 64, "..%2F..%2Fsecret", sha256(b"for people")):
        with pytest.raises(Problem) as raised:
            line.get_bytes(f"/weights/{name}")
        assert raised.value.slug in {"not-found", "invalid-parameters"}


@pytest.mark.usefixtures("given")
def test_nobody_else_does(house: House, browser: requests.Session) -> None:
    backend = house.backend(browser)
    path = f"/weights/{backend.bootstrap.weights_files['config.json']}"
    for headers in ({TOKEN_HEADER: bearer(new_id())}, {TOKEN_HEADER: ""}):
        with pytest.raises(Problem) as raised:
            backend.cluster(**headers).get_bytes(path)
        assert raised.value.slug == "not-authorised"
    assert requests.get(f"{house.url}/cluster/v1{path}", timeout=10).content != b"{}", "not through the public port"
