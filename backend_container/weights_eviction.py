"""Keep a node's weights within bounds: what was used longest ago goes first, and never what a job uses."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from ligan.ids import new_id

log = logging.getLogger(__name__)
NAME = re.compile(r"[0-9a-f]{32}")
"""Of a set of weights; other folders may lie beside it."""
_GONE = ".gone-"


def claim(root: Path, name: str) -> int:
    """Descriptor of a lock on the set: until it is closed or this process ends nobody takes the set away. flock(2)."""
    lock = os.open(_lock_file(root, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_SH)
    os.utime(lock)
    return lock


def evict(root: Path, most: int) -> list[str]:
    """Delete sets that nobody has claimed until all together have at most `most` bytes; 0: no bound. Returns which.

    A set goes whole or not at all: it is renamed before it is deleted, and what a killed job has left of one is deleted
    by the next.
    """
    if not most:
        return []
    for left in root.glob(f"{_GONE}*"):
        shutil.rmtree(left, ignore_errors=True)
    sizes = {path: _size(path) for path in root.iterdir() if NAME.fullmatch(path.name)}
    return list(_evict(sizes, most))


def _evict(sizes: dict[Path, int], most: int) -> Iterator[str]:
    total = sum(sizes.values())
    for path in sorted(sizes, key=_used_at):
        if total <= most:
            return
        if _remove(path):
            total -= sizes[path]
            log.info("%s: %d bytes deleted, the weights used longest ago", path.name, sizes[path])
            yield path.name


def _remove(path: Path) -> bool:
    """Unless somebody has claimed it."""
    with _lock_file(path.parent, path.name).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        gone = path.with_name(f"{_GONE}{new_id()}")
        path.rename(gone)  # under the lock: who claims it now finds nothing, and fetches it anew
    shutil.rmtree(gone, ignore_errors=True)
    return True


def _lock_file(root: Path, name: str) -> Path:
    """It stays when the set goes: another process may hold it open."""
    return root / f"{name}.use.lock"


def _used_at(path: Path) -> float:
    lock = _lock_file(path.parent, path.name)
    return (lock if lock.exists() else path).stat().st_mtime


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
