"""What stands where a secret should be, and what everybody would try first. Pure."""

from __future__ import annotations

import re

_WORDS = (
    *("administrator", "correcthorsebatterystaple", "iloveyou", "passphrase", "password", "passwort", "qwertyuiop"),
    *("changeme", "clientsecret", "default", "example", "letmein", "welcome", "qwertz", "qwerty", "replaceme"),
    *("change", "please", "secret", "admin", "dummy", "ligan", "guest", "abcd", "test", "todo", "user", "xxxx", "root"),
)
_DIGITS = "0123456789" * 3 + "9876543210" * 3
_DIFFERENT = 5
"""Characters; with fewer it is a pattern, `abababababab`."""


def is_placeholder(text: str, *names: str) -> bool:
    """Is it made of nothing but such words, or `names`, with digits and signs around them, or of a pattern?"""
    plain = text.lower()
    if len(set(plain)) < _DIFFERENT or plain in _DIGITS:
        return True
    letters = rest = re.sub(r"[\W\d_]", "", plain)
    for word in (*(re.sub(r"[\W\d_]", "", name.lower()) for name in names), *_WORDS):
        rest = rest.replace(word, "") if word else rest
    return bool(letters) and not rest
