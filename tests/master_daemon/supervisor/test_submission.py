"""At most one job for each seat and generation, whatever the scheduler answers (promises 1, 2 and 7)."""

from __future__ import annotations

from typing import Any

import pytest

from ligan.intervals import (
    BREAKER_PAUSES,
    COMMAND_TIMEOUT,
    CONTACT_LOST,
    GIVE_UP_STARTS,
    GONE_POLLS,
    POLL_BUSY,
    POLL_IDLE,
    RESTART_PAUSES,
)
from ligan.problem import Problem
from ligan.wire.session import JobState
from ligan.wire.task import TaskState
from master_daemon.cluster.manager import JobRequest
from tests.master_daemon.supervisor.conftest import Build
from tests.master_daemon.supervisor.house import House


def test_a_session_gets_a_backend_and_the_frontend_is_always_wanted(house: House) -> None:
    key = house.session()
    assert house.job(key).state is JobState.REQUESTED
    house.tick()
    assert house.job(key).state is JobState.PENDING
    assert house.job("frontend").state is JobState.PENDING
    house.manager.start(house.job(key).nonce)
    house.tick(POLL_BUSY)
    starting = house.job(key)
    assert starting.state is JobState.STARTING
    assert starting.ends_at is not None
    assert abs(starting.ends_at - (house.now + 3600)) < 10
    house.call_home(starting)
    assert house.job(key).ready
    assert house.events(key)[-1] == "on-ready"
    assert set(house.events(key)[:-1]) == {"on-queue"}


def test_asking_again_makes_no_second_job(house: House) -> None:
    key = house.session()
    for _ in range(5):
        house.supervisor.want_backend(key, house.now)
        house.tick(1)
    assert len(house.submissions()) == 1


def test_no_secret_is_on_the_command_line(house: House) -> None:
    house.session()
    house.tick()
    for request in house.manager.submissions:
        token = house.launcher.token(house.find(request.nonce))
        assert token in request.stdin
        assert token not in f"{request.command} {request.name} {request!r}"


def test_a_refused_submit_is_told_and_tried_again_later(house: House) -> None:
    house.tick()  # the frontend's
    key = house.session()
    house.manager.refuse_next("Invalid partition")
    house.tick()
    assert house.job(key).state is JobState.ENDED
    assert "Invalid partition" in house.view(key).reason
    assert house.view(key).state is JobState.REQUESTED, "it goes on"
    house.wait(RESTART_PAUSES[0] - 1)
    assert len(house.submissions()) == 1, "a refusal is no reason to hurry"
    house.wait(2)
    assert (house.job(key).generation, house.job(key).state) == (2, JobState.PENDING)


def test_a_session_whose_jobs_are_refused_gives_up_and_says_why(house: House) -> None:
    house.tick()
    key = house.session(present=True)
    task_id = house.task(key)
    for _ in range(GIVE_UP_STARTS):
        house.manager.refuse_next("Invalid partition")
    house.wait(sum(RESTART_PAUSES[:GIVE_UP_STARTS]) + sum(BREAKER_PAUSES[: GIVE_UP_STARTS + 1]))
    assert not house.wants(key)
    assert len(house.submissions()) == GIVE_UP_STARTS
    task = house.task_state(key, task_id)
    assert task.state is TaskState.FAILED
    assert task.error is not None
    assert "Invalid partition" in task.error.detail


def test_many_sessions_with_a_closed_cluster_do_not_flood_it(house: House) -> None:
    house.ready_frontend()
    for _ in range(40):
        house.session(present=True)
        house.manager.refuse_next("Access/permission denied")
    house.wait(300, step=5)
    assert len(house.submissions()) <= len(BREAKER_PAUSES)


def test_the_breaker_outlives_the_daemon(house: House) -> None:
    house.ready_frontend()
    for _ in range(12):
        house.session(present=True)
        house.manager.refuse_next("Access/permission denied")
    house.wait(100, step=5)
    before = len(house.submissions())
    house.restart()
    house.tick(1, times=5)
    assert len(house.submissions()) == before


def test_one_good_job_closes_the_breaker(house: House) -> None:
    house.ready_frontend()
    keys = [house.session(present=True) for _ in range(6)]
    for _ in range(3):
        house.manager.refuse_next("Access/permission denied")
    house.wait(sum(BREAKER_PAUSES[:4]) + sum(RESTART_PAUSES[:3]))
    assert {house.job(key).state for key in keys} == {JobState.PENDING}


def test_an_ambiguous_submit_that_came_through_is_adopted(house: House) -> None:
    house.tick()
    key = house.session()
    house.manager.time_out_next(accepted=True)
    house.tick()
    assert house.job(key).state is JobState.SUBMITTING
    house.tick(POLL_BUSY, times=3)
    adopted = house.job(key)
    assert (adopted.state, adopted.generation) == (JobState.PENDING, 1)
    assert adopted.job_id == house.manager.job(adopted.nonce).job_id
    assert house.submissions() == [adopted.nonce]


