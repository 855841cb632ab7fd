"""Who has to be at the other end of a connection."""

from __future__ import annotations

import ssl
from typing import NamedTuple


class Peer(NamedTuple):
    """Anybody else is refused in the handshake, before a byte of a request goes out."""

    context: ssl.SSLContext
    """Whom its certificate has to be from."""
    name: str
    """What it has to be called there, whatever the address."""
