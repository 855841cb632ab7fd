"""What goes home: the files under `$LIGAN_OUT` and those of the working folder that were asked for."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from ligan.problem import Problem
from ligan.trial.line import Line
from ligan.wire.trial import MAX_FILES, MAX_PIECE, ReturnedFile

_NAMED = 99
"""Files left out that are named; then, how many more (TrialResult.left_out)."""


@dataclass
class Returned:
    files: list[ReturnedFile] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def send_home(line: Line, out: Path, work: Path, globs: Sequence[str], most: int) -> Returned:
    """Send all regular files of `out`, and those of `work` that match, up to `most` bytes together. Raises Problem of
    a daemon that refuses or stays away.
    """
    returned, stayed = Returned(), 0
    for name, path in _chosen(out, work, globs).items():
        why = _send(line, name, path, out, returned, most)
        if why and stayed < _NAMED:
            returned.left_out.append(f"{_sayable(name[:300])}: {why}")
        stayed += bool(why)
    if stayed > _NAMED:
        returned.left_out.append(f"{stayed - _NAMED} more")
    return returned


def _chosen(out: Path, work: Path, globs: Sequence[str]) -> dict[str, Path]:
    """Paths by their names at home; a file of `out` comes before one of `work` that has the same."""
    found = {str(path.relative_to(work)): path for pattern in globs for path in _matching(work, pattern)}
    return {**found, **{str(path.relative_to(out)): path for path in _files(out)}}


def _matching(work: Path, pattern: str) -> Iterator[Path]:
    try:
        paths = sorted(work.glob(pattern))
    except (ValueError, NotImplementedError, OSError):
        return
    home = os.path.realpath(work)  # as pathlib's own, but for links that lead to themselves
    for path in paths:
        inside = ".." not in path.parts and Path(os.path.realpath(path)).is_relative_to(home)
        yield from (_files(path) if os.path.isdir(path) else [path]) if inside else ()  # noqa: PTH112 (never raises)


def _files(folder: Path) -> Iterator[Path]:
    """Below the folder, links to folders among them, which are not followed."""
    for where, folders, names in os.walk(folder):
        folders.sort()
        links = (name for name in folders if Path(where, name).is_symlink())
        yield from (Path(where, name) for name in sorted((*names, *links)))


def _sayable(name: str) -> str:
    """A name that may be no UTF-8, as Linux allows, for people."""
    return name.encode(errors="replace").decode()


def _send(line: Line, name: str, path: Path, out: Path, returned: Returned, most: int) -> str:
    """Why it stays; empty when it was sent."""
    if len(returned.files) >= MAX_FILES:
        return f"{MAX_FILES} files are sent back already"
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                return "it is no regular file"
            if returned.size + found.st_size > most:
                return f"together with it more than {most} bytes would be sent back"
            pieces = list(_pieces(line, iter(lambda: file.read(MAX_PIECE), b""), most - returned.size))
        size = sum(length for _, length in pieces)
        content = [sha256 for sha256, _ in pieces]
        executable = bool(found.st_mode & 0o100)
        inside = not path.is_relative_to(out)
        returned.files.append(
            ReturnedFile(path=name, size=size, pieces=content, executable=executable, in_folder=inside)
        )
    except ValidationError:
        return "its name cannot be sent"
    except OSError as error:
        return "it is a link" if error.errno == errno.ELOOP else error.strerror or "it cannot be read"
    except Problem as problem:
        if problem.slug != "job-too-large":
            raise
        return problem.document.detail
    return ""


def _pieces(line: Line, bodies: Iterator[bytes], room: int) -> Iterator[tuple[str, int]]:
    """(SHA-256, bytes) of each, sent; what grows meanwhile is cut off."""
    for body in bodies:
        room -= len(body)
        if room < 0:
            return
        sha256 = hashlib.sha256(body).hexdigest()
        line.put_piece(sha256, body)
        yield sha256, len(body)
