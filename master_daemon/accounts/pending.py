"""A login that has begun and not ended: what the browser holds of it, encrypted, from the first step to the last."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections import OrderedDict
from dataclasses import asdict, dataclass

from cryptography.fernet import Fernet, InvalidToken

from ligan.identity import derive, matches
from ligan.intervals import LOGIN_WINDOW

NAME = "ligan_login"
_KEPT = 16_384
_LONGEST_PATH = 500


@dataclass(frozen=True)
class Pending:
    """`form` goes into the login form; `state`, `nonce` and `verifier` (RFC 7636) are OpenID Connect's."""

    form: str
    state: str
    nonce: str
    verifier: str
    path: str
    """Where the person wanted to go."""


def begin(path: str) -> Pending:
    """A new one, with 256 random bits in each secret."""
    form, state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
    return Pending(form, state, nonce, verifier, local_path(path))


def local_path(path: str) -> str:
    """A path of this service that is safe to send a browser to; the start page for anything else."""
    printable = path.isascii() and path.isprintable() and " " not in path and "\\" not in path
    plain = path.startswith("/") and not path.startswith("//") and len(path) <= _LONGEST_PATH
    return path if printable and plain and not path.startswith(("/login", "/logout", "/api/")) else "/"


class PendingCookie:
    """Fernet under a key of the installation's secret; good for LOGIN_WINDOW, and each for one login. Thread-safe."""

    def __init__(self, secret: bytes) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(bytes.fromhex(derive(secret, "login-cookie"))))
        self._used: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def seal(self, pending: Pending, now: float) -> str:
        return self._fernet.encrypt_at_time(json.dumps(asdict(pending)).encode(), int(now)).decode()

    def open(self, value: str, now: float) -> Pending | None:
        """None when it is not ours, or too old."""
        try:
            said = self._fernet.decrypt_at_time(value.encode(), int(LOGIN_WINDOW), int(now))
        except (InvalidToken, UnicodeError):
            return None
        return Pending(**json.loads(said))

    def use(self, pending: Pending) -> bool:
        """Use it up; False when it is already. Whoever replays an answer of the provider comes too late."""
        with self._lock:
            if pending.state in self._used:
                return False
            self._used[pending.state] = None
            if len(self._used) > _KEPT:
                self._used.popitem(last=False)
            return True


def name_of(secure: bool) -> str:
    """Name of its cookie."""
    return f"__Host-{NAME}" if secure else NAME


def set_cookie(value: str, secure: bool) -> str:
    """Value of the Set-Cookie header; an empty `value` takes the cookie away.

    Lax, not Strict: it is the provider that sends the browser back.
    """
    age = int(LOGIN_WINDOW) if value else 0
    rest = f"Path=/; Max-Age={age}; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")
    return f"{name_of(secure)}={value}; {rest}"


def same(given: str, expected: str) -> bool:
    """Compare two secrets in constant time; an empty one is equal to nothing."""
    return bool(expected) and matches(given, expected)
