"""Rows: a developer's test job is under way. It runs once at most, and what it printed is there whole."""

from __future__ import annotations

from ligan.wire.trial import TrialState
from master_daemon.cluster.fake_slurm import fault as faults
from master_daemon.cluster.fake_slurm.job import Job
from tests.faults.developer import Developer
from tests.faults.house import House
from tests.faults.row import fault
from tests.faults.rows_submit import QUEUED


def _at_work(house: House) -> tuple[Developer, Job]:
    developer = house.develop()
    developer.submit()
    developer.wait_at_work()
    return developer, house.slurm.running("ligan-trial-")[-1]


@fault(quick=True)
def trial_daemon_killed(house: House) -> None:
    """SIGKILL of the daemon while a test job prints; the next one starts 5 s later"""
    _at_work(house)
    house.daemon.kill()
    house.pass_time(5, "what the job prints has nobody to go to")
    house.daemon.start(wait=False)
    house.broken()


@fault(settings=QUEUED)
def trial_daemon_killed_after_sbatch_acted(house: House) -> None:
    """SIGKILL of the daemon: a test job is queued, its ID is not stored"""
    developer = house.develop()
    house.slurm.answers("sbatch", faults.KILLED_CALLER_AFTER, calls=1)
    developer.submit()
    house.daemon.wait_dead("sbatch to kill the daemon")
    house.daemon.start(wait=False)
    house.broken()


@fault(settings=QUEUED)
def trial_accepted_but_timed_out(house: House) -> None:
    """sbatch says that slurmctld did not answer, but the test job is queued"""
    house.slurm.answers("sbatch", faults.ACCEPTED_BUT_TIMED_OUT, calls=1)
    house.develop().submit()
    house.broken()


@fault()
def trial_node_failed(house: House) -> None:
    """The test job's node loses power: it is not run again by itself, and what it printed stays"""
    developer, job = _at_work(house)
    developer.ends_as = TrialState.NODE_FAILED
    house.slurm.fail_node(job.node)
    house.broken()


@fault()
def trial_cancelled(house: House) -> None:
    """Somebody cancels the test job with scancel"""
    developer, job = _at_work(house)
    developer.ends_as = TrialState.CANCELLED
    house.slurm.cancel(job)
    house.broken()
