"""The working folder as a tar.gz that is the same for the same files, whoever packs it and when."""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import subprocess
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import IO

from ligan.wire.trial import MAX_PIECE, Content

IGNORE = ".liganignore"
_NEVER = (".git", "ligan-out")
"""At the top: the repository itself, and what came back from earlier trials."""


class FolderTooLargeError(Exception):
    """The text says what to do."""


@dataclass
class Packed:
    """A packed folder, in a file without a name."""

    file: IO[bytes]
    files: int = 0
    left_out: list[str] = field(default_factory=list)
    """Files that are not sent, and why."""

    def content(self) -> Content:
        """Its size and pieces."""
        hashes = [hashlib.sha256(body).hexdigest() for body in self._bodies()]
        return Content(size=self.file.seek(0, os.SEEK_END), pieces=hashes)

    def piece(self, number: int) -> bytes:
        self.file.seek(number * MAX_PIECE)
        return self.file.read(MAX_PIECE)

    def _bodies(self) -> Iterator[bytes]:
        self.file.seek(0)
        while body := self.file.read(MAX_PIECE):
            yield body


@contextmanager
def packing(folder: Path, most: int) -> Iterator[Packed]:
    """Files that git knows or does not ignore; all files where there is no git; none that `.liganignore` names.

    Raises FolderTooLargeError above `most` bytes, OSError for no folder, a file that cannot be read, a git that fails.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder.")
    with tempfile.TemporaryFile() as file:
        packed = Packed(file)
        _pack(folder, most, packed)
        yield packed


def _pack(folder: Path, most: int, packed: Packed) -> None:
    plain = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=packed.file, mtime=0)
    with plain, tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in (names := chosen(folder)):
            with suppress(FileNotFoundError):  # git knows it, but it is deleted; or it has just gone
                _add(tar, folder, name, packed)
            if packed.file.tell() > most:
                raise FolderTooLargeError(
                    f"The working folder has more than {most >> 20} MiB as tar.gz; largest are "
                    f"{_largest(folder, names)}. Put large files into {IGNORE}, or submit from a smaller folder with "
                    "--folder."
                )


def _largest(folder: Path, names: Sequence[str]) -> str:
    """What takes the most room, at the top: `data (300 MiB), run (20 MiB)`."""
    sizes: Counter[str] = Counter()
    for name in names:
        with suppress(FileNotFoundError):
            sizes[_top(name)] += (folder / name).lstat().st_size
    return ", ".join(f"{name} ({size / (1 << 20):.0f} MiB)" for name, size in sizes.most_common(3))


def chosen(folder: Path) -> list[str]:
    """Names of the files below the folder that are sent, in order."""
    ignored = _patterns(folder)
    return sorted({name for name in _names(folder) if _top(name) not in _NEVER and not _is_ignored(name, ignored)})


def _add(tar: tarfile.TarFile, folder: Path, name: str, packed: Packed) -> None:
    path = folder / name
    found = path.lstat()
    why = _unfit(folder, path, found.st_mode)
    if why:
        packed.left_out.append(f"{name}: {why}")
        return
    member = tarfile.TarInfo(name)
    member.mode = stat.S_IMODE(found.st_mode) & 0o777
    if stat.S_ISLNK(found.st_mode):
        member.type, member.linkname = tarfile.SYMTYPE, str(path.readlink())
        tar.addfile(member)
    else:
        _add_file(tar, member, path)
    packed.files += 1


def _add_file(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """One that grows meanwhile is cut off at the size it had. Raises OSError for one that shrinks."""
    with path.open("rb") as file:
        member.size = os.fstat(file.fileno()).st_size
        try:
            tar.addfile(member, file)
        except OSError as error:
            if error.errno is not None:  # as for want of room
                raise
            raise OSError(f"{path} was cut off while it was read; submit again, or name it in {IGNORE}.") from error


def _unfit(folder: Path, path: Path, mode: int) -> str:
    """Why a file is not sent; empty when it is."""
    if stat.S_ISLNK(mode):
        target = Path(os.path.normpath(path.parent / path.readlink()))
        inside = not path.readlink().is_absolute() and target.is_relative_to(folder)
        return "" if inside else "a link that leads out of the folder"
    if stat.S_ISDIR(mode):
        return "a git submodule that is not there; this gets it: git submodule update --init"
    return "" if stat.S_ISREG(mode) else "no regular file"


def _names(folder: Path) -> Iterator[str]:
    """With those of repositories within, such as submodules, of which git names but the folder."""
    found = _of_git(folder)
    for name in _all(folder) if found is None else found:
        inner = folder / name
        if (inner / ".git").exists() and not inner.is_symlink():
            yield from (f"{name.rstrip('/')}/{one}" for one in _names(inner))
        else:
            yield name


def _of_git(folder: Path) -> list[str] | None:
    """What git tracks, or would; None outside of a repository, or where there is no git.

    Raises OSError where git does not tell: to send all would send what it was told to ignore, such as keys.
    """
    argv = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    try:
        done = subprocess.run(argv, cwd=folder, capture_output=True, env={**os.environ, "LC_ALL": "C"})
    except OSError:
        return None
    if done.returncode and b"not a git repository" not in done.stderr:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise OSError(f"{folder}: git does not tell which files it ignores ({said}); ask it there: git status")
    return None if done.returncode else [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def _all(folder: Path) -> Iterator[str]:
    for where, folders, names in os.walk(folder):
        links = (name for name in folders if Path(where, name).is_symlink())
        yield from (str(Path(where, name).relative_to(folder)) for name in (*names, *links))


def _patterns(folder: Path) -> Sequence[str]:
    """Raises OSError for an exception (`!`), which .gitignore has: what somebody wants to be sent would stay here."""
    try:
        lines = (folder / IGNORE).read_text(errors="surrogateescape").splitlines()  # as file names are read
    except FileNotFoundError:
        return ()
    patterns = [line.strip().rstrip("/") for line in lines if line.strip() and not line.startswith("#")]
    if exceptions := [pattern for pattern in patterns if pattern.startswith("!")]:
        raise OSError(f"{IGNORE} takes no exceptions, such as {exceptions[0]}; name what shall stay here alone.")
    return [*patterns, *(pattern.replace("**/", "") for pattern in patterns if "**/" in pattern)]  # or no folder at all


def _is_ignored(name: str, patterns: Sequence[str]) -> bool:
    """A pattern (fnmatch: * takes / too) is of a path or of any name in it; with a / first, of a path from the top."""
    parts = name.split("/")
    paths = ["/".join(parts[: length + 1]) for length in range(len(parts))]
    plain = any(fnmatch(one, pattern) for pattern in patterns for one in (*parts, *paths))
    return plain or any(fnmatch(f"/{path}", pattern) for pattern in patterns for path in paths)


def _top(name: str) -> str:
    return name.partition("/")[0]
