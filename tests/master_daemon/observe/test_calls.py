"""Calls of the scheduler are counted where commands are run, by command."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ligan.intervals import COMMAND_TIMEOUT
from master_daemon.cluster.command import CommandError, Completed
from master_daemon.observe.calls import CountingRunner, Rate
from tests.master_daemon.observe.test_watcher import Grown


def refuse(argv: Sequence[str], stdin: str = "", timeout_s: float = COMMAND_TIMEOUT) -> Completed:
    raise CommandError(argv, 1, "", f"no {stdin} {timeout_s}")


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (("squeue", "--noheader"), "squeue"),
        (("env", "SLURM_TIME_FORMAT=%s", "squeue", "--me"), "squeue"),
        (("/usr/bin/sbatch",), "sbatch"),
    ],
)
def test_each_call_counts_also_when_it_fails(argv: tuple[str, ...], command: str) -> None:
    calls = Grown("ligan_scheduler_calls_total", command=command)
    with pytest.raises(CommandError, match="no input 3"):
        CountingRunner(refuse)(argv, "input", 3)
    assert calls() == 1


def test_a_rate_is_of_the_last_minute() -> None:
    now = 100.0
    rate = Rate(lambda: now)
    for now in (100.0, 130.0, 159.0):  # noqa: B007 (the rate's clock)
        rate.count()
    assert rate.per_minute() == 3
    now = 161.0
    assert rate.per_minute() == 2
    now = 1000.0
    assert rate.per_minute() == 0
