"""A trial's log: every part once, in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from master_daemon.trials.log_files import LogFiles, whole_characters


def test_parts_may_come_again_and_never_leave_a_gap(tmp_path: Path) -> None:
    logs = LogFiles(tmp_path, 100)
    assert logs.write("j", 0, b"hello ").size == 6
    assert logs.write("j", 0, b"hello ").size == 6
    assert logs.write("j", 9, b"later").size == 6
    assert logs.write("j", 3, b"lo world").size == 11
    assert logs.read("j", 0, 100) == b"hello world"
    assert (logs.read("j", 6, 3), logs.read("j", 11, 3), logs.read("other", 0, 3)) == (b"wor", b"", b"")
    assert logs.read("j", 10**30, 1) == b""
    assert (tmp_path / "trial-logs" / "j").stat().st_mode & 0o777 == 0o600


def test_no_more_than_the_limit(tmp_path: Path) -> None:
    logs = LogFiles(tmp_path, 8)
    assert logs.write("j", 0, b"0123456789").model_dump() == {"size": 8, "full": True}
    assert logs.write("j", 8, b"more").model_dump() == {"size": 8, "full": True}
    assert logs.read("j", 0, 100) == b"01234567"
    logs.forget(["j", "never there"])
    assert logs.size("j") == 0


@pytest.mark.parametrize("text", ["", "plain", "é", "€", "😀", "a😀b"])
def test_characters_are_not_cut(text: str) -> None:
    data = text.encode()
    for end in range(len(data) + 1):
        assert text.startswith(whole_characters(data[:end]).decode())
    assert whole_characters(data) == data


def test_bytes_that_are_no_text_are_let_through() -> None:
    assert whole_characters(b"\xff\x80\x80\x80\x80") == b"\xff\x80\x80\x80\x80"
    assert whole_characters(b"ok\xff") in (b"ok", b"ok\xff")
