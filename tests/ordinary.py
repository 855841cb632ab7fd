"""An ordinary user's files: root, as whom tests may run, is let into everything."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOBODY = 65534


@contextmanager
def ordinary_folder() -> Iterator[Path]:
    """A new folder; within the block files are touched as its owner, who is not root."""
    folder, root = Path(tempfile.mkdtemp(prefix="ligan-ordinary-")), os.geteuid() == 0
    if root:
        os.chown(folder, _NOBODY, _NOBODY)
        os.seteuid(_NOBODY)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        shutil.rmtree(folder)
