"""Answers that nobody reads to their end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ligan.output import say

_TWICE = """
from ligan.output import is_read, pour, say
assert is_read()
{}
assert not is_read()
say('y')
pour(b'y')
"""


def test_an_answer_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("an answer")
    assert capsys.readouterr() == ("an answer\n", "")


@pytest.mark.parametrize("way", ["say", "mention"])
def test_a_file_name_that_is_no_text_is_said_all_the_same(way: str) -> None:
    code = f"from ligan.output import {way}; {way}('\\udcff.png')"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert said.stdout == b"\\udcff.png\n"


@pytest.mark.parametrize("words", [["weights", "list"], ["--help"], ["up", "--help"], ["submit", "--help"]])
def test_a_terminal_that_knows_few_characters_is_no_error(words: list[str]) -> None:
    argv = [sys.executable, "-m", "ligan", *words]
    told = subprocess.run(argv, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.parametrize("way", ["say('x' * 10_000_000)", "pour(b'x' * 10_000_000)"])
def test_a_reader_that_has_had_enough_is_no_error(way: str) -> None:
    argv = [sys.executable, "-c", _TWICE.format(way)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1) == b"x"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_what_is_only_mentioned_may_be_lost() -> None:
    code = "from ligan.output import mention; mention('x'); mention('y')"
    with Path("/dev/full").open("w") as full:
        subprocess.run([sys.executable, "-c", code], stdout=full, check=True)


@pytest.mark.parametrize("way", ["say('x')", "pour(b'x')"])
def test_a_full_disk_is_told_in_a_sentence(way: str) -> None:
    code = f"from ligan.output import pour, say; {way}"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "ligan: standard output cannot be written: No space left on device\n")
