"""The counting itself: it must find what it is there for, or an empty table would prove nothing."""

from __future__ import annotations

from tests.faults.count import Seat, SeenJob, doubled_jobs, lost, most_at_once, shown_twice
from tests.faults.person import Shown

DONE = Shown(1, "on-result", "t-1", 0.0)
FAILED = Shown(2, "on-error", "t-2", 0.0, "backend-lost")


def test_a_task_without_an_end_or_with_the_wrong_one_is_lost() -> None:
    states = {"t-1": ("done", ""), "t-2": ("failed", "backend-lost"), "t-3": ("queued", "")}
    findings = lost(["t-1", "t-2", "t-3", "t-4"], states, [DONE, FAILED])
    assert findings == ["t-2 is failed backend-lost", "t-3 is queued", "t-4 is unknown"]


def test_a_result_that_no_event_told_is_lost() -> None:
    assert lost(["t-1"], {"t-1": ("done", "")}, []) == ["t-1 is done, but no event said so"]


def test_an_excused_problem_is_no_loss() -> None:
    assert lost(["t-2"], {"t-2": ("failed", "out-of-memory")}, [FAILED], {"out-of-memory"}) == []


def test_an_end_that_comes_twice_is_found() -> None:
    assert shown_twice([DONE, FAILED, DONE]) == ["the end of t-1 was shown 2 times"]


def test_two_jobs_of_one_nonce_are_found() -> None:
    jobs = [SeenJob("1", "a", 0, 5), SeenJob("2", "a", 6, 9)]
    assert doubled_jobs(jobs, {"a": Seat("backend", "k", 1)}) == ["2 jobs carry the nonce a"]


def test_two_jobs_of_one_generation_are_found() -> None:
    jobs = [SeenJob("1", "a", 0, 5), SeenJob("2", "b", 6, 9)]
    seats = {"a": Seat("backend", "k", 1), "b": Seat("backend", "k", 1)}
    assert len(doubled_jobs(jobs, seats)) == 1


def test_a_third_job_at_the_same_time_is_found_and_a_handover_is_not() -> None:
    seats = {nonce: Seat("backend", "k", number) for number, nonce in enumerate("abc")}
    handover = [SeenJob("1", "a", 0, 5), SeenJob("2", "b", 4, 9), SeenJob("3", "c", 8, None)]
    assert doubled_jobs(handover, seats) == []
    crowd = [SeenJob("1", "a", 0, None), SeenJob("2", "b", 4, 9), SeenJob("3", "c", 8, None)]
    assert doubled_jobs(crowd, seats) == ["3 jobs at once for backend k"]


def test_jobs_of_different_sessions_do_not_count_together() -> None:
    jobs = [SeenJob(str(number), str(number), 0) for number in range(5)]
    assert doubled_jobs(jobs, {str(number): Seat("backend", str(number), 1) for number in range(5)}) == []


def test_a_job_that_begins_as_another_ends_is_not_beside_it() -> None:
    assert most_at_once([SeenJob("1", "a", 0, 5), SeenJob("2", "b", 5, 6)]) == 1
