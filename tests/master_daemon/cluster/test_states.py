import pytest

from master_daemon.cluster.manager import JobPhase
from master_daemon.cluster.states import PHASES, phase_of

SQUEUE_MANUAL = {
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "CONFIGURING", "COMPLETING", "DEADLINE", "FAILED", "NODE_FAIL"),
    *("OUT_OF_MEMORY", "PENDING", "PREEMPTED", "RUNNING", "RESV_DEL_HOLD", "REQUEUE_FED", "REQUEUE_HOLD", "REQUEUED"),
    *("RESIZING", "REVOKED", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT", "STOPPED", "SUSPENDED", "TIMEOUT"),
}
"""JOB STATE CODES of squeue(1), release 22.05."""


def test_every_state_of_the_manual_is_in_the_table() -> None:
    assert set(PHASES) >= SQUEUE_MANUAL


def test_only_these_states_end_a_job() -> None:
    assert {state for state, phase in PHASES.items() if phase is JobPhase.ENDED} == {
        *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"),
        "TIMEOUT",
    }


@pytest.mark.parametrize("state", ["SUSPENDED", "COMPLETING", "STOPPED", "SIGNALING", "TELEPORTING", ""])
def test_a_job_that_may_go_on_or_is_not_understood_has_not_ended(state: str) -> None:
    assert phase_of(state) is JobPhase.RUNNING


@pytest.mark.parametrize("state", ["PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT"])
def test_a_requeued_job_waits(state: str) -> None:
    assert phase_of(state) is JobPhase.PENDING


def test_sacct_names_who_cancelled() -> None:
    assert phase_of("CANCELLED by 1000") is JobPhase.ENDED
