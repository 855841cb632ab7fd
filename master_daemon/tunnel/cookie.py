"""The session's cookie: the session ID, encrypted (thesis, section 4.2.1)."""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken

from ligan.identity import derive

NAME = "ligan_session"
_SECURE_NAME = f"__Host-{NAME}"
"""Under TLS: a browser takes it from this very host only, and from TLS only (RFC 6265bis, section 4.1.3.2)."""
_KEPT = 1024
"""Cookies whose meaning is remembered: a page sends its own with every request, and each load of it has a new one."""


class SessionCookie:
    """Fernet (AES-128-CBC with HMAC-SHA256) under a key of the installation's secret."""

    def __init__(self, secret: bytes) -> None:
        key = bytes.fromhex(derive(secret, "session-cookie"))
        self._fernet = Fernet(base64.urlsafe_b64encode(key))
        self._open = lru_cache(_KEPT)(self._decrypt)

    def seal(self, session_id: str, login_id: str = "") -> str:
        return self._fernet.encrypt(f"{session_id} {login_id}".strip().encode()).decode()

    def open(self, value: str | None) -> str | None:
        """The session ID, or None when there is no cookie or it is not ours."""
        return self.open_both(value)[0] or None

    def open_both(self, value: str | None) -> tuple[str, str]:
        """(session ID, login ID), each empty where there is none."""
        session_id, _, login_id = ((self._open(value) if value else None) or "").partition(" ")
        return session_id, login_id

    def _decrypt(self, value: str) -> str | None:
        try:
            sealed = value.encode()
            if base64.urlsafe_b64encode(base64.urlsafe_b64decode(sealed)) != sealed:
                return None  # Fernet would overlook what is no base64: there is one way to write a cookie
            return self._fernet.decrypt(sealed).decode()
        except (InvalidToken, ValueError):
            return None


def name_of(secure: bool) -> str:
    """Name of the session's cookie."""
    return _SECURE_NAME if secure else NAME


def clear_cookie(secure: bool = False) -> str:
    """Value of the Set-Cookie header after which the browser has it no longer."""
    return f"{set_cookie('', secure)}; Max-Age=0"


def set_cookie(value: str, secure: bool) -> str:
    """Value of the Set-Cookie header (RFC 6265): for this browser session, out of reach of scripts and other sites."""
    return f"{name_of(secure)}={value}; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")
