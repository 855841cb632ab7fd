"""What makes a caller an operator: the token in STATE/operator-token."""

from __future__ import annotations

import os
from pathlib import Path

from ligan.identity import derive

TOKEN_FILE = "operator-token"  # noqa: S105 (a file's name)


def operator_token(secret: bytes) -> str:
    """Derived, so that every start of the daemon gives the same one; a new secret makes it worthless."""
    return derive(secret, "operator")


def write_operator_token(state_dir: Path, secret: bytes) -> Path:
    """Write the file (0400): who can read the daemon's files is an operator. Returns its path."""
    path = state_dir / TOKEN_FILE
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "w") as file:
        file.write(operator_token(secret) + "\n")
    return path
