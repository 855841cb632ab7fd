"""Passwords of local accounts: Argon2id (RFC 9106) through argon2-cffi, never more than a few at a time."""

from __future__ import annotations

import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from ligan.problem import Problem, invalid_parameters
from master_daemon.accounts.placeholder import is_placeholder

SHORTEST = 12
"""Characters. NIST SP 800-63B asks for length, for none that everybody would try first, and for no other rule."""
LONGEST = 256
_AT_ONCE = 2
_PATIENCE = 1.0
"""Seconds for which a thread of the API may wait for its turn: one takes about 0.1 s."""
_HASHER = PasswordHasher()
"""RFC 9106's second choice: 64 MiB, 3 passes."""
_places = threading.BoundedSemaphore(_AT_ONCE)


def hashed(password: str, name: str = "") -> str:
    """In PHC string form. Raises Problem `invalid-parameters` for one of `name` that is too short, long or easy."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise invalid_parameters([("password", f"Take {SHORTEST} to {LONGEST} characters")])
    if is_placeholder(password, name):
        raise invalid_parameters([("password", "Everybody would try this one first; take a few words of your own")])
    return rehashed(password)


def rehashed(password: str) -> str:
    """The hash of one that has been taken already."""
    return _HASHER.hash(_normal(password))


def verify(password: str, digest: str | None) -> bool:
    """Is it the password? Without a `digest` it is not, after the same work: that must not tell who has an account.

    Raises Problem `too-many-requests` when others' passwords take all the memory that there is for it.
    """
    if not _places.acquire(timeout=_PATIENCE):
        raise Problem("too-many-requests", "Many people log in just now; try again in a moment.", retry_after_s=1)
    try:
        return _HASHER.verify(digest or _nobodys(), _normal(password[:LONGEST])) and digest is not None
    except VerificationError:
        return False
    finally:
        _places.release()


def outdated(digest: str) -> bool:
    """Was it made with other parameters than today's?"""
    return _HASHER.check_needs_rehash(digest)


@cache
def _nobodys() -> str:
    return _HASHER.hash("nobody's password")


def _normal(password: str) -> bytes:
    """One keyboard composes what another does not (RFC 8265); a lone surrogate is nobody's password."""
    return unicodedata.normalize("NFKC", password).encode(errors="replace")
