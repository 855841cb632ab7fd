"""Every state of a Slurm job and what it means to us. squeue(1), JOB STATE CODES, releases 20.02 to 25.05."""

from __future__ import annotations

from collections.abc import Mapping

from master_daemon.cluster.manager import JobPhase

_PHASES = {
    # Waits for resources, for a release from hold, or for nodes to boot
    JobPhase.PENDING: (
        *("PENDING", "CONFIGURING", "POWER_UP_NODE", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD"),
        *("SPECIAL_EXIT", "LAUNCH_FAILED", "RECONFIG_FAIL", "EXPEDITING"),
    ),
    # Holds resources, or may go on: processes of a COMPLETING job still run; a REVOKED one runs in a sibling cluster
    JobPhase.RUNNING: (
        *("RUNNING", "COMPLETING", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED", "UPDATE_DB"),
        *("REVOKED",),
    ),
    # The allow-list: only these end a job. PREEMPTED and NODE_FAIL are among them because we submit with --no-requeue
    JobPhase.ENDED: (
        *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"),
        *("TIMEOUT",),
    ),
}

PHASES: Mapping[str, JobPhase] = {state: phase for phase, states in _PHASES.items() for state in states}


def phase_of(state: str) -> JobPhase:
    """The phase of a state as squeue or sacct prints it (`CANCELLED by 1000` too).

    A state that is not in the table, of a release to come, is RUNNING: to take it for an end would double the job.
    """
    return PHASES.get(state.partition(" ")[0], JobPhase.RUNNING)
