"""What goes home: bounded, and nothing from elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ligan.trial.returning import Returned, send_home
from ligan.wire.trial import TrialResult
from tests.ligan.trial.stub import StubLine


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """out and work."""
    for name in ("out", "work"):
        (tmp_path / name).mkdir()
    (tmp_path / "secret").write_text("not yours")
    return tmp_path / "out", tmp_path / "work"


def sent(folders: tuple[Path, Path], *globs: str, most: int = 1 << 20) -> tuple[dict[str, bytes], Returned]:
    line = StubLine()
    returned = send_home(line, *folders, globs, most)
    return {file.path: b"".join(line.pieces[one] for one in file.pieces) for file in returned.files}, returned


def test_all_of_out_and_what_matches(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ligan.trial.returning.MAX_PIECE", 3)
    out, work = folders
    (out / "deep" / "er").mkdir(parents=True)
    (out / "deep" / "er" / "a").write_text("long text")
    (out / "empty").touch()
    (work / "runs").mkdir()
    (work / "runs" / "1.png").write_text("1")
    (work / "runs" / "1.txt").write_text("2")
    (work / "tool").write_text("3")
    (work / "tool").chmod(0o755)
    files, returned = sent(folders, "**/*.png", "tool")
    assert files == {"deep/er/a": b"long text", "empty": b"", "runs/1.png": b"1", "tool": b"3"}
    assert [file.path for file in returned.files if file.executable] == ["tool"]
    assert returned.left_out == []


def test_how_many_stay_is_told_when_not_all_can_be_named(folders: tuple[Path, Path]) -> None:
    for number in range(150):
        (folders[0] / f"{number:03}").write_bytes(b"ab")
    files, returned = sent(folders, most=20)
    assert (len(files), len(returned.left_out), returned.left_out[-1]) == (10, 100, "41 more")
    TrialResult(exit_code=0, told=False, left_out=returned.left_out)


def test_links_and_pipes_stay(folders: tuple[Path, Path]) -> None:
    out, work = folders
    (out / "link").symlink_to(out.parent / "secret")
    (out / "folder").symlink_to(out.parent)
    (work / "up").symlink_to(out.parent)
    os.mkfifo(out / "pipe")
    files, returned = sent(folders, "up/*", "../secret", "**/secret")
    assert files == {}
    assert sorted(returned.left_out) == [
        "folder: it is a link",
        "link: it is a link",
        "pipe: it is no regular file",
        "up/work/up: it is a link",
    ]


def test_a_link_to_itself_stays(folders: tuple[Path, Path]) -> None:
    (folders[1] / "loop").symlink_to("loop")
    (folders[1] / "a").write_text("x")
    files, returned = sent(folders, "*", "loop/*")
    assert files == {"a": b"x"}
    assert returned.left_out == ["loop: it is a link"]


def test_names_that_are_no_text_stay_and_are_told(folders: tuple[Path, Path]) -> None:
    Path(os.fsdecode(bytes(folders[0]) + b"/caf\xe9")).write_text("x")
    (folders[0] / "a\nb").write_text("x")
    _, returned = sent(folders)
    assert returned.left_out == ["a\nb: its name cannot be sent", "caf?: its name cannot be sent"]
    assert TrialResult(exit_code=0, told=False, left_out=returned.left_out).left_out == returned.left_out


def test_no_more_than_is_allowed(folders: tuple[Path, Path]) -> None:
    out, _ = folders
    for name in "abc":
        (out / name).write_text("x" * 10)
    files, returned = sent(folders, most=25)
    assert sorted(files) == ["a", "b"]
    assert returned.left_out == ["c: together with it more than 25 bytes would be sent back"]


def test_a_folder_as_a_pattern(folders: tuple[Path, Path]) -> None:
    (folders[1] / "runs").mkdir()
    (folders[1] / "runs" / "a").write_text("x")
    assert list(sent(folders, "runs")[0]) == ["runs/a"]
