"""What trials print: one file each, written where its bytes belong, so that a part that comes twice changes nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ligan.ids import TrialId
from ligan.wire.trial import LogKept

_FOLDER = "trial-logs"
_NAME: TypeAdapter[str] = TypeAdapter(TrialId)


def paths(state_dir: Path) -> list[Path]:
    """All logs of an installation, each named by its trial."""
    return sorted(path for path in _folder(state_dir).glob("*") if is_name(path.name))


def is_name(name: str) -> bool:
    """Whether a log may have it: whose else could it be?"""
    try:
        _NAME.validate_python(name)
    except ValidationError:
        return False
    return True


def restore(state_dir: Path, trial_id: str, content: bytes) -> None:
    """Put a whole log back. Raises OSError."""
    LogFiles(state_dir, len(content)).write(trial_id, 0, content)


def _folder(state_dir: Path) -> Path:
    return state_dir / _FOLDER


class LogFiles:
    """Of one installation, for their owner alone; each has at most `limit` bytes. Any thread may use it."""

    def __init__(self, state_dir: Path, limit: int) -> None:
        self._folder = _folder(state_dir)
        self.limit = limit
        self._writing = threading.Lock()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, trial_id: str, offset: int, data: bytes) -> LogKept:
        """Keep a part, durable when this returns. One that begins behind the end is not taken: the answer says where
        to go on. Raises OSError.
        """
        with self._writing:
            size = self.size(trial_id)
            fitting = data[: max(0, self.limit - offset)]
            if offset <= size and offset + len(fitting) > size:
                self._put(trial_id, offset, fitting)
            size = self.size(trial_id)
            return LogKept(size=size, full=size >= self.limit)

    def size(self, trial_id: str) -> int:
        """Bytes that are kept."""
        try:
            return self._path(trial_id).stat().st_size
        except FileNotFoundError:
            return 0

    def read(self, trial_id: str, offset: int, most: int) -> bytes:
        """At most so many bytes from there; none where there are no more."""
        try:
            with self._path(trial_id).open("rb") as file:
                file.seek(min(offset, self.limit))  # a number that no file system knows is no fault of ours
                return file.read(most)
        except FileNotFoundError:
            return b""

    def forget(self, trial_ids: Iterable[str]) -> None:
        for trial_id in trial_ids:
            self._path(trial_id).unlink(missing_ok=True)

    def _put(self, trial_id: str, offset: int, data: bytes) -> None:
        descriptor = os.open(self._path(trial_id), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(descriptor, data[written:], offset + written)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _path(self, trial_id: str) -> Path:
        return self._folder / trial_id


def whole_characters(data: bytes) -> bytes:
    """`data` without the beginning of a UTF-8 character at its end, whose rest is still to come."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:  # the middle of a character
            continue
        needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return data[:-back] if needed > back else data
    return data
