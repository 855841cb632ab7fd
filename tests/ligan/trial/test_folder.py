"""Nothing of a working folder leaves its place, on the way out or in."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from ligan.trial.folder import FolderError, clear, fetch, unpack
from ligan.wire.trial import Content
from tests.ligan.trial.stub import StubLine
from tests.ordinary import ordinary_folder


def packed(*members: tuple[str, bytes, str, int]) -> io.BytesIO:
    """A tar.gz of (name, type, content or target, mode)."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, kind, content, mode in members:
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.linkname = kind, mode, "" if kind == tarfile.REGTYPE else content
            member.size = len(content) if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(content.encode()))
    file.seek(0)
    return file


@pytest.mark.parametrize(
    "member",
    [
        ("../outside", tarfile.REGTYPE, "x", 0o644),
        ("/etc/ligan-trial", tarfile.REGTYPE, "x", 0o644),
        ("a/../../outside", tarfile.REGTYPE, "x", 0o644),
        ("link", tarfile.SYMTYPE, "/etc", 0o644),
        ("link", tarfile.SYMTYPE, "../..", 0o644),
        ("link", tarfile.LNKTYPE, "../outside", 0o644),
        ("pipe", tarfile.FIFOTYPE, "", 0o644),
        ("device", tarfile.CHRTYPE, "", 0o644),
    ],
)
def test_what_leads_out_is_refused(tmp_path: Path, member: tuple[str, bytes, str, int]) -> None:
    (tmp_path / "work").mkdir()
    with pytest.raises(FolderError, match="cannot be unpacked"):
        unpack(packed(member), tmp_path / "work")
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    chain = [
        ("a", tarfile.SYMTYPE, "b", 0o777),
        ("b", tarfile.SYMTYPE, ".", 0o777),
        ("a/x", tarfile.REGTYPE, "x", 0o644),
    ]
    with pytest.raises(FolderError):
        unpack(packed(*chain), tmp_path / "work")
    assert not (tmp_path / "x").exists()


def test_modes_and_links_inside_are_kept(tmp_path: Path) -> None:
    run, link = ("run.sh", tarfile.REGTYPE, "#!/bin/sh\n", 0o4755), ("again", tarfile.SYMTYPE, "run.sh", 0o777)
    unpack(packed(run, link), tmp_path)
    assert stat.S_IMODE((tmp_path / "run.sh").stat().st_mode) == 0o755
    assert os.readlink(tmp_path / "again") == "run.sh"  # noqa: PTH115 (a text)


@pytest.mark.parametrize("body", [b"", b"no archive", b"\x1f\x8b\x08\x00cut off"])
def test_what_is_no_archive(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(FolderError):
        unpack(io.BytesIO(body), tmp_path)


def test_a_folder_comes_in_pieces(tmp_path: Path) -> None:
    whole = packed(("a", tarfile.REGTYPE, "text", 0o644)).getvalue()
    bodies = [whole[:20], whole[20:]]
    names = [hashlib.sha256(body).hexdigest() for body in bodies]
    line = StubLine(dict(zip(names, bodies, strict=True)))
    fetch(line, Content(size=len(whole), pieces=names), tmp_path / "work")
    assert (tmp_path / "work" / "a").read_text() == "text"
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


def test_no_folder_is_an_empty_one(tmp_path: Path) -> None:
    fetch(StubLine(), None, tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []


def test_a_folder_goes_with_what_was_made_read_only_and_nothing_beside_it() -> None:
    with ordinary_folder() as top:
        (top / "elsewhere").mkdir()
        (top / "elsewhere").chmod(0o755)
        (top / "trial" / "work" / "cache" / "deep").mkdir(parents=True)
        (top / "trial" / "work" / "cache" / "deep" / "file").touch()
        (top / "trial" / "work" / "away").symlink_to(top / "elsewhere")
        for name in ("cache/deep", "cache"):
            (top / "trial" / "work" / name).chmod(0o400)
        clear(top / "trial")
        assert [path.name for path in top.iterdir()] == ["elsewhere"]
        assert (top / "elsewhere").stat().st_mode & 0o777 == 0o755
