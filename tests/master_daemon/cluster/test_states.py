import pytest

from master_daemon.cluster.manager import JobPhase
from master_daemon.cluster.states import FLAGS, STATES, one_state, phase_of

SQUEUE_MANUAL = {
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "CONFIGURING", "COMPLETING", "DEADLINE", "FAILED", "NODE_FAIL"),
    *("OUT_OF_MEMORY", "PENDING", "PREEMPTED", "RUNNING", "RESV_DEL_HOLD", "REQUEUE_FED", "REQUEUE_HOLD", "REQUEUED"),
    *("RESIZING", "REVOKED", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT", "STOPPED", "SUSPENDED", "TIMEOUT"),
}
"""JOB STATE CODES of squeue(1), release 22.05."""


def test_every_state_of_the_manual_is_in_the_table() -> None:
    assert set(STATES) >= SQUEUE_MANUAL


def test_only_these_states_end_a_job() -> None:
    assert {word for word, state in STATES.items() if state.phase is JobPhase.ENDED} == {
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


@pytest.mark.parametrize("state", ["CANCELLED+", "COMPLETED"])
def test_sacct_cuts_long_words(state: str) -> None:
    assert phase_of(state) is JobPhase.ENDED


def test_what_ends_a_job_says_why_and_what_it_means_and_nothing_else_does() -> None:
    for state in STATES.values():
        assert (state.phase is JobPhase.ENDED) == bool(state.sentence) == (state.cause is not None)


@pytest.mark.parametrize(
    ("words", "state"),
    [
        (["RUNNING"], "RUNNING"),
        (["CANCELLED", "COMPLETING"], "COMPLETING"),
        (["PENDING", "REQUEUED"], "REQUEUED"),
        (["FAILED", "TELEPORTING"], "TELEPORTING"),
        (["COMPLETED", "REQUEUED", "COMPLETING"], "COMPLETING"),
    ],
)
def test_of_several_words_the_flag_counts_and_a_strange_one_most(words: list[str], state: str) -> None:
    assert one_state(words) == state


def test_a_job_without_a_state_is_not_understood() -> None:
    with pytest.raises(ValueError, match="without a state"):
        one_state([])


def test_no_flag_ends_a_job() -> None:
    assert {phase_of(flag) for flag in FLAGS} == {JobPhase.PENDING, JobPhase.RUNNING}
