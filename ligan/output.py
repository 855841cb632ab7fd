"""Answers on standard output, for a person or a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from threading import Event

_left = Event()


def plain(text: str) -> str:
    """Without what UTF-8 cannot say: of file names that are no text each such byte as `\\udcff`."""
    return text.encode("utf-8", "backslashreplace").decode()


def bear_any_terminal() -> None:
    """From now on what its encoding cannot say is escaped, as Python does on standard error, and no error."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def say(text: str, end: str = "\n") -> None:
    """Print `text`. A reader that has had enough (`| head`) is no error, and gets no more; a full disk ends it all."""
    with _reader():
        print(plain(text), end=end, flush=True)  # noqa: T201


def mention(text: str) -> None:
    """Print what is not the point: neither a reader that has gone nor a lost terminal or full disk is an error."""
    with _reader(OSError):
        print(plain(text), flush=True)  # noqa: T201


def pour(data: bytes) -> None:
    """Write `data` byte for byte; else as `say`."""
    with _reader():
        rest = memoryview(data)
        while rest:  # without a buffer (python -u) a write may take a part
            rest = rest[sys.stdout.buffer.write(rest) :]
        sys.stdout.flush()


def is_read() -> bool:
    """Is somebody there who reads what is said?"""
    return not _left.is_set()


@contextmanager
def _reader(bearable: type[OSError] = BrokenPipeError) -> Iterator[None]:
    try:
        yield
    except bearable:
        _left.set()
        _say_no_more()
    except OSError as error:
        _say_no_more()
        raise SystemExit(f"ligan: standard output cannot be written: {error.strerror}") from error


def _say_no_more() -> None:
    """The interpreter flushes once more at its end. docs.python.org/3/library/signal.html#note-on-sigpipe"""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
