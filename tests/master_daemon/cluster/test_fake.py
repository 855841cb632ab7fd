"""The faults of the programmable manager; what it shares with the real ones is in test_contract.py."""

from __future__ import annotations

import pytest

from master_daemon.cluster.fake import FakeManager
from master_daemon.cluster.manager import JobPhase, SubmitRefusedError, SubmitUnknownError
from tests.master_daemon.cluster.jobs import request, status


def test_an_accepted_job_whose_answer_is_lost_is_found_by_its_nonce() -> None:
    manager, wanted = FakeManager(), request()
    manager.time_out_next(accepted=True)
    with pytest.raises(SubmitUnknownError, match="timed out"):
        manager.submit(wanted)
    found = status(manager, wanted.nonce)
    assert found is not None
    assert found.phase is JobPhase.PENDING


def test_a_lost_submit_leaves_no_job() -> None:
    manager = FakeManager()
    manager.time_out_next(accepted=False)
    with pytest.raises(SubmitUnknownError):
        manager.submit(request())
    assert manager.listing() == {}


def test_faults_come_in_the_order_programmed_and_then_all_is_well() -> None:
    manager = FakeManager()
    manager.refuse_next("QOSMaxSubmitJobPerUserLimit")
    manager.time_out_next(accepted=False)
    with pytest.raises(SubmitRefusedError, match="QOSMaxSubmitJobPerUserLimit"):
        manager.submit(request())
    with pytest.raises(SubmitUnknownError):
        manager.submit(request())
    manager.submit(request())
    assert len(manager.submissions) == 3
    assert len(manager.listing() or ()) == 1


def test_without_an_answer_nothing_is_known_and_nothing_done() -> None:
    manager, wanted = FakeManager(), request()
    job_id = manager.submit(wanted)
    manager.answering = False
    assert manager.listing() is None
    assert manager.cancel(job_id) is False
    with pytest.raises(SubmitUnknownError, match="Unable to contact"):
        manager.submit(request())
    manager.answering = True
    assert {nonce: job.phase for nonce, job in (manager.listing() or {}).items()} == {wanted.nonce: JobPhase.PENDING}


def test_a_nonce_submitted_twice_shows_as_two_jobs() -> None:
    manager, wanted = FakeManager(), request()
    ids = {manager.submit(wanted), manager.submit(wanted)}
    assert {job.job_id for job in manager.jobs(wanted.nonce)} == ids
    assert len(ids) == 2


def test_a_lost_job_is_listed_no_more_and_its_cancel_is_taken() -> None:
    manager, wanted = FakeManager(), request()
    job_id = manager.submit(wanted)
    manager.lose(wanted.nonce)
    assert manager.listing() == {}
    assert manager.cancel(job_id) is True
    with pytest.raises(KeyError, match="no job with the nonce"):
        manager.start(wanted.nonce)


def test_a_wait_shows_its_reason() -> None:
    manager, wanted = FakeManager(), request()
    manager.submit(wanted)
    manager.show(wanted.nonce, "PENDING", "QOSMaxGRESPerUser")
    found = status(manager, wanted.nonce)
    assert found is not None
    assert found.reason == "QOSMaxGRESPerUser"


def test_a_job_finishes_in_a_terminal_state_only() -> None:
    manager, wanted = FakeManager(), request()
    manager.submit(wanted)
    with pytest.raises(ValueError, match="'COMPLETING' does not end a job"):
        manager.finish(wanted.nonce, "COMPLETING")
