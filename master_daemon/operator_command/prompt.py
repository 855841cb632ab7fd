"""A password, asked of the terminal or read from standard input; never an argument, which every `ps` shows."""

from __future__ import annotations

import getpass
import sys

from pydantic import SecretStr


class NoPasswordError(Exception):
    """There is none; the text says why."""


def new_password() -> SecretStr:
    """Twice from a terminal, else the first line of standard input. Raises NoPasswordError."""
    if not sys.stdin.isatty():
        return _given(sys.stdin.readline().rstrip("\r\n"))
    first = getpass.getpass("New password: ")
    if first != getpass.getpass("The same again: "):
        raise NoPasswordError("The two differ; nothing was changed.")
    return _given(first)


def _given(password: str) -> SecretStr:
    if not password:
        raise NoPasswordError("The password is empty; nothing was changed.")
    return SecretStr(password)
