"""A small disk of its own under a state folder, which can be filled. mount(8), tmpfs(5)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.faults.real import UnavailableError


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A new folder that is one, for as long as the block runs. Raises UnavailableError for anybody but root."""
    mount_small_disk(folder, megabytes)
    try:
        yield folder
    finally:
        unmount(folder)


def mount_small_disk(folder: Path, megabytes: int) -> None:
    """A file system in memory. Raises UnavailableError for anybody but root."""
    if os.geteuid() != 0:
        raise UnavailableError("only root can mount a small disk")
    folder.mkdir(mode=0o700)
    options = f"size={megabytes}m,mode=0700"
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
    if mount.returncode:
        raise UnavailableError(f"no small disk here: {mount.stderr.strip()}")


def unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", folder], check=False, capture_output=True)


def fill(filler: Path) -> None:
    """Until not a byte more fits."""
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    file.write(b"0" * size)
