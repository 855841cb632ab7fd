"""Weights that this node does not have: fetched from the daemon by their SHA-256, kept for the next backend here."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from backend_container.models.engine import ModelError
from backend_container.phases import Phases
from backend_container.weights_eviction import claim, evict
from ligan.wire.job import Bootstrap

log = logging.getLogger(__name__)
Fetch = Callable[[str], bytes]
"""Returns the bytes of a SHA-256, or raises Problem."""


def with_weights(bootstrap: Bootstrap, fetch: Fetch, phases: Phases) -> Bootstrap:
    """The document with its weights on this node. Where they come from the daemon, the phase fetch is ended.

    Raises ModelError when they cannot be kept or are not those that were named; Problem as `fetch`.
    """
    if not bootstrap.weights or not bootstrap.weights_files or Path(bootstrap.weights).is_dir():
        return bootstrap
    cache = WeightsCache(Path(bootstrap.weights_cache), bootstrap.weights_cache_bytes)
    directory = cache.directory(bootstrap.weights_files, fetch)
    phases.end("fetch")
    return bootstrap.model_copy(update={"weights": str(directory)})


class WeightsCache:
    """A folder of one user on one node, shared by that user's jobs there.

    `NAME/FILE` for each set of weights; NAME follows from the hashes of its files. What lies there is believed for its
    hash alone, which is reckoned at every start: a file that was cut off, or changed by a failing disk, is fetched
    again.
    """

    def __init__(self, root: Path, most: int = 0) -> None:
        """Sets that nobody uses go when all have more than `most` bytes; 0: none does."""
        self._root = root
        self._most = most
        self._claims: list[int] = []

    def close(self) -> None:
        """What it gave is not used any more."""
        while self._claims:
            os.close(self._claims.pop())

    def directory(self, files: Mapping[str, str], fetch: Fetch) -> Path:
        """The folder with exactly these files (sha256 by name), claimed until `close` or the end of this process: a
        network may read its files at any time. Jobs that start at once wait for the first one's fetch.

        Raises ModelError: `weights-missing` when the folder cannot be used, `weights-damaged` when `fetch` returns
        other bytes.
        """
        try:
            with self._locked(_name(files)) as directory:
                for name, sha256 in files.items():
                    self._provide(directory / name, sha256, fetch)
            evict(self._root, self._most)
        except OSError as error:
            raise _unusable(self._root, str(error)) from error
        return directory

    @contextmanager
    def _locked(self, name: str) -> Iterator[Path]:
        _make_private(self._root)
        self._claims.append(claim(self._root, name))
        directory = self._root / name
        directory.mkdir(mode=0o700, exist_ok=True)
        with (self._root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed, or this process ends
            yield directory

    def _provide(self, path: Path, sha256: str, fetch: Fetch) -> None:
        if _has(path, sha256):
            return
        began = time.monotonic()
        data = fetch(sha256)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ModelError("weights-damaged", f"The daemon sent other bytes for {path.name}; look at its weights.")
        _replace(path, data)
        log.info("%s: %d bytes from the daemon in %.2f s", path.name, len(data), time.monotonic() - began)


def _name(files: Mapping[str, str]) -> str:
    return hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:32]


def _has(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False


def _replace(path: Path, data: bytes) -> None:
    """Whole or not at all, for whoever reads it."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(draft).replace(path)
    except OSError:  # a full disk must not fill up with halves
        Path(draft).unlink(missing_ok=True)
        raise


def _make_private(folder: Path) -> None:
    """Raises ModelError for a folder that others can write, who could exchange a file between check and use."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise _unusable(folder, "it is not a folder that its user alone can write")


def _unusable(folder: Path, why: str) -> ModelError:
    detail = f"Weights cannot be kept in {folder} on this node: {why}. Set [backend] weights_cache to another folder."
    return ModelError("weights-missing", detail)
