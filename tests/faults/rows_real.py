"""Rows on the real cluster of slurm/test-cluster: what it can be made to show, with real commands and real daemons."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.faults.cluster import RealCluster
from tests.faults.house import House
from tests.faults.row import LONG, fault
from tests.faults.rows_handover import until_over
from tests.slurm_command import slurm

_QUEUED = {"backend": {"immediate": "never"}}
_RUN = Path(os.environ.get("LIGAN_TEST_CLUSTER", "/var/lib/ligan-test-cluster")) / "run"


def _real(house: House) -> RealCluster:
    assert isinstance(house.cluster, RealCluster)
    return house.cluster


@fault("real", alone=True, people=2)
def real_slurmctld_stopped(house: House) -> None:
    """slurmctld is ended and started 60 s later; a newcomer asks for a backend meanwhile"""
    house.slurm.control("break", "controller")
    house.let_in()
    house.pass_time(60, "the fault's time")
    house.healed()


@fault("real", alone=True)
def real_slurmctld_hung(house: House) -> None:
    """slurmctld hangs for 40 s (SIGSTOP): every command times out; a newcomer asks for a backend meanwhile"""
    controller = house.slurm.controller_pid
    os.kill(controller, signal.SIGSTOP)
    try:
        house.let_in()
        house.pass_time(40, "longer than a command's time-out, with the submission in it")
    finally:
        os.kill(controller, signal.SIGCONT)
    house.healed()


@fault("real", alone=True, task_s=LONG)
def real_slurmctld_emptied(house: House) -> None:
    """slurmctld is ended, and starts without its state: it knows no job any more, and the nodes' are killed"""
    house.slurm.control("break", "controller")
    for file in (_RUN.parent / "state").iterdir():
        if file.is_file():
            file.unlink()
    house.slurm.control("mend", "controller")
    house.broken()


@fault("real", alone=True, task_s=LONG)
def real_slurmd_killed(house: House) -> None:
    """SIGKILL of slurmd on the backend's node; it is started again 20 s later"""
    os.kill(int((_RUN / f"slurmd-{house.backend().node}.pid").read_text()), signal.SIGKILL)
    house.pass_time(20, "longer than slurmctld's patience with a node")
    house.healed()


@fault("real", alone=True, task_s=LONG)
def real_link_cut(house: House) -> None:
    """The backend's node loses its network, and gets it back when the session has another backend"""
    old = house.backend()
    node = old.node
    house.slurm.control("break", node)
    house.broken()
    house.wait_done(house.since)
    house.note("recovered_before_the_link_s", house.since_broken())
    house.slurm.control("mend", node)
    house.cluster.heal()
    house.wait(lambda: house.is_over(old), "the end of the job on the other side", 120)


@fault("real", task_s=LONG)
def real_job_cancelled(house: House) -> None:
    """Somebody cancels the backend's job with scancel"""
    slurm("scancel", str(house.backend().job_id))
    house.broken()


@fault("real", task_s=LONG, settings=_QUEUED)
def real_job_requeued(house: House) -> None:
    """An administrator allows the backend's job to be requeued, and requeues it"""
    job_id = str(house.backend().job_id)
    slurm("scontrol", "update", f"jobid={job_id}", "requeue=1")
    slurm("scontrol", "requeue", job_id)
    house.broken()


@fault("real", task_s=LONG)
def real_backend_killed(house: House) -> None:
    """SIGKILL of the backend on its node in the middle of a task"""
    os.kill(house.backend_pid(), signal.SIGKILL)
    house.broken()


@fault("real", alone=True)
def real_nodes_drained(house: House) -> None:
    """Every gpu node is drained for 30 s; a newcomer asks for a backend meanwhile"""
    for node in house.slurm.nodes:
        if node.startswith("gpu"):
            slurm("scontrol", "update", f"nodename={node}", "state=drain", "reason=fault suite")
    house.let_in()
    house.pass_time(30, "the newcomer must wait")
    house.healed()


@fault("real", settings=_QUEUED)
def real_daemon_killed_before_sbatch(house: House) -> None:
    """SIGKILL of the daemon in a newcomer's submission: sbatch has not asked slurmctld"""
    _real(house).trap("sbatch", "kill -KILL $PPID")
    _daemon_dies_in_submission(house)


@fault("real", settings=_QUEUED)
def real_daemon_killed_after_sbatch(house: House) -> None:
    """SIGKILL of the daemon in a newcomer's submission: slurmctld has queued the job, its ID is not stored"""
    _real(house).trap("sbatch", '/usr/bin/sbatch "$@" >/dev/null; kill -KILL $PPID')
    _daemon_dies_in_submission(house)


@fault("real", settings={"backend": {"time_limit": 60}}, task_s=LONG)
def real_daemon_killed_in_handover(house: House) -> None:
    """SIGKILL of the daemon in the handover: the successor is ready, the old backend drains"""
    house.wait(lambda: house.ledger.newest_is("READY"), "a successor that is ready", 90)
    house.daemon.kill()
    house.daemon.start(wait=False)
    house.broken()
    until_over(house)


@fault("real", alone=True, settings={"backend": {"time_limit": 60}}, people=2)
def real_slurmctld_stopped_during_handover(house: House) -> None:
    """slurmctld is ended as successors come up, and started 60 s later"""
    house.wait(lambda: house.ledger.newest_is("SUBMITTING", "PENDING", "STARTING", "READY"), "a successor", 90)
    house.slurm.control("break", "controller")
    house.pass_time(60, "the time limit comes meanwhile")
    house.healed()


def _daemon_dies_in_submission(house: House) -> None:
    house.let_in()
    house.daemon.wait_dead("the trap in sbatch")
    house.daemon.start(wait=False)
    house.broken()
