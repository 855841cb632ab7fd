"""The pure decisions: who does which task, what a seat needs, how long to wait, how much of a head start."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ligan.intervals import BREAKER_PAUSES, GIVE_UP_STARTS, HANDOVER_MARGIN, RESTART_PAUSES, TASK_MARGIN, UNKNOWN_WAIT
from ligan.settings import Settings
from ligan.wire.session import JobState
from master_daemon.state.placing import Held, Waiting
from master_daemon.supervisor import seats
from master_daemon.supervisor.breaker import Breaker
from master_daemon.supervisor.lead import lead_s, p95
from master_daemon.supervisor.placement import PREFETCH, fits, place
from master_daemon.supervisor.seats import Need, Terms, need
from tests.master_daemon.state.rows import NOW, a_job

S = JobState
OVERLAP, RESTART = Terms(100, True), Terms(100, False)


def waiting(key: str, count: int = 1, seconds: float = 30, cpu: bool = True) -> list[Waiting]:
    return [Waiting(f"{key}/{number}", key, seconds, cpu) for number in range(count)]


# Placement ---------------------------------------------------------------------------------------------------------


def test_a_session_gets_its_own_backend_and_no_other() -> None:
    mine, other = a_job("k-a"), a_job("k-b")
    assert place(waiting("k-a", 5), [mine, other], [], NOW) == [(f"k-a/{n}", mine.nonce) for n in range(PREFETCH)]
    assert place(waiting("k-c"), [mine, other], [], NOW) == []


def test_who_has_least_comes_first() -> None:
    pool = [a_job("pool-1"), a_job("pool-2")]
    held = [Held(pool[0].nonce, "k-a", 30)]
    placed = place([*waiting("k-a", 4), *waiting("k-b", 4), *waiting("k-c", 1)], pool, held, NOW)
    assert [task for task, _ in placed] == ["k-b/0", "k-c/0", "k-a/0"]
    assert placed[0][1] == pool[1].nonce, "the backend that has less to do"


@pytest.mark.parametrize(("left", "expected"), [(30 + TASK_MARGIN, True), (30 + TASK_MARGIN - 1, False)])
def test_only_what_fits_is_placed(left: float, expected: bool) -> None:
    job = a_job("k-a", started_at=NOW - 3600, ends_at=NOW + left)
    assert fits(job, 30, NOW) is expected
    assert bool(place(waiting("k-a"), [job], [], NOW)) is expected


def test_a_task_that_asks_for_more_than_any_job_has_is_content_with_half() -> None:
    job = a_job("k-a", started_at=NOW, ends_at=NOW + 120)
    assert fits(job, 10_000, NOW)
    assert not fits(job, 10_000, NOW + 60)


def test_no_known_limit_is_no_limit() -> None:
    assert fits(a_job("k-a"), 10_000, NOW)


def test_a_cpu_serves_those_who_have_nothing_else() -> None:
    cpu, own = a_job("cpu-1", role="cpu"), a_job("k-a")
    tasks = [*waiting("k-a"), *waiting("k-b"), *waiting("k-c", cpu=False)]
    assert place(tasks, [cpu, own], [], NOW) == [("k-a/0", own.nonce), ("k-b/0", cpu.nonce)]


# Seats -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "left", "overlap", "restart"),
    [
        ([], 0, Need.START, Need.START),
        ([S.REQUESTED], 0, Need.NOTHING, Need.NOTHING),
        ([S.PENDING], 0, Need.NOTHING, Need.NOTHING),
        ([S.READY], 101, Need.NOTHING, Need.NOTHING),
        ([S.READY], 100, Need.START, Need.DRAIN),
        ([S.READY], -9, Need.START, Need.DRAIN),
        ([S.READY, S.PENDING], 5, Need.NOTHING, Need.NOTHING),
        ([S.DRAINING, S.READY], 5, Need.NOTHING, Need.NOTHING),
        ([S.DRAINING], 5, Need.START, Need.NOTHING),
    ],
)
def test_what_a_seat_needs(states: list[JobState], left: float, overlap: Need, restart: Need) -> None:
    live = [a_job("k-a", state=state, ends_at=NOW + left) for state in states]
    assert (need(live, OVERLAP, NOW), need(live, RESTART, NOW)) == (overlap, restart)


def test_a_job_without_a_known_limit_needs_no_successor() -> None:
    assert need([a_job("k-a")], OVERLAP, NOW) is Need.NOTHING


def test_the_shared_seats_of_a_site() -> None:
    def of(anybody: bool = True, **sections: object) -> list[str]:
        return seats.shared(Settings.model_validate(sections), anybody)

    assert of() == ["frontend"]
    assert of(backend={"standby": 2}) == ["frontend", "standby-1", "standby-2"]
    assert of(backend={"mode": "pool", "standby": 2}) == ["frontend", "pool-1", "pool-2"]
    assert of(False, backend={"mode": "pool"}) == ["frontend"]
    assert of(cpu={"backends": 1}) == ["frontend", "cpu-1"]
    assert [seats.role_of(seat) for seat in ("frontend", "pool-1", "cpu-1", "k-a")] == [
        *("frontend", "backend", "cpu", "backend")
    ]


def test_failed_starts_make_the_pauses_longer_until_a_session_gives_up() -> None:
    last = a_job("k-a", state=S.ENDED, ended_at=NOW)
    for number, pause in enumerate(RESTART_PAUSES, start=1):
        assert not seats.may_start(last, NOW + pause - 0.1)
        assert seats.may_start(last, NOW + pause)
        assert seats.gives_up(last) is (number >= GIVE_UP_STARTS)
        last = replace(last, failures=seats.next_failures(last))
    assert seats.may_start(replace(last, ready_at=NOW), NOW), "one that had been ready"
    assert seats.may_start(None, NOW)
    assert not seats.gives_up(replace(last, seat="frontend", failures=99)), "it is always wanted"


# Head start --------------------------------------------------------------------------------------------------------


def test_the_head_start_covers_almost_every_start_so_far() -> None:
    past = [(float(wait), 10.0) for wait in range(100)]
    assert lead_s(past, 30, 3600) == 95 + 10 + 30 + HANDOVER_MARGIN
    assert lead_s(past, 30, 120) == 60, "at most half the limit"
    assert lead_s([], 0, 3600) > UNKNOWN_WAIT


@pytest.mark.parametrize(("count", "expected"), [(1, 0), (19, 18), (20, 19), (100, 95)])
def test_p95(count: int, expected: float) -> None:
    assert p95([float(number) for number in range(count)][::-1]) == expected


def test_no_values_have_no_p95() -> None:
    with pytest.raises(ValueError, match="no values"):
        p95([])


# Breaker -----------------------------------------------------------------------------------------------------------


def test_each_failure_in_a_row_makes_the_pause_longer() -> None:
    breaker, pauses = Breaker(), []
    for _ in range(len(BREAKER_PAUSES) + 2):
        breaker = breaker.refusal("no", NOW)
        pauses.append(breaker.until - NOW)
    assert pauses == [*BREAKER_PAUSES, BREAKER_PAUSES[-1], BREAKER_PAUSES[-1]]
    assert not breaker.allows(NOW + BREAKER_PAUSES[-1] - 1)
    assert breaker.allows(NOW + BREAKER_PAUSES[-1])


def test_after_the_pause_one_try_goes_first() -> None:
    breaker = Breaker().refusal("no", NOW).refusal("no", NOW)
    later = breaker.until
    assert not breaker.tried(later).allows(later)
    assert Breaker().tried(NOW) == Breaker(), "closed: everybody goes"


def test_what_closes_it() -> None:
    refused = Breaker().refusal("no", NOW).refusal("no", NOW)
    assert refused.accepted().allows(NOW)
    crashed = Breaker().crash("it fell", NOW).crash("it fell", NOW)
    assert not crashed.accepted().allows(NOW), "that it was taken says nothing of its coming up"
    assert crashed.ready() == Breaker()
