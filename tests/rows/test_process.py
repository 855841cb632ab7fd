"""What a row's process says is believed only if it came to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.real import UnavailableError
from tests.rows.process import Said, in_folder


def test_the_last_line_is_what_was_found() -> None:
    assert Said.read('a word before\n{"lost": []}\n', "", 1.26) == Said(1.3, {"lost": []})


@pytest.mark.parametrize(
    ("output", "complaint", "error"), [("", "", "no word"), ("{", "one\ntwo\n", "one\ntwo"), ("{}\nx", " why ", "why")]
)
def test_without_an_end_there_is_an_error(output: str, complaint: str, error: str) -> None:
    assert Said.read(output, complaint, 1) == Said(1, error=error)


def test_a_row_that_this_machine_cannot_have_is_skipped_and_leaves_nothing() -> None:
    seen: list[Path] = []

    def play(folder: Path) -> dict[str, object]:
        seen.append(folder)
        raise UnavailableError("no root")

    found = in_folder("test", "row", keep=False, play=play)
    assert found == {"skipped": "no root"}
    assert Said.read('{"skipped": "no root"}', "", 0).skipped == "no root"
    assert not seen[0].exists()
