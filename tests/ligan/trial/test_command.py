"""A command's end: its code, its children, and being told to end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ligan.trial.command import Command, code_of
from tests.ligan.stub import wait_until


def run(tmp_path: Path, *words: str) -> Command:
    return Command(words, tmp_path, tmp_path / "output", dict(os.environ))


def code(command: Command) -> int:
    wait_until(lambda: command.poll() is not None, "the command's end")
    ended = command.poll()
    assert ended is not None
    return ended


@pytest.mark.parametrize(("words", "expected"), [("exit 0", 0), ("exit 9", 9), ("kill -9 $$", 137), ("kill $$", 143)])
def test_its_code_is_the_shells(tmp_path: Path, words: str, expected: int) -> None:
    assert code(run(tmp_path, "sh", "-c", words)) == expected


def test_both_outputs_and_no_input(tmp_path: Path) -> None:
    assert code(run(tmp_path, "sh", "-c", "echo one; echo two >&2; cat")) == 0
    assert (tmp_path / "output").read_text() == "one\ntwo\n"


def test_its_children_end_with_it(tmp_path: Path) -> None:
    code(run(tmp_path, "sh", "-c", "sleep 300 & echo $!"))
    child = Path("/proc") / (tmp_path / "output").read_text().strip()
    wait_until(lambda: not child.exists() or "Z" in (child / "stat").read_text().split()[2], "the child's end")


def test_one_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ligan.trial.command.TRIAL_STOP", 0.3)
    command = run(tmp_path, "sh", "-c", "trap 'echo heard' TERM; echo up; while :; do sleep 0.05; done")
    wait_until(lambda: (tmp_path / "output").read_text(), "its start")
    command.stop()
    command.stop()
    assert code(command) == 137
    assert (tmp_path / "output").read_text().count("heard") == 1


def test_what_cannot_be_started(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    with pytest.raises(FileNotFoundError) as missing:
        run(tmp_path, "./missing")
    with pytest.raises(PermissionError) as refused:
        run(tmp_path, "./text")
    assert (code_of(missing.value), code_of(refused.value)) == (127, 126)
