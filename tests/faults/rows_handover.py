"""Rows: the time limit comes, and something goes wrong at each step of the handover (promise 4)."""

from __future__ import annotations

from collections.abc import Callable

from master_daemon.cluster.fake_slurm import fault as faults
from tests.faults.house import House
from tests.faults.row import LONG, fault

SHORT = {"backend": {"time_limit": 60}}
"""The shortest limit there is."""
_PATIENCE = 75.0


def until_over(house: House) -> None:
    """Until the first backend is gone."""
    first = house.ledger.rows("backend", live=False)[0]
    house.wait(lambda: house.is_over(first), "the first backend's end", _PATIENCE)


def _kill_daemon_when(house: House, condition: Callable[[], object], why: str) -> None:
    house.wait(condition, why, _PATIENCE)
    house.daemon.kill()
    house.daemon.start(wait=False)
    house.broken()
    until_over(house)


@fault(settings=SHORT)
def time_limit(house: House) -> None:
    """The backend reaches its time limit: its successor takes over"""
    house.broken()
    until_over(house)


@fault(settings=SHORT)
def slurmctld_gone_during_handover(house: House) -> None:
    """No command of Slurm's is answered for 60 s, and the time limit comes meanwhile"""
    house.wait(
        lambda: house.ledger.newest_is("REQUESTED", "SUBMITTING", "PENDING", "STARTING"), "a successor", _PATIENCE
    )
    house.slurm.answers("*", faults.UNREACHABLE_CONTROLLER, seconds=60)
    house.pass_time(60, "the fault's time")
    house.healed()


@fault(settings=SHORT)
def slurmctld_gone_before_handover(house: House) -> None:
    """No command of Slurm's is answered from before the successor is due until 15 s after the time limit"""
    house.slurm.answers("*", faults.UNREACHABLE_CONTROLLER)
    house.wait(lambda: not house.slurm.running("ligan-backend-"), "the time limit", _PATIENCE)
    house.pass_time(15, "the session has no backend meanwhile")
    house.healed()


@fault(settings=SHORT)
def successor_killed(house: House) -> None:
    """The successor is cancelled as soon as it starts"""
    house.wait(lambda: house.ledger.newest_is("STARTING", "READY"), "a successor", _PATIENCE)
    house.slurm.cancel(house.slurm.running("ligan-backend-")[-1])
    house.broken()
    until_over(house)


@fault(settings={"backend": {"time_limit": 60, "immediate": "never"}})
def daemon_killed_before_the_successor_is_submitted(house: House) -> None:
    """SIGKILL of the daemon in the handover: the successor's intent is stored, nothing is queued"""
    house.slurm.answers("sbatch", faults.KILLED_CALLER_BEFORE, calls=1)
    house.daemon.wait_dead("the successor's submission", _PATIENCE)
    house.daemon.start(wait=False)
    house.broken()
    until_over(house)


@fault(settings={"backend": {"time_limit": 60, "immediate": "never"}})
def daemon_killed_when_the_successor_is_submitted(house: House) -> None:
    """SIGKILL of the daemon in the handover: the successor is queued, its ID is not stored"""
    house.slurm.answers("sbatch", faults.KILLED_CALLER_AFTER, calls=1)
    house.daemon.wait_dead("the successor's submission", _PATIENCE)
    house.daemon.start(wait=False)
    house.broken()
    until_over(house)


@fault(settings=SHORT)
def daemon_killed_while_the_successor_starts(house: House) -> None:
    """SIGKILL of the daemon in the handover: the successor loads"""
    _kill_daemon_when(house, lambda: house.ledger.newest_is("PENDING", "STARTING"), "a successor that starts")


@fault(settings=SHORT, task_s=LONG)
def daemon_killed_when_the_successor_takes_over(house: House) -> None:
    """SIGKILL of the daemon in the handover: the successor is ready, the old backend drains"""
    _kill_daemon_when(house, lambda: house.ledger.newest_is("READY"), "a successor that is ready")


@fault(settings=SHORT, task_s=LONG)
def old_backend_killed_while_it_drains(house: House) -> None:
    """The old backend is cancelled as it drains"""
    house.wait(lambda: house.ledger.newest_is("READY"), "a successor that is ready", _PATIENCE)
    house.slurm.cancel(house.slurm.running("ligan-backend-")[0])
    house.broken()
    until_over(house)
