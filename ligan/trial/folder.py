"""A trial's folder: its working folder, unpacked where nothing of it can leave its place, and removed at the end."""

from __future__ import annotations

import os
import shutil
import tarfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO

from ligan.trial.line import Line
from ligan.wire.trial import Content, ReturnedFile


class FolderError(Exception):
    """The folder cannot be unpacked; the text says why."""


def fetch(line: Line, content: Content | None, at: Path) -> None:
    """The working folder, from the daemon, into the new folder `at`. Raises FolderError, Problem as `Line`."""
    at.mkdir(mode=0o700)
    if content is None:
        return
    packed = at.with_name("folder.tar.gz")
    with packed.open("xb") as file:
        for sha256 in content.pieces:
            file.write(line.piece(sha256))
    with packed.open("rb") as file:
        unpack(file, at)
    packed.unlink()


def put_back(line: Line, files: Sequence[ReturnedFile], work: Path, out: Path) -> None:
    """What an earlier part of the trial left, where it lay, in place of what is there.

    Raises FolderError, Problem as `Line`.
    """
    try:
        for file in files:
            path = _inside(work if file.in_folder else out, file.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)  # nothing is written through a link
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
                output.writelines(line.piece(sha256) for sha256 in file.pieces)
            path.chmod(0o700 if file.executable else 0o600)
    except (OSError, ValueError) as error:
        raise FolderError(f"What the part before left cannot be put back: {error}") from error


def clear(folder: Path) -> None:
    """Remove it with all in it. In a container the folder itself is a mount, and stays; empty, it is no matter."""
    for where, names, _ in os.walk(folder):  # folders that a command made read-only would keep what they have
        for path in (Path(where, name) for name in names):
            if not path.is_symlink():
                with suppress(OSError):  # it has gone meanwhile, or is another's
                    path.chmod(0o700)
    for path in folder.iterdir():
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def unpack(file: IO[bytes], at: Path) -> None:
    """Files, folders and links that stay inside; who may execute a file is kept. Raises FolderError for anything else.

    Links come last, so that nothing is written through one. Python's own `data` filter (PEP 706) would do as much, but
    Debian 12 has a Python 3.11 from before it.
    """
    try:
        with tarfile.open(fileobj=file, mode="r:gz") as tar:
            links = [member for member in tar if not _put(tar, member, at)]
            for member in links:
                _link(member, at)
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error) as error:
        raise FolderError(f"The working folder cannot be unpacked: {error}") from error


def _put(tar: tarfile.TarFile, member: tarfile.TarInfo, at: Path) -> bool:
    """Write a file or folder. False for a link. Raises ValueError for what is neither, or leads out."""
    path = _inside(at, member.name)
    content = tar.extractfile(member) if member.isreg() else None
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
            shutil.copyfileobj(content, output)
        path.chmod(member.mode & 0o755 | 0o600)
    elif member.isdir():
        path.mkdir(parents=True, exist_ok=True)
    elif not member.issym():
        raise ValueError(f"{member.name} is neither a file nor a folder")
    return not member.issym()


def _link(member: tarfile.TarInfo, at: Path) -> None:
    path = _inside(at, member.name)
    _inside(at, os.path.normpath(Path(member.name).parent / member.linkname))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(member.linkname)


def _inside(at: Path, name: str) -> Path:
    """The name's path. Raises ValueError where that is not below `at`."""
    plain = PurePosixPath(name)
    if plain.is_absolute() or ".." in plain.parts:
        raise ValueError(f"{name} leads out of the folder")
    return at / plain
