"""The ID token of a login, kept encrypted to log out at the provider: it names the person, and opens no door."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken

from ligan.identity import derive

_LONGEST = 4096
"""Bytes: it travels in an address, which servers take up to 8 KiB. Without it the provider asks the person."""


class Hints:
    """Fernet under a key of the installation's secret."""

    def __init__(self, secret: bytes) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(bytes.fromhex(derive(secret, "id-token"))))

    def seal(self, id_token: str) -> str | None:
        """What is stored; None for none, or one that is too long."""
        return self._fernet.encrypt(id_token.encode()).decode() if 0 < len(id_token) <= _LONGEST else None

    def open(self, stored: str | None) -> str:
        """The ID token, or an empty string."""
        try:
            return self._fernet.decrypt(stored.encode()).decode() if stored else ""
        except InvalidToken:  # the installation has another secret since
            return ""
