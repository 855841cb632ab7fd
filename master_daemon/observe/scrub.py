"""No secret in what is logged, whoever logs it: whatever gives access is taken out of the final text."""

from __future__ import annotations

import re
from collections.abc import Callable

from master_daemon.observe.session_tag import session_tag

_ID = "[0-9a-z]{22}"
_INSIDE = r"(?:[^{}]|\{[^{}]*\})*"
"""What an object of JSON holds whose own objects hold none."""

# What is hidden -> what stands there instead. Longer wholes first: a bootstrap document holds an ID and a token.
_HIDDEN: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (rf'\{{{_INSIDE}"(?:daemon_url|instance_id)"{_INSIDE}(?:\}}|\{{[^{{}}]*)?', "[bootstrap document]"),
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?", "[private key]"),
        (r"(?i)\b(token|secret|password)(\W{1,6})[\w.+/=-]{12,}", r"\1\2[hidden]"),
        (r"\bligan_[\w-]{43}(?![\w-])", "[API token]"),
        (r"\$argon2[^\s'\";]+", "[password's hash]"),
        (r"\[parameters: [^\n]*", "[parameters hidden]"),  # SQLAlchemy's errors tell what was to be written
        (r"(?i)\b(bearer|basic) +[^\s'\",]+", r"\1 [token]"),
        (r"\bligan_session=[^\s;'\",]+", "ligan_session=[cookie]"),
        (r"\bgAAAA[\w-]{20,}={0,2}", "[cookie]"),  # Fernet: version 0x80 and the first bytes of a time stamp
        (r"\beyJ[\w-]+\.[\w-]+\.[\w-]*", "[token]"),  # JSON web token, RFC 7519
        (r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)", "[password]"),  # user information of a URL, RFC 3986
        (
            r"(?<![0-9a-fA-F])[0-9a-fA-F]{64}(?![0-9a-fA-F])",
            "[64 hexadecimal digits]",
        ),  # a token, or an artifact's name
        (rf"\bs-{_ID}", "[session ID]"),
        (rf"\bl-{_ID}", "[login ID]"),
        (rf"\bf-{_ID}", "[frontend ID]"),
        (rf"\bk-{_ID}", lambda found: session_tag(found[0])),
    )
)


def scrub(text: str) -> str:
    """`text` without tokens, cookies, session and frontend IDs, passwords and bootstrap documents.

    A session's key becomes its tag, so that a log still tells sessions apart.
    """
    for pattern, instead in _HIDDEN:
        text = pattern.sub(instead, text)
    return text
