"""A run of rows that is ended early, by Ctrl-C or by SIGTERM: rows under way end what they started, no other begins."""

from __future__ import annotations

import signal
import threading
from types import FrameType

import psutil

ended = threading.Event()
"""Somebody wants it to end."""


def heed() -> None:
    """Both signals raise KeyboardInterrupt once, in this process and in its rows' own."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)


def _end(_number: int, _frame: FrameType | None) -> None:
    ended.set()
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal tells the rows, too: a second word would cut them short
        signal.signal(number, signal.SIG_IGN)
    for child in psutil.Process().children():
        if _is_row(child):
            child.send_signal(signal.SIGTERM)
    raise KeyboardInterrupt


def _is_row(child: psutil.Process) -> bool:
    try:
        return "--row" in child.cmdline()
    except psutil.NoSuchProcess:
        return False
