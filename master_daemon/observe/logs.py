"""The daemon's log: text for people or JSON for collectors, with session, job and task, and never a secret."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal, TextIO

from master_daemon.observe.scrub import scrub
from master_daemon.observe.session_tag import session_tag

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_ABOUT: ContextVar[dict[str, str]] = ContextVar("about", default={})  # noqa: B039 (never changed, only replaced)
_NAMED = {
    "job": re.compile(r"(?<![\w-])[0-9a-z]{22}(?![\w-])"),
    "task": re.compile(r"\bt-[0-9a-z]{22}\b"),
}
"""How a line that was not told what it is about shows it all the same."""


def note(*, session_key: str = "", job: str = "", task: str = "") -> None:
    """All that this thread (or asyncio task) logs from now on is about these; what is empty stays as it was."""
    told = {"session": session_tag(session_key) if session_key else "", "job": job, "task": task}
    _ABOUT.set({**_ABOUT.get(), **{name: value for name, value in told.items() if value}})


def forget() -> None:
    """What this thread logs from now on is about nothing yet: for threads that serve one request after the other."""
    _ABOUT.set({})


@contextmanager
def about(*, session_key: str = "", job: str = "", task: str = "") -> Iterator[None]:
    """`note` until the block ends."""
    before = _ABOUT.set(_ABOUT.get())
    note(session_key=session_key, job=job, task=task)
    try:
        yield
    finally:
        _ABOUT.reset(before)


class TextFormatter(logging.Formatter):
    """One line a record, its traceback after it."""

    def __init__(self) -> None:
        super().__init__(_TEXT)

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


class JsonFormatter(logging.Formatter):
    """One object a line: time (ISO 8601, UTC), level, logger, message; session, job, task, error where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        message = scrub(record.getMessage())
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
            **_subjects(message),
        }
        if record.exc_info:
            line["error"] = scrub(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def _subjects(message: str) -> dict[str, str]:
    found = {name: match[0] for name, pattern in _NAMED.items() if (match := pattern.search(message))}
    return {**found, **_ABOUT.get()}


def configure(log_format: Literal["text", "json"], level: int, stream: TextIO | None = None) -> None:
    """Let the whole process log this way, to standard error if no stream is given; Python's warnings too."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
