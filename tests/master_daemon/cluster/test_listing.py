"""What a listing is held against: the one before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from master_daemon.cluster.listing import Live
from master_daemon.cluster.manager import JobPhase, JobStatus, Listing

JOB = JobStatus("one", "1", JobPhase.RUNNING, "RUNNING")
OTHER = JobStatus("two", "2", JobPhase.PENDING, "PENDING")
ENDED = replace(JOB, phase=JobPhase.ENDED, state="TIMEOUT")


class Accounts:
    """Knows how every job ended, and whom it was asked about."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def ended(self, missing: Sequence[JobStatus]) -> Listing:
        self.asked.append([job.nonce for job in missing])
        return {job.nonce: ENDED for job in missing}


def test_no_answer_is_passed_on_and_changes_nothing() -> None:
    live = Live()
    assert live.take({"one": JOB}) == {"one": JOB}
    assert live.take(None) is None
    assert live.take({}) is None, "still doubted: it was live"


def test_an_empty_answer_right_after_live_jobs_is_believed_the_second_time() -> None:
    live = Live()
    live.take({"one": JOB})
    assert live.take({}) is None
    assert live.take({}) == {}
    assert live.take({}) == {}, "nothing lived any more"


def test_after_ended_jobs_it_is_believed_at_once() -> None:
    live = Live()
    live.take({"one": ENDED})
    assert live.take({}) == {}


def test_those_that_are_listed_no_more_are_asked_about_once() -> None:
    accounts = Accounts()
    live = Live(accounts.ended)
    live.take({"one": JOB, "two": OTHER})
    assert live.take({"two": OTHER}) == {"one": ENDED, "two": OTHER}
    assert live.take({"two": OTHER}) == {"two": OTHER}
    assert accounts.asked == [[], ["one"], []]


def test_what_is_listed_counts_for_more_than_the_accounts() -> None:
    live = Live(lambda missing: {"two": ENDED})
    live.take({"one": JOB, "two": OTHER})
    assert live.take({"two": OTHER}) == {"two": OTHER}
