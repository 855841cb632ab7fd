"""The command that tries a table's rows."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.attack import __main__ as attack
from tests.faults import __main__ as faults


@pytest.mark.parametrize("main", [attack.main, faults.main], ids=["attack", "faults"])
def test_a_pattern_that_fits_no_row_is_refused_and_writes_no_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, main: Callable[[], int]
) -> None:
    monkeypatch.setattr(sys, "argv", ["rows", "--only", "nothing-*", "--json", str(tmp_path / "table.json")])
    with pytest.raises(SystemExit, match="no row fits 'nothing-\\*'"):
        main()
    assert not (tmp_path / "table.json").exists()
