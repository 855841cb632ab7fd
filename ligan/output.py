"""Answers on standard output, for a person or a pipe."""

from __future__ import annotations

import os
import sys


def say(text: str) -> None:
    """Print `text`. A reader that has had enough (`| head`) is no error, and gets no more."""
    try:
        print(text, flush=True)  # noqa: T201
    except BrokenPipeError:
        # The interpreter flushes once more at its end. docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
