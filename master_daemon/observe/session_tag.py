"""How a session is called where operators look: its ID and its key give access, so neither may stand there."""

from __future__ import annotations

import hashlib

_LENGTH = 12  # hexadecimal digits: two of 10,000 sessions get the same tag with a chance of 2 in 10 million


def session_tag(session_key: str) -> str:
    """Short and not reversible: the key has 110 random bits, so that trying all of them is out of reach."""
    return hashlib.sha256(b"ligan-session-tag\0" + session_key.encode()).hexdigest()[:_LENGTH]
