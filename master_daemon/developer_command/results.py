"""What a trial sent back, written below one folder and nowhere else, and over no file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ligan.wire.trial import ReturnedFile


@dataclass(frozen=True)
class Written:
    """A file that came back, or why it is not here."""

    file: ReturnedFile
    path: Path
    problem: str = ""


def write(folder: Path, file: ReturnedFile, body: Iterable[bytes]) -> Written:
    """Write one file below `folder`. Whatever `body` raises leaves no half of it."""
    path = folder / file.path
    name = PurePosixPath(file.path)
    if name.is_absolute() or ".." in name.parts:
        return Written(file, path, "its name leads out of the folder")
    try:
        if not path.parent.resolve().is_relative_to(folder.resolve()):
            return Written(file, path, "a link leads out of the folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, 0o777 if file.executable else 0o666, iter(body))
    except FileExistsError:
        return Written(file, path, "there is such a file already, and it stays as it is")
    except OSError as error:
        return Written(file, path, error.strerror or "it cannot be written")
    whole = path.stat().st_size == file.size
    return Written(file, path, "" if whole else "it came back cut off")


def _write(path: Path, mode: int, body: Iterator[bytes]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, mode), "wb") as output:
        try:
            for chunk in body:
                output.write(chunk)
        except BaseException:  # a half would stand in the way of the whole
            path.unlink()
            raise
