"""What came back is fetched through a restart of the service, and Ctrl-C leaves."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ligan import patience
from ligan.ids import new_id
from ligan.problem import Problem
from ligan.wire.trial import ReturnedFile, TrialFiles
from master_daemon.developer_command.interrupts import Interrupts
from master_daemon.developer_command.server import Server
from master_daemon.developer_command.showing import LeftError, Showing
from master_daemon.developer_command.words import Plain

BODY = b"kept"


class Restarting(Server):
    """Whose every file breaks off once."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9", "ligan_x")
        self.broken: set[str] = set()

    def files(self, trial_id: str) -> TrialFiles:
        return TrialFiles(files=[ReturnedFile(path=name, size=len(BODY), pieces=[]) for name in ("a", "b/c")])

    def content(self, trial_id: str, path: str) -> Iterator[bytes]:
        yield BODY[:2]
        if path not in self.broken:
            self.broken.add(path)
            raise Problem("unreachable", "It does not answer.")
        yield BODY[2:]


class Interrupted(Restarting):
    """At whose first byte Ctrl-C comes."""

    def content(self, trial_id: str, path: str) -> Iterator[bytes]:
        yield BODY[:2]
        os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    before = signal.getsignal(signal.SIGINT)
    yield Interrupts()
    signal.signal(signal.SIGINT, before)


def test_files_outlast_a_restart(
    tmp_path: Path, interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.0)
    Showing(Restarting(), new_id("j"), Plain()).fetch(tmp_path, interrupts)
    assert {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == {
        "a": BODY,
        "b/c": BODY,
    }
    assert capsys.readouterr().err.count("Trying again") == 2


def test_ctrl_c_leaves_and_says_how_to_fetch_the_rest(
    tmp_path: Path, interrupts: Interrupts, capsys: pytest.CaptureFixture[str]
) -> None:
    job = new_id("j")
    with pytest.raises(LeftError):
        Showing(Interrupted(), job, Plain()).fetch(tmp_path, interrupts)
    assert f"ligan logs {job} --out FOLDER" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
