"""The weights that the site has chosen, for backends on nodes that cannot see the daemon's files."""

from __future__ import annotations

import hashlib
import logging
import threading
from pathlib import Path

log = logging.getLogger(__name__)

KINDS = ("*.json", "*.safetensors")
"""What an engine reads of a directory of weights; model cards and samples stay here."""


class Weights:
    """Files of one directory by their SHA-256, which is reckoned anew when a file has changed. Thread-safe."""

    def __init__(self, directory: str) -> None:
        """An empty name, or a directory that is not on this machine: there is nothing to give."""
        self._directory = Path(directory) if directory else None
        self._known: dict[tuple[Path, int, int], str] = {}
        self._reckoning = threading.Lock()

    def files(self) -> dict[str, str]:
        """The sha256 of each file by its name; none when they cannot be read, which a backend then says."""
        try:
            return {path.name: self._sha256(path) for path in self._paths()}
        except OSError as error:
            log.warning("backend.weights cannot be read here: %s", error)
            return {}

    def find(self, sha256: str) -> Path | None:
        """The file that has this sha256 now. Raises OSError when one cannot be read."""
        return next((path for path in self._paths() if self._sha256(path) == sha256), None)

    def _paths(self) -> list[Path]:
        if self._directory is None:
            return []
        return sorted(path for kind in KINDS for path in self._directory.glob(kind))

    def _sha256(self, path: Path) -> str:
        with self._reckoning:
            found = path.stat()
            key = (path, found.st_mtime_ns, found.st_size)
            if key not in self._known:
                with path.open("rb") as file:
                    self._known[key] = hashlib.file_digest(file, "sha256").hexdigest()
            return self._known[key]
