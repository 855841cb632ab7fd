"""Answers that nobody reads to their end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ligan.output import say

_TWICE = "from ligan.output import say; say('x' * 1_000_000); say('y')"


def test_an_answer_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("an answer")
    assert capsys.readouterr() == ("an answer\n", "")


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    with subprocess.Popen([sys.executable, "-c", _TWICE], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1) == b"x"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
