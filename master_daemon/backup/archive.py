"""The file of a backup: a tar with tables, artifacts, test jobs' logs and secrets, whole or not at all, its owner's
alone.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, cast

from pydantic import ValidationError

from ligan.wire.base import Message

FORMAT = 1
"""Of the archive's layout; another one is refused."""
_MANIFEST = "ligan-backup.json"
_END = "end"
"""The last member: without it the archive was cut off. It holds the SHA-256 of all bytes before it;
earlier versions left it empty.
"""
_AT_A_TIME = 1 << 20
"""Bytes that are read at once."""
SECRET = "secret"  # noqa: S105 (a file's name)
_TABLES = "tables/"
ARTIFACTS = "artifacts/"
LOGS = "trial-logs/"
"""What a folder's files are named by."""


class BackupError(Exception):
    """A backup cannot be made or put back; the text says why and what to do."""


class Manifest(Message):
    """What the archive is of."""

    format: int
    version: str
    """Of LiGAN."""
    schema_version: int
    """Of the tables."""
    made_at: float
    """Unix s."""
    database: str
    """sqlite or postgresql."""


class _Hashing:
    """A file that is written from its beginning to its end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        """Of what it has so far."""
        self.tell = file.tell

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return self._file.write(data)


class Writer:
    """An archive in the making, see `writing`."""

    def __init__(self, tar: tarfile.TarFile, folder: Path) -> None:
        self._tar = tar
        self._folder = folder

    def table(self, name: str, lines: Iterable[str]) -> int:
        """Add a table. Returns its rows."""
        count = 0
        with tempfile.TemporaryFile(dir=self._folder) as file:  # a tar wants to know the size first
            for line in lines:
                file.write(line.encode())
                count += 1
            size = file.tell()
            file.seek(0)
            self._add(f"{_TABLES}{name}", size, file)
        return count

    def file(self, folder: str, path: Path) -> int | None:
        """Add a file to ARTIFACTS or LOGS. Returns its bytes, None when it is not there any more."""
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                self._add(f"{folder}{path.name}", size, file)
                return size
        except FileNotFoundError:
            return None

    def content(self, name: str, content: bytes) -> None:
        self._add(name, len(content), io.BytesIO(content))

    def _add(self, name: str, size: int, file: IO[bytes]) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o600
        self._tar.addfile(member, file)


@contextmanager
def writing(path: Path, manifest: Manifest) -> Iterator[Writer]:
    """The archive at `path`, which appears when the block ends well. Raises BackupError when there is one already."""
    if path.exists():
        raise BackupError(f"{path} is there already; give another name, or delete it.")
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        try:
            hashing = _Hashing(file)
            with tarfile.open(fileobj=cast(IO[bytes], hashing), mode="w") as tar:
                writer = Writer(tar, path.parent)
                writer.content(_MANIFEST, manifest.model_dump_json().encode())
                yield writer
                writer.content(_END, hashing.sha256.hexdigest().encode())
            file.flush()
            os.fsync(file.fileno())
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)


class Reader:
    """An archive that is whole, see `reading`."""

    def __init__(self, tar: tarfile.TarFile, manifest: Manifest) -> None:
        self._tar = tar
        self.manifest = manifest

    def table(self, name: str) -> Iterator[bytes]:
        """The table's lines; none when the archive has no such table."""
        return iter(self._file(f"{_TABLES}{name}") if f"{_TABLES}{name}" in self._tar.getnames() else ())

    def files(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """(name, content) of each in ARTIFACTS or LOGS."""
        for member in self._tar.getmembers():
            if member.name.startswith(folder):
                yield member.name.removeprefix(folder), self._file(member.name).read()

    def check_whole(self) -> None:
        """Raises BackupError when a byte is another one than was written."""
        end, file = self._tar.getmembers()[-1], self._tar.fileobj
        said, sha256 = self.content(_END).decode(errors="replace"), hashlib.sha256()
        assert file is not None  # noqa: S101 (it is open)
        file.seek(0)
        for at in range(0, end.offset, _AT_A_TIME):
            sha256.update(file.read(min(_AT_A_TIME, end.offset - at)))
        if said not in ("", sha256.hexdigest()):
            raise BackupError("The backup is damaged: its bytes are not those that were written. Take another one.")

    def has(self, name: str) -> bool:
        return name in self._tar.getnames()

    def content(self, name: str) -> bytes:
        return self._file(name).read()

    def _file(self, name: str) -> IO[bytes]:
        file = self._tar.extractfile(name)
        if file is None:
            raise BackupError(f"The backup's {name} is no file.")
        return file


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """The archive at `path`. Raises BackupError when it is none, was cut off, or is of another layout."""
    with _opened(path) as tar:
        yield Reader(tar, _manifest(tar, path))


def _opened(path: Path) -> tarfile.TarFile:
    try:
        with ExitStack() as undo:
            tar = undo.enter_context(tarfile.open(path, "r:"))
            tar.getmembers()  # all that there are: what was cut off fails here
            undo.pop_all()
            return tar
    except (OSError, tarfile.TarError) as error:
        raise BackupError(f"{path} cannot be read: {error}") from error


def _manifest(tar: tarfile.TarFile, path: Path) -> Manifest:
    names = tar.getnames()
    if names[:1] != [_MANIFEST]:
        raise BackupError(f"{path} is no backup of LiGAN.")
    if names[-1] != _END:
        raise BackupError(f"{path} was cut off: it has no end.")
    try:
        manifest = Manifest.model_validate_json(tar.extractfile(_MANIFEST).read())  # type: ignore[union-attr]
    except ValidationError as error:
        raise BackupError(f"{path} has a manifest that this LiGAN does not understand.") from error
    if manifest.format != FORMAT:
        raise BackupError(
            f"{path} has layout {manifest.format}, this LiGAN reads {FORMAT}: it is of LiGAN {manifest.version}."
        )
    return manifest
