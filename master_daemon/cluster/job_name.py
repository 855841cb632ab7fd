"""The job's name carries its nonce, which finds the job again when nobody remembers its ID."""

from __future__ import annotations

import re

from master_daemon.cluster.manager import NAME_PREFIX, JobRequest, SubmitRefusedError

NAME = re.compile(re.escape(NAME_PREFIX) + r"(?P<role>[A-Za-z0-9_]+)-(?P<nonce>[A-Za-z0-9_][A-Za-z0-9_-]{0,79})")
"""Nothing here needs quoting in a shell, a file name, a directive or a column of squeue."""


def nonce_of(name: str) -> str | None:
    """The nonce in a job's name, or None for a job that is not ours."""
    match = NAME.fullmatch(name)
    return match["nonce"] if match else None


def is_nonce(text: str) -> bool:
    """Whether `text` can stand in a job's name, and so in a path."""
    return nonce_of(f"{NAME_PREFIX}role-{text}") == text


def check_name(request: JobRequest) -> None:
    """Raise SubmitRefusedError for a role or nonce that would not be found again."""
    if nonce_of(request.name) != request.nonce:
        raise SubmitRefusedError(
            f"the job name {request.name!r} would not be found again:"
            " use letters, digits and _ in the role and, with -, at most 80 in the nonce"
        )
