"""What came back is written below one folder, and over nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ligan.problem import Problem
from ligan.wire.trial import ReturnedFile
from master_daemon.developer_command import results


def write(folder: Path, name: str, body: bytes = b"new", size: int = 3, executable: bool = False) -> str:
    file = ReturnedFile(path=name, size=size, pieces=[], executable=executable)
    return results.write(folder, file, [body]).problem


def test_files_and_their_folders(tmp_path: Path) -> None:
    assert write(tmp_path / "out", "a/b/c") == ""
    assert write(tmp_path / "out", "tool", executable=True) == ""
    assert (tmp_path / "out/a/b/c").read_bytes() == b"new"
    assert os.access(tmp_path / "out/tool", os.X_OK)
    assert not os.access(tmp_path / "out/a/b/c", os.X_OK)
    assert "cut off" in write(tmp_path / "out", "short", size=4)


@pytest.mark.parametrize(
    "name", ["/etc/ligan-trial", "../outside", "a/../../outside", "link/outside", "link/new/outside"]
)
def test_nothing_outside(tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path)
    assert "leads out" in write(tmp_path / "out", name)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    assert "stays as it is" in write(tmp_path, "mine")
    assert "stays as it is" in write(tmp_path, "link")
    assert "stays as it is" in write(tmp_path, "mine/below") or not (tmp_path / "mine").is_dir()
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_body_that_breaks_off_leaves_no_half(tmp_path: Path) -> None:
    def body() -> Iterator[bytes]:
        yield b"ne"
        raise Problem("unreachable", "It restarts.")

    file = ReturnedFile(path="a", size=3, pieces=[])
    with pytest.raises(Problem):
        results.write(tmp_path, file, body())
    assert list(tmp_path.iterdir()) == []
