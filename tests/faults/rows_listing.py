"""Rows: the scheduler's listing is missing, wrong or a lie. None of it may change anything (promise 1)."""

from __future__ import annotations

from master_daemon.cluster.fake_slurm import fault as faults
from master_daemon.cluster.fake_slurm.fault import Fault
from tests.faults.house import House
from tests.faults.row import fault

_LONG = 30.0


def _squeue(house: House, how: Fault, seconds: float = _LONG) -> None:
    """While it lasts, a newcomer's job waits, so that the daemon polls often."""
    house.slurm.controller.held.add("gpu")
    house.slurm.answers("squeue", how)
    house.let_in()
    house.pass_time(seconds, "several polls of 5 s must have met the fault")
    house.healed()


@fault(quick=True)
def squeue_empty(house: House) -> None:
    """squeue prints nothing, exit status 0, for 30 s"""
    _squeue(house, faults.EMPTY)


@fault()
def squeue_no_jobs(house: House) -> None:
    """squeue lists no jobs at all for 30 s, as a slurmctld that just restarted"""
    _squeue(house, faults.NO_JOBS)


@fault()
def squeue_failed(house: House) -> None:
    """squeue exits with status 1 for 30 s"""
    _squeue(house, faults.UNREACHABLE_CONTROLLER)


@fault()
def squeue_hung(house: House) -> None:
    """squeue hangs until it is killed, for 45 s"""
    _squeue(house, faults.HUNG, 45)


@fault()
def squeue_garbage(house: House) -> None:
    """squeue prints something else for 30 s"""
    _squeue(house, faults.GARBAGE)


@fault()
def squeue_cut(house: House) -> None:
    """squeue's answer ends in the middle, for 30 s"""
    _squeue(house, faults.CUT)


@fault()
def squeue_complains(house: House) -> None:
    """squeue lists nothing, says error, and exits with status 0, for 30 s"""
    _squeue(house, faults.COMPLAINS)


@fault()
def squeue_doubled(house: House) -> None:
    """squeue lists every job twice for 30 s"""
    _squeue(house, faults.DOUBLED)
