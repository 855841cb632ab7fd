"""Artifact bytes by their SHA-256: written whole or not at all, checked on the way in."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from ligan import durable
from ligan.problem import Problem

FOLDERS = 256
"""Artifacts are spread over so many folders, by the first two digits of their name."""


@dataclass(frozen=True)
class StoredFile:
    """A file of the store, be it an artifact or the half of one that a killed daemon left."""

    path: Path
    stored_at: float
    """When its bytes were last sent, Unix seconds."""

    @property
    def sha256(self) -> str:
        return self.path.name


class Artifacts:
    """Files under `directory`/ab/abcdef…; only their owner may read them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._removing = threading.Lock()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        return self._directory / sha256[:2] / sha256

    def put(self, sha256: str, body: bytes) -> None:
        """Store `body`, durable when this returns. Raises Problem `malformed-request` when its name is another's."""
        if hashlib.sha256(body).hexdigest() != sha256:
            raise Problem("malformed-request", "The bytes do not have the SHA-256 of their name; send them again.")
        path = self.path(sha256)
        if self._touch(path):
            return
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except OSError:  # a full disk must not fill up with halves
            Path(name).unlink(missing_ok=True)
            raise
        for folder in (path.parent, self._directory):
            durable.synchronise(folder)  # the name, too, survives a power cut

    def has(self, sha256: str) -> bool:
        return self.path(sha256).exists()

    def files(self, folder: int) -> list[StoredFile]:
        """All that lies in the folder of that number, 0 to FOLDERS - 1."""
        try:
            with os.scandir(self._directory / f"{folder:02x}") as entries:
                return [StoredFile(Path(entry.path), entry.stat().st_mtime) for entry in entries]
        except FileNotFoundError:
            return []

    def remove(self, path: Path, stored_before: float) -> bool:
        """Unlink the file unless its bytes were sent again since `stored_before` (Unix seconds). Whether it did."""
        with self._removing:
            if not path.exists() or path.stat().st_mtime > stored_before:
                return False
            path.unlink()
            return True

    def _touch(self, path: Path) -> bool:
        """Is it there already? Then somebody is about to name it again."""
        with self._removing:
            if not path.exists():
                return False
            os.utime(path)
            return True
