"""A state that is away for an hour does not fill the log; a fault of ours is told with its traceback each time."""

from __future__ import annotations

import errno
import logging

import pytest

from master_daemon.turns import Turns

FULL = OSError(errno.ENOSPC, "No space left on device")


def test_the_same_trouble_is_told_once_until_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    turns = Turns("supervisor")
    for _ in range(100):
        turns.failed(FULL)
    turns.went_well()
    turns.went_well()
    turns.failed(FULL)
    told = [record.getMessage() for record in caplog.records]
    full = "supervisor: There is no room to store anything ([Errno 28] No space left on device)"
    assert told == [full, "supervisor: it goes on", full]
    assert not [record for record in caplog.records if record.exc_info]


def test_what_nobody_foresaw_is_told_each_time(caplog: pytest.LogCaptureFixture) -> None:
    turns = Turns("watcher")
    for _ in range(2):
        turns.failed(ValueError("a fault of ours"))
    assert [(record.levelno, bool(record.exc_info)) for record in caplog.records] == [(logging.ERROR, True)] * 2
