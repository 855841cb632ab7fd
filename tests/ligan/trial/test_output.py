"""What a command prints reaches the daemon once, whatever becomes of the daemon."""

from __future__ import annotations

from pathlib import Path

import pytest

from ligan.problem import Problem
from ligan.trial.output import Output
from tests.ligan.trial.stub import StubLine


def test_parts_follow_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ligan.trial.output.TRIAL_LOG_PART", 4)
    line = StubLine()
    output = Output(tmp_path / "output", line)
    assert not output.send()
    output.say("0123456789")
    assert output.send()
    assert line.kept == b"0123"
    output.send_all()
    assert line.kept == b"0123456789\n"


def test_a_daemon_that_was_put_back_is_told_again(tmp_path: Path) -> None:
    line = StubLine()
    output = Output(tmp_path / "output", line)
    output.say("first")
    output.send_all()
    line.kept = b""
    output.say("second")
    output.send_all()
    assert line.kept == b"first\nsecond\n"


def test_a_daemon_that_is_away_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ligan.trial.output._PAUSE", 0.0)
    line = StubLine()
    output = Output(tmp_path / "output", line)
    output.say("text")
    line.away = 3
    output.send_all()
    assert line.kept == b"text\n"
    line.away, line.patience_s = 3, 0
    output.say("more")
    with pytest.raises(Problem):
        output.send_all()


def test_no_more_than_is_kept_is_sent(tmp_path: Path) -> None:
    line = StubLine(limit=4)
    output = Output(tmp_path / "output", line)
    output.say("0123456789")
    output.send_all()
    assert line.kept == b"0123"
    line.away = 1  # would be heard
    assert not output.send()
