"""What a terminal shows of a test job."""

from __future__ import annotations

import sys

import pytest

from ligan.wire.trial import LogPart
from master_daemon.developer_command.words import Plain


@pytest.mark.parametrize(("terminal", "before"), [(True, "\n"), (False, "")])
def test_after_a_line_without_an_end_a_note_begins_a_line_of_its_own_where_one_sees_both(
    terminal: bool, before: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    teller = Plain()
    for text in ("whole\n", "in the middle"):
        teller.part(LogPart(offset=1, text=text))
        teller.note("one")
        teller.note("two")
    said, noted = capsys.readouterr()
    assert said == "whole\nin the middle"
    assert noted == f"[ligan] one\n[ligan] two\n{before}[ligan] one\n[ligan] two\n"
