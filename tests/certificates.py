"""Certificates for tests: an installation's authority, another one's, and what each may have issued."""

from __future__ import annotations

import ssl
import time
from functools import cache

from ligan.tls.contexts import name_of, serving, trusting
from ligan.tls.peer import Peer
from master_daemon.authority.authority import Authority

NAME = name_of("0" * 22)
"""Of the job that is expected."""
_DAY = 86400.0


@cache
def authority() -> Authority:
    """The installation's."""
    return Authority.new(time.time() - 9 * _DAY)


@cache
def another() -> Authority:
    """That of somebody else's installation, which looks the same."""
    return Authority.new(time.time() - 9 * _DAY)


def shown(by: Authority | None = None, name: str = NAME, begins: float = 0.0, ends: float = 1.0) -> ssl.SSLContext:
    """What a server shows; `begins` and `ends` in days from now."""
    now = time.time()
    return serving(*(by or authority()).issue(name, now + begins * _DAY, now + ends * _DAY))


def peer(name: str = NAME) -> Peer:
    """Whom the installation's own expect."""
    return Peer(trusting(authority().certificate), name)
