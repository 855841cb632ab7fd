"""Rows: a submission fails, hangs, or does what it was asked and does not say so (promise 2). A newcomer meets it."""

from __future__ import annotations

from master_daemon.cluster.fake_slurm import fault as faults
from master_daemon.cluster.fake_slurm.fault import Fault
from tests.faults.house import House
from tests.faults.row import fault

QUEUED = {"backend": {"immediate": "never"}}
"""Every job through sbatch."""


def meets(house: House, command: str, how: Fault, calls: int = 1) -> None:
    """A newcomer's job meets the fault; recovery counts from there to everybody's next result."""
    house.slurm.answers(command, how, calls=calls)
    house.let_in()
    house.wait(lambda: _met(house, how) >= calls, f"{command} to meet: {how.name}", 60 * calls)
    house.broken()


def kills(house: House, command: str, how: Fault) -> None:
    """A newcomer's job is where the daemon is killed; the next daemon goes on."""
    house.slurm.answers(command, how, calls=1)
    house.let_in()
    house.daemon.wait_dead(f"{command} to kill the daemon")
    house.daemon.start(wait=False)
    house.broken()


def _met(house: House, how: Fault) -> int:
    return sum(call.fault == how.name for call in house.slurm.calls)


@fault(settings=QUEUED)
def sbatch_refused(house: House) -> None:
    """sbatch says a clear no, twice"""
    meets(house, "sbatch", faults.REFUSED, calls=2)


@fault(settings=QUEUED)
def sbatch_timed_out(house: House) -> None:
    """sbatch says that slurmctld did not answer; nothing was queued"""
    meets(house, "sbatch", faults.TIMED_OUT)


@fault(settings=QUEUED)
def sbatch_hung(house: House) -> None:
    """sbatch hangs until it is killed; nothing was queued"""
    meets(house, "sbatch", faults.HUNG)


@fault(settings=QUEUED, quick=True)
def sbatch_accepted_but_timed_out(house: House) -> None:
    """sbatch says that slurmctld did not answer, but the job is queued"""
    meets(house, "sbatch", faults.ACCEPTED_BUT_TIMED_OUT)


@fault(settings=QUEUED)
def sbatch_accepted_but_hung(house: House) -> None:
    """sbatch queues the job, then hangs until it is killed"""
    meets(house, "sbatch", faults.ACCEPTED_BUT_HUNG)


@fault(settings=QUEUED)
def sbatch_accepted_but_silent(house: House) -> None:
    """sbatch queues the job and prints no ID"""
    meets(house, "sbatch", faults.ACCEPTED_BUT_SILENT)


@fault(settings=QUEUED)
def daemon_killed_before_sbatch_acts(house: House) -> None:
    """SIGKILL of the daemon: the intent is stored, nothing is queued"""
    kills(house, "sbatch", faults.KILLED_CALLER_BEFORE)


@fault(settings=QUEUED, quick=True)
def daemon_killed_after_sbatch_acted(house: House) -> None:
    """SIGKILL of the daemon: the job is queued, its ID is not stored"""
    kills(house, "sbatch", faults.KILLED_CALLER_AFTER)


@fault()
def srun_hung(house: House) -> None:
    """srun hangs until it is told to end; there is no job"""
    meets(house, "srun", faults.HUNG)


@fault()
def srun_accepted_but_hung(house: House) -> None:
    """srun starts the job and does not say so"""
    meets(house, "srun", faults.ACCEPTED_BUT_HUNG)


@fault()
def srun_accepted_but_timed_out(house: House) -> None:
    """srun starts the job and ends with a time-out"""
    meets(house, "srun", faults.ACCEPTED_BUT_TIMED_OUT)


@fault()
def daemon_killed_before_srun_acts(house: House) -> None:
    """SIGKILL of the daemon: the intent is stored, srun has not done anything"""
    kills(house, "srun", faults.KILLED_CALLER_BEFORE)


@fault()
def daemon_killed_after_srun_acted(house: House) -> None:
    """SIGKILL of the daemon: srun has started the job, its ID is not stored"""
    kills(house, "srun", faults.KILLED_CALLER_AFTER)


@fault()
def daemon_killed_by_squeue(house: House) -> None:
    """SIGKILL of the daemon while it waits for squeue"""
    house.slurm.controller.held.add("gpu")
    kills(house, "squeue", faults.KILLED_CALLER_AFTER)
    house.healed()


@fault()
def submission_down(house: House) -> None:
    """No command of Slurm's is answered for 60 s, while a newcomer asks for a backend"""
    house.slurm.answers("*", faults.UNREACHABLE_CONTROLLER)
    house.let_in()
    house.pass_time(60, "long enough for several tries, and short of the next session's patience")
    house.healed()


@fault()
def scancel_failed(house: House) -> None:
    """scancel is not answered for 30 s, while a backend that hangs is to be replaced"""
    house.slurm.answers("scancel", faults.UNREACHABLE_CONTROLLER)
    old = house.backend()
    house.freeze(house.pid_of(old))
    house.broken()
    house.wait(lambda: house.slurm_calls("scancel"), "the hung backend's cancel", 120)
    house.pass_time(30, "the cancel has to be tried again")
    house.slurm.heal()
    house.wait(lambda: house.is_over(old), "the hung backend's end", 60)