def test_an_ambiguous_submit_that_never_came_through_ends_after_its_grace(house: House) -> None:
    house.tick()
    key = house.session()
    house.manager.time_out_next(accepted=False)
    house.wait(2 * COMMAND_TIMEOUT - 5)
    first = house.job(key)
    assert first.state is JobState.SUBMITTING, "the answer may still come"
    assert house.submissions() == [first.nonce]
    house.wait(60)
    assert house.find(first.nonce).state is JobState.ENDED
    assert (house.job(key).generation, house.job(key).state) == (2, JobState.PENDING)
    assert len(set(house.submissions())) == len(house.submissions()) == 2


def test_a_submit_that_came_through_after_all_is_cancelled(house: House) -> None:
    house.tick()
    key = house.session()
    house.manager.time_out_next(accepted=True)
    house.tick()
    nonce = house.job(key).nonce
    lost = house.manager.job(nonce)
    house.manager.lose(nonce)  # slurmctld lists it only later
    house.wait(80)
    assert house.find(nonce).state is JobState.ENDED
    house.manager._jobs[lost.job_id] = lost
    house.wait(POLL_IDLE)
    assert house.manager.cancelled == [lost.job_id]


def test_a_job_that_calls_home_before_sbatch_answers_can_be_cancelled(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, submit = house.session(), house.manager.submit

    def slowly(request: JobRequest) -> str:
        job_id = submit(request)
        if request.role == "backend":
            house.call_home(house.job(key))
        return job_id

    monkeypatch.setattr(house.manager, "submit", slowly)
    house.tick()
    job = house.job(key)
    assert (job.state, job.job_id) == (JobState.READY, house.manager.job(job.nonce).job_id)


def test_a_job_that_was_ended_before_sbatch_answers_is_cancelled(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    submit = house.manager.submit

    def slowly(request: JobRequest) -> str:
        house.supervisor.end_all(house.live(), "The daemon was stopped.", house.now)
        return submit(request)

    monkeypatch.setattr(house.manager, "submit", slowly)
    house.tick()
    assert house.manager.cancelled == [house.manager.job(house.job("frontend").nonce).job_id]


def test_a_scheduler_that_is_down_changes_nothing(house: House) -> None:
    key, job = house.ready_backend(present=True)
    other = house.session(present=True)
    house.tick()
    house.manager.answering = False
    before = (house.job(key).state, house.job(other).state, house.job("frontend").state)
    third = house.session(present=True)
    house.wait(600)
    assert (house.job(key).state, house.job(other).state, house.job("frontend").state) == before
    assert house.job(third).state is JobState.SUBMITTING
    assert "does not answer" in house.view(third).reason
    fourth = house.session(present=True)
    house.wait(2)
    assert house.job(fourth).state is JobState.REQUESTED
    assert "does not answer" in house.view(fourth).reason
    assert house.manager.cancelled == []
    assert len(house.submissions()) == 3
    house.manager.answering = True
    house.wait(POLL_BUSY + 1)
    assert house.job(key).nonce == job.nonce
    assert house.job(key).ready
    assert house.job(other).state is JobState.PENDING
    assert "does not answer" not in house.view(fourth).reason
    assert house.events(fourth).count("on-queue") >= 2, "its page was told of both"


def test_while_the_scheduler_is_down_nothing_more_is_submitted(house: House) -> None:
    house.ready_frontend()
    house.manager.answering = False
    for _ in range(20):
        house.session(present=True)
    house.wait(120, step=5)
    assert len(house.submissions()) <= 4, "each may have been accepted, and each may hold up the supervisor"


def test_a_scheduler_that_forgets_needs_several_polls_and_a_lost_heartbeat(house: House) -> None:
    key, job = house.ready_backend(present=True)
    house.manager.lose(job.nonce)
    house.wait(60, lambda: house.beat(job))
    assert house.find(job.nonce).ready, "it is there: it says so itself"
    house.wait(CONTACT_LOST)
    assert house.find(job.nonce).live, "one listing is not enough"
    house.wait(POLL_BUSY * (GONE_POLLS + 1))
    assert not house.find(job.nonce).live
    assert house.job(key).generation == 2


def test_a_daemon_that_slept_takes_nobodys_silence_for_an_end(house: House) -> None:
    _, job = house.ready_backend(present=True)
    house.manager.lose(job.nonce)
    house.tick(3600)  # the machine slept
    house.tick(POLL_BUSY, times=GONE_POLLS - 1)
    assert house.find(job.nonce).live


def test_a_job_that_hangs_is_replaced_although_the_scheduler_believes_in_it(house: House) -> None:
    key, job = house.ready_backend(present=True)
    task_id = house.task(key)
    house.run(task_id)
    house.tick(5, times=14)  # no heartbeat comes
    assert not house.find(job.nonce).live
    assert house.manager.job(job.nonce).state == "CANCELLED"
    successor = house.job(key)
    assert successor.generation == 2
    house.come_up(successor)
    assert house.holder(task_id) == (successor.nonce, 2)


def test_a_requeued_job_is_replaced(house: House) -> None:
    key, job = house.ready_backend(present=True)
    house.manager.show(job.nonce, "PENDING", "BeginTime")
    house.wait(POLL_BUSY, lambda: house.beat(job))
    assert house.find(job.nonce).ready, "its own word is newer"
    house.tick(5, times=12)
    assert not house.find(job.nonce).live
    assert house.manager.job(job.nonce).state == "CANCELLED", "or it would start once more"
    assert house.job(key).generation == 2


def test_a_job_that_can_never_start_is_given_up(house: House) -> None:
    key = house.session(present=True)
    house.tick()
    job = house.job(key)
    house.manager.show(job.nonce, "PENDING", "BadConstraints")
    house.wait(75)
    assert not house.find(job.nonce).live
    assert house.manager.job(job.nonce).state == "CANCELLED"


def test_strays_are_cancelled_and_strangers_are_not(house: House) -> None:
    _, job = house.ready_backend()
    house.tick()
    other = House(house.url + "-other", house.settings)
    other.launcher = type(other.launcher)(other.settings, b"t" * 32, "http://127.0.0.1:1")
    stranger = house.launcher.request(other.launcher.job("k-x", "s-" + "0" * 22, None, house.now))
    stray = house.launcher.request(house.launcher.job("k-x", "s-" + "0" * 22, None, house.now))
    other.database.close()
    house.manager.submit(stranger)
    house.manager.submit(stray)
    house.manager.answering = False
    house.supervisor.end_all([job], "Stopped.", house.now)  # its scancel is lost
    house.manager.answering = True
    house.manager.cancelled.clear()
    house.tick(POLL_BUSY, times=3)
    mine = {house.manager.job(nonce).job_id for nonce in (job.nonce, stray.nonce)}
    assert set(house.manager.cancelled) == mine
    assert house.manager.job(stranger.nonce).state == "PENDING"


def test_a_new_supervisor_goes_on_where_the_last_one_was(house: House) -> None:
    key, job = house.ready_backend()
    waiting = house.session()
    house.tick()
    requested = house.session()  # stored, and the daemon is killed before its first turn
    house.restart()
    house.tick(1, times=3)
    assert house.job(key).nonce == job.nonce
    assert house.job(waiting).state is JobState.PENDING
    assert house.job(requested).state is JobState.PENDING
    assert len(house.submissions()) == len(set(house.submissions())) == 3
    assert len(house.submissions("frontend")) == 1


@pytest.mark.parametrize("accepted", [True, False])
def test_a_crash_between_intent_and_submit_doubles_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, accepted: bool
) -> None:
    house.tick()
    key, real = house.session(), house.manager.submit

    def die(request: Any) -> str:
        if accepted:
            real(request)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(house.manager, "submit", die)
        with pytest.raises(KeyboardInterrupt):
            house.tick()
    first = house.job(key)
    house.restart()
    house.wait(100)
    assert house.find(first.nonce).state is (JobState.PENDING if accepted else JobState.ENDED)
    assert len(house.manager.jobs(first.nonce)) == accepted
    assert len(house.states(key)) == 1


def test_the_cap_makes_sessions_wait_in_the_order_in_which_they_asked(build: Build) -> None:
    house = build(daemon={"max_backends": 2})
    keys = [house.session(present=True) for _ in range(4)]
    house.wait(10)
    assert [len(house.live(key)) for key in keys] == [1, 1, 0, 0]
    assert [house.view(key).place for key in keys] == [1, 2, 3, 4]
    assert house.view(keys[3]).state is JobState.REQUESTED
    assert "All backends" in house.view(keys[3]).reason
    for key in keys[:2]:
        house.come_up(house.job(key))
    assert [house.view(key).place for key in keys] == [None, None, 1, 2]
    house.supervisor.release(keys[0], "Left.", house.now)
    house.wait(2)
    assert [len(house.live(key)) for key in keys] == [0, 1, 1, 0]


def test_who_comes_when_the_queue_is_full_is_told_when_to_come_again(build: Build) -> None:
    house = build(daemon={"max_backends": 1, "max_waiting": 2})
    first = house.session(present=True)
    house.session(present=True)
    with pytest.raises(Problem) as raised:
        house.session()
    assert (raised.value.slug, raised.value.status) == ("too-many-sessions", 429)
    assert (raised.value.document.model_extra or {})["retry_after_s"] > 0
    house.supervisor.want_backend(first, house.now)  # who is in already may ask again


def test_the_load_on_the_scheduler_does_not_grow_with_sessions(house: House) -> None:
    house.ready_frontend()

    def listings(sessions_more: int) -> int:
        for _ in range(sessions_more):
            house.session()
        house.tick()
        before = house.manager.listings
        house.tick(0.25, times=240)
        return house.manager.listings - before

    few, many = listings(1), listings(30)
    assert few == many == 60 / POLL_BUSY


def test_when_all_is_calm_it_hardly_asks(house: House) -> None:
    house.ready_frontend()
    house.ready_backend(present=True)
    house.wait(10)
    before = house.manager.listings
    house.wait(300, step=5)
    assert house.manager.listings - before == 300 / POLL_IDLE
