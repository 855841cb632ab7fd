"""How far a build is, stored after each shard: what the same command needs to go on after any interruption."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field, ValidationError

from backend_container.datasets.reference import Reference
from backend_container.datasets.report import Report
from backend_container.datasets.shard_index import FORMAT, INDEX, DatasetError, Shard
from backend_container.datasets.step import Step
from ligan import durable
from ligan.wire.base import Message

STATE = "build.json"


class BuildState(Message):
    """`build.json`, which is deleted when the build is finished."""

    plan: str
    """Fingerprint of sources and steps."""
    next: int = Field(default=0, ge=0)
    """Position of the first image whose outcome is not in the shards and the report."""
    shards: list[Shard] = Field(default_factory=list)
    report: Report
    windows: dict[str, list[int]] = Field(default_factory=dict)
    """By a window step's label: positions of the images that it remembers."""

    def save(self, folder: Path) -> None:
        """Store it in place of the former one."""
        durable.write(folder / STATE, self.model_dump_json().encode())


def fingerprint(references: Sequence[Reference], steps: Sequence[Step], size: int) -> str:
    """SHA-256 of all that decides what a build yields, but for the images' bytes: names, sizes, labels and steps."""
    digest = hashlib.sha256(json.dumps([FORMAT, size, [step.describe() for step in steps]]).encode())
    for reference in references:
        row = [reference.name, reference.size, reference.offset, dict(reference.labels), reference.broken]
        digest.update(json.dumps(row, sort_keys=True).encode())
        digest.update(b"" if reference.points is None else reference.points.tobytes())
    return digest.hexdigest()


def saved_state(folder: Path, plan: str) -> BuildState | None:
    """The state of a build that was stopped; None in a new folder.

    Raises DatasetError when the folder holds anything else.
    """
    path = folder / STATE
    if not path.exists():
        _check_empty(folder)
        return None
    try:
        state = BuildState.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DatasetError(f"{path} is damaged. Delete {folder} and build again.") from error
    if state.plan != plan:
        raise DatasetError(
            f"{folder} was begun from other sources, labels or filters. Repeat that command, choose another folder or "
            f"delete {folder}."
        )
    return state


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make the folder and keep other builds out of it. Raises DatasetError when one is at work there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise DatasetError(f"{folder} cannot be written: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel lets go of it when we are killed
        yield
    except BlockingIOError as error:
        raise DatasetError(f"Another build is at work in {folder}.") from error
    finally:
        os.close(descriptor)


def _check_empty(folder: Path) -> None:
    found = next((path for path in sorted(folder.iterdir()) if path.name not in (STATE + ".part", INDEX)), None)
    if found is not None:
        raise DatasetError(f"{folder} holds other files, such as {found.name}. Choose a folder that is new or empty.")
