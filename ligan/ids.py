"""Identifiers: unguessable, URL-safe, and told apart at a glance by their prefix."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import StringConstraints

_LENGTH = 22  # base32-like alphabet, 5 bits each: 110 bits, beyond guessing
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LETTERS = bytes(ord(_ALPHABET[byte % len(_ALPHABET)]) for byte in range(256))  # each as often: 32 divides 256

SessionId = Annotated[str, StringConstraints(pattern=r"^s-[0-9a-z]{22}$")]
ImageId = Annotated[str, StringConstraints(pattern=r"^i-[0-9a-z]{22}$")]
TaskId = Annotated[str, StringConstraints(pattern=r"^t-[0-9a-z]{22}$")]
TrialId = Annotated[str, StringConstraints(pattern=r"^j-[0-9a-z]{22}$")]
Nonce = Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{22}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def new_id(prefix: str = "") -> str:
    """A fresh identifier: `s-…` session, `i-…` image, `t-…` task, `j-…` trial, `f-…` frontend, no prefix for a job's
    nonce.
    """
    body = os.urandom(_LENGTH).translate(_LETTERS).decode()
    return f"{prefix}-{body}" if prefix else body


def is_id(text: str, prefix: str = "") -> bool:
    """Has it the form of `new_id(prefix)`?"""
    body = text.removeprefix(f"{prefix}-") if prefix else text
    return (not prefix or body != text) and len(body) == _LENGTH and set(body) <= set(_ALPHABET)
