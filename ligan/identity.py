"""Who is calling: one token per job, derived and never stored, and the challenge that proves an address (promise 6)."""

from __future__ import annotations

import hashlib
import hmac
import os

TYPE_CHECKING = False  # as in `typing`, whose import would delay a job's call home
if TYPE_CHECKING:
    from pathlib import Path

_LENGTH = 32  # bytes, as many as the hash's
_DIFFERENT = 12
"""Different bytes that drawn ones have at least, in hexadecimal too; zeros and placeholders have fewer."""


def load_secret(path: Path) -> bytes:
    """The installation's secret, made on first use; the file must be its owner's alone.

    Raises PermissionError when others may read the file, OSError when it was cut off or not drawn by chance: anybody
    could guess that.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_secret(path)
    with os.fdopen(descriptor, "wb") as file:
        file.write(os.urandom(_LENGTH))
    return _read_secret(path)


def _read_secret(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise PermissionError(f"{path} may be read by others; run: chmod 600 {path}")
    secret = path.read_bytes()
    if len(secret) < _LENGTH:
        raise OSError(f"{path} holds {len(secret)} bytes instead of {_LENGTH}; delete it, and a new one is made.")
    if len(set(secret)) < _DIFFERENT:
        raise OSError(f"{path} holds no secret drawn by chance; delete it, and a new one is made.")
    return secret


def derive(secret: bytes, *names: str) -> str:
    """A token bound to `names` (HMAC-SHA256, RFC 2104): the daemon can make it again, nobody else can."""
    return hmac.new(secret, "\0".join(names).encode(), hashlib.sha256).hexdigest()


def matches(given: str, expected: str) -> bool:
    """Compare two tokens in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())


def answer(token: str, challenge: str) -> str:
    """What the holder of `token` answers to a challenge."""
    return derive(token.encode(), "challenge", challenge)
