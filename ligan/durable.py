"""Files that are whole or not there, whenever the machine stops: written aside, synchronised, renamed."""

from __future__ import annotations

import os
from pathlib import Path

PRIVATE = 0o600
"""Mode of a file that is its owner's alone."""


def write(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Put `data` at `path`, in place of what is there; after a crash it is the old file or the new one, rename(2).

    `mode` is that of the new file, less the umask.
    """
    aside = path.with_name(f"{path.name}.part")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    synchronise(path.parent)


def synchronise(folder: Path) -> None:
    """Make the names in a folder durable, fsync(2)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
