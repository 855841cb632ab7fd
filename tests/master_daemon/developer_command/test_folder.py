"""What is packed of a working folder: the same bytes for the same files, and nothing that was not meant."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from ligan.trial.folder import unpack
from ligan.wire.trial import Content
from master_daemon.developer_command.folder import FolderTooLargeError, chosen, packing

MOST = 1 << 24


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    for name in ("a.py", "data/b.csv", "data/deep/c.log", "ligan-out/j-1/old", "venv/lib/x.py"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(name)
    return work


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def names(folder: Path) -> list[str]:
    with packing(folder, MOST) as packed:
        packed.file.seek(0)
        with tarfile.open(fileobj=packed.file, mode="r:gz") as tar:
            return tar.getnames()


def content(folder: Path) -> Content:
    with packing(folder, MOST) as packed:
        return packed.content()


def test_all_files_where_there_is_no_git(folder: Path) -> None:
    assert chosen(folder) == ["a.py", "data/b.csv", "data/deep/c.log", "venv/lib/x.py"]


def test_what_git_tracks_or_does_not_ignore(folder: Path) -> None:
    (folder / ".gitignore").write_text("venv\n*.log\n")
    git(folder, "init", "-q")
    git(folder, "add", "-f", "data/deep/c.log", "a.py")
    assert chosen(folder) == [".gitignore", "a.py", "data/b.csv", "data/deep/c.log"]
    assert chosen(folder / "data") == ["b.csv", "deep/c.log"]
    (folder / "a.py").unlink()
    assert names(folder) == [".gitignore", "data/b.csv", "data/deep/c.log"]


def test_nothing_is_sent_where_git_does_not_tell_what_it_ignores(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(folder, "init", "-q")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # as in a folder of somebody else's
    with pytest.raises(OSError, match=r"which files it ignores .*dubious ownership"):
        chosen(folder)


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        ("# nothing\n\n", ["a.py", "data/b.csv", "data/deep/c.log", "venv/lib/x.py"]),
        ("venv/\n*.log\n", ["a.py", "data/b.csv"]),
        ("/data\n", ["a.py", "venv/lib/x.py"]),
        ("data/deep\n/lib\n", ["a.py", "data/b.csv", "venv/lib/x.py"]),
        ("data/**/*.csv\nvenv/**\n", ["a.py", "data/deep/c.log"]),
        ("**/a.py\ndata/**/c.log\n", ["data/b.csv", "venv/lib/x.py"]),
    ],
)
def test_liganignore(folder: Path, patterns: str, left: list[str]) -> None:
    (folder / ".liganignore").write_text(patterns)
    assert chosen(folder) == [".liganignore", *left]


def test_repositories_within_are_sent_as_they_ignore(folder: Path) -> None:
    """git itself names but their folders: one that it does not know, and a submodule."""
    for where in (folder, folder / "venv", folder / "venv" / "lib"):
        git(where, "init")
    (folder / "venv" / "lib" / ".gitignore").write_text("*.pyc\n")
    (folder / "venv" / "lib" / "c.pyc").touch()
    names = {name for name in chosen(folder) if name.startswith("venv/")}
    assert {"venv/lib/.gitignore", "venv/lib/x.py"} <= names
    assert not [name for name in names if name.endswith(".pyc") or ".git/" in name]
    with packing(folder, MOST) as packed:
        assert packed.left_out == []


def test_a_submodule_that_is_not_there_is_told(folder: Path) -> None:
    git(folder, "init")
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    (folder / "module").mkdir()
    with packing(folder, MOST) as packed:
        assert packed.left_out == [
            "module: a git submodule that is not there; this gets it: git submodule update --init"
        ]


def test_exceptions_as_git_has_them_are_refused(folder: Path) -> None:
    (folder / ".liganignore").write_text("data/\n!data/b.csv\n")
    with pytest.raises(OSError, match=r"no exceptions, such as !data/b\.csv"):
        chosen(folder)


def test_the_same_files_are_the_same_bytes(folder: Path) -> None:
    first = content(folder)
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))
    assert content(folder) == first
    (folder / "a.py").write_text("changed")
    assert content(folder) != first


def test_pieces_together_are_the_whole(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("master_daemon.developer_command.folder.MAX_PIECE", 50)
    (folder / "a.py").chmod(0o755)
    (folder / "link").symlink_to("data/b.csv")
    with packing(folder, MOST) as packed:
        count = len(packed.content().pieces)
        (tmp_path / "whole").write_bytes(b"".join(packed.piece(number) for number in range(count)))
    assert count > 2
    (tmp_path / "copy").mkdir()
    with (tmp_path / "whole").open("rb") as file:
        unpack(file, tmp_path / "copy")
    assert (tmp_path / "copy" / "link").read_text() == "data/b.csv"
    assert os.access(tmp_path / "copy" / "a.py", os.X_OK)


def test_patterns_are_bytes_as_names_are(folder: Path) -> None:
    Path(os.fsdecode(bytes(folder) + b"/caf\xe9")).touch()
    (folder / ".liganignore").write_bytes(b"caf\xe9\n/data\n")
    assert chosen(folder) == [".liganignore", "a.py", "venv/lib/x.py"]


@pytest.mark.parametrize("with_git", [False, True])
def test_links_to_folders_go_along_or_are_told(folder: Path, with_git: bool) -> None:
    (folder / "here").symlink_to("data")
    (folder / "data" / "away").symlink_to("/etc")
    if with_git:
        git(folder, "init", "-q")
    assert "here" in names(folder)
    with packing(folder, MOST) as packed:
        assert packed.left_out == ["data/away: a link that leads out of the folder"]


def test_links_out_and_pipes_stay_here(folder: Path) -> None:
    (folder / "out").symlink_to("/etc/passwd")
    (folder / "up").symlink_to("../elsewhere")
    os.mkfifo(folder / "pipe")
    with packing(folder, MOST) as packed:
        left_out, files = packed.left_out, packed.files
    assert left_out == [
        "out: a link that leads out of the folder",
        "pipe: no regular file",
        "up: a link that leads out of the folder",
    ]
    assert files == 4


def test_a_file_that_goes_meanwhile_is_not_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("master_daemon.developer_command.folder._unfit", lambda _folder, path, _mode: path.unlink())
    assert names(folder) == []


def test_a_file_that_is_cut_off_meanwhile_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it had had a byte more when it was opened."""

    def before(number: int) -> os.stat_result:
        found = tuple(os.stat(number))
        return os.stat_result((*found[:6], found[6] + 1, *found[7:]))

    monkeypatch.setattr("master_daemon.developer_command.folder.os.fstat", before)
    with pytest.raises(OSError, match=r"a\.py was cut off while it was read; submit again"), packing(folder, MOST):
        pass


def test_a_large_folder_is_refused_with_advice(folder: Path) -> None:
    (folder / "data" / "noise").write_bytes(os.urandom(1 << 20))
    with (
        pytest.raises(FolderTooLargeError, match=r"largest are data \(1 MiB\), .* \.liganignore"),
        packing(folder, 1 << 19),
    ):
        pass
