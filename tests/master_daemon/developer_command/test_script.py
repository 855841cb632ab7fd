"""Arrays and nodes in `#SBATCH` lines are found before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from master_daemon.developer_command.script import asks


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("#SBATCH --array=0-4", ("0-4", 1)),
        ("#SBATCH --time=5 --array 1,3", ("1,3", 1)),
        ("#SBATCH -a 0-9%2", ("0-9%2", 1)),
        ("#SBATCH --nodes=2", ("", 2)),
        ("#SBATCH -N2", ("", 2)),
        ("#SBATCH -N 1\n#SBATCH --nodes=4", ("", 4)),
        ("#SBATCH --account=physics\n# --array=1-3\necho --array=1", ("", 1)),
    ],
)
def test_directives(tmp_path: Path, lines: str, found: tuple[str, int]) -> None:
    (tmp_path / "job.sh").write_text(f"#!/bin/bash\n{lines}\n")
    assert asks(["./job.sh"], tmp_path) == found
    assert asks(["bash", "-e", "job.sh"], tmp_path) == found


def test_what_is_no_script(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    for word in ("binary", "missing", "", ".", "a\0b"):
        assert asks([word], tmp_path) == ("", 1)
