"""Submits and listings are counted by their answers, and the answers themselves are passed on."""

from __future__ import annotations

import pytest

from ligan.ids import new_id
from master_daemon.cluster.fake import FakeManager
from master_daemon.cluster.manager import JobRequest, SubmitRefusedError, SubmitUnknownError
from master_daemon.observe.manager import WatchedManager
from tests.master_daemon.observe.test_watcher import Grown, value
from tests.master_daemon.state.rows import NOW


def request() -> JobRequest:
    return JobRequest(new_id(), "backend", ("true",), "", 60)


def test_submits_by_outcome() -> None:
    fake = FakeManager()
    watched = WatchedManager(fake)
    grown = {outcome: Grown("ligan_submits_total", outcome=outcome) for outcome in ("accepted", "refused", "unknown")}
    assert watched.submit(request()) == "1"
    fake.refuse_next()
    with pytest.raises(SubmitRefusedError):
        watched.submit(request())
    for accepted in (True, False):
        fake.time_out_next(accepted)
        with pytest.raises(SubmitUnknownError):
            watched.submit(request())
    assert {outcome: count() for outcome, count in grown.items()} == {"accepted": 1, "refused": 1, "unknown": 2}


def test_answers_and_when_the_last_one_was_believed() -> None:
    fake = FakeManager()
    watched = WatchedManager(fake, lambda: NOW)
    yes, dont_know = (Grown("ligan_scheduler_answers_total", answer=answer) for answer in ("yes", "dont_know"))
    asked = request()
    watched.submit(asked)
    assert set(watched.listing() or ()) == {asked.nonce}
    fake.answering = False
    assert watched.listing() is None
    assert (yes(), dont_know(), value("ligan_scheduler_answered_timestamp_seconds")) == (1, 1, NOW)


def test_the_rest_is_passed_on() -> None:
    fake = FakeManager()
    watched = WatchedManager(fake)
    asked = request()
    job_id = watched.submit(asked)
    fake.write_log(asked.nonce, "said")
    assert (watched.name, watched.read_log(asked.nonce), watched.cancel(job_id)) == ("fake", "said", True)
    assert fake.cancelled == [job_id]
