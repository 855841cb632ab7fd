"""Artifact bytes by their SHA-256: written whole or not at all, checked on the way in."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from ligan.problem import Problem


class Artifacts:
    """Files under `directory`/ab/abcdef…; only their owner may read them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        return self._directory / sha256[:2] / sha256

    def put(self, sha256: str, body: bytes) -> None:
        """Store `body`. Raises Problem `malformed-request` when it is not what its name says."""
        if hashlib.sha256(body).hexdigest() != sha256:
            raise Problem("malformed-request", "The bytes do not have the SHA-256 of their name; send them again.")
        path = self.path(sha256)
        if path.exists():
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

    def has(self, sha256: str) -> bool:
        return self.path(sha256).exists()
