"""Test jobs over a fake cluster: the promises that sessions' jobs have, kept for them too."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing

import pytest
import requests

from ligan.problem import Problem
from ligan.wire.job import Done, Heartbeat
from ligan.wire.trial import LogPart, ReturnedFile, TrialResult
from master_daemon.cluster.manager import JobRequest
from master_daemon.developer_command.following import Following
from master_daemon.developer_command.server import Server
from tests.ligan.stub import wait_until
from tests.master_daemon.trials.conftest import Lab


def refused(call: Callable[[], object]) -> Problem:
    with pytest.raises(Problem) as caught:
        call()
    return caught.value


def test_its_whole_life(lab: Lab) -> None:
    folder = lab.piece(b"the folder")
    trial_id = lab.submit("run", "it", folder=folder, returns=["*.png"], minutes=7)
    played, line = lab.play(trial_id)
    running = lab.wait(trial_id, "running")
    assert (running.command, running.user, running.job_id) == (["run", "it"], "operator", "2")
    order = line.order()
    assert (order.command, order.folder, order.returns) == (["run", "it"], folder, ["*.png"])
    assert line.piece(folder.pieces[0]) == b"the folder"
    assert line.log(0, b"it runs\n").size == 8
    body = b"\x89PNG"
    sha256 = hashlib.sha256(body).hexdigest()
    line.put_piece(sha256, body)
    line.end(TrialResult(exit_code=3, told=False, files=[ReturnedFile(path="a/b.png", size=4, pieces=[sha256])]))
    over = lab.look(trial_id)
    assert (over.state, over.exit_code, over.log_bytes, over.files) == ("failed", 3, 8, 1)
    assert lab.server.log(trial_id, 3) == b"runs\n"
    assert b"".join(lab.server.content(trial_id, "a/b.png")) == body
    assert refused(lambda: list(lab.server.content(trial_id, "a"))).slug == "not-found"
    assert refused(lambda: played.home.client.post("/heartbeat", Heartbeat(), Done)).slug == "not-authorised"


def test_what_it_asks_of_the_cluster(lab: Lab) -> None:
    trial_id = lab.submit(minutes=7, gpus=1)
    nonce = lab.house.bootstrap(lab.job(trial_id).nonce).nonce
    (request,) = [one for one in lab.house.manager.submissions if one.nonce == nonce]
    assert (request.name, request.time_limit_s, request.own) == (f"ligan-trial-{nonce}", 420, {"gres": "gpu:1"})
    assert request.command[-3:-1] == ("-m", "ligan.trial")
    assert "true" not in request.stdin, "the command is fetched by the job itself"
    assert lab.submit(gpus=0)
    wait_until(lambda: len([one for one in lab.house.manager.submissions if one.role == "trial"]) == 2, "the second")
    assert lab.house.manager.submissions[-1].own == {"gres": None}


def test_the_same_request_is_the_same_job(lab: Lab) -> None:
    order = lab.order()
    assert lab.server.submit(order).trial_id == lab.server.submit(order).trial_id
    assert len(lab.server.trials(False).trials) == 1


@pytest.mark.parametrize("accepted", [True, False])
def test_an_unclear_submit_makes_one_job_at_most(lab: Lab, accepted: bool) -> None:
    lab.house.frontend()
    lab.house.manager.time_out_next(accepted)
    trial_id = lab.submit()
    nonce = lab.job(trial_id).nonce

    def of_this() -> list[JobRequest]:
        return [one for one in lab.house.manager.submissions if one.nonce == nonce]

    wait_until(of_this, "its submission")
    if accepted:
        wait_until(lambda: lab.job(trial_id).job_id, "its adoption")
    assert len(lab.house.manager.jobs(nonce)) == int(accepted)
    assert len(of_this()) == 1


def test_a_refusal_is_told(lab: Lab) -> None:
    lab.house.frontend()
    lab.house.manager.refuse_next("Invalid account")
    told = lab.wait(lab.submit(), "never-started")
    assert "Invalid account" in told.reason
    assert told.exit_code is None


@pytest.mark.parametrize(
    ("ends", "state"),
    [("PREEMPTED", "preempted"), ("NODE_FAIL", "node-failed"), ("CANCELLED", "cancelled"), ("TIMEOUT", "time-limit")],
)
def test_ended_by_the_cluster(lab: Lab, ends: str, state: str) -> None:
    """Its command was told to end and said so; why is the scheduler's to say. It is not started again."""
    trial_id = lab.submit()
    played, line = lab.play(trial_id)
    line.end(TrialResult(exit_code=143, told=True))
    assert lab.look(trial_id).state == "ending"
    lab.house.manager.finish(played.bootstrap.nonce, ends)
    told = lab.wait(trial_id, state)
    assert told.exit_code == 143
    assert lab.house.manager.submissions[-1].nonce == played.bootstrap.nonce
    again = "not started again by itself" in told.reason
    assert again is (state in ("preempted", "node-failed"))


def test_nothing_known_ends_nothing(lab: Lab) -> None:
    trial_id = lab.submit()
    _, line = lab.play(trial_id)
    lab.house.manager.answering = False
    seen = lab.house.manager.listings
    lab.house.daemon.parts.supervisor.hint()
    wait_until(lambda: lab.house.manager.listings > seen, "a listing that gets no answer")
    assert lab.look(trial_id).state == "running"
    assert line.log(0, b"still here").size == 10


def test_one_that_waits_is_cancelled_at_once(lab: Lab) -> None:
    trial_id = lab.submit()
    wait_until(lambda: lab.job(trial_id).job_id, "its submission")
    assert lab.server.cancel(trial_id).state == "cancelled"
    wait_until(lambda: lab.job(trial_id).job_id in lab.house.manager.cancelled, "the scheduler's cancel")
    assert lab.server.cancel(trial_id).state == "cancelled"


def test_one_that_runs_has_its_last_words(lab: Lab) -> None:
    trial_id = lab.submit()
    played, line = lab.play(trial_id)
    assert lab.server.cancel(trial_id).state == "ending"
    assert played.home._dismissed.wait(10), "it is told to go"
    assert line.log(0, b"last words").size == 10
    line.end(TrialResult(exit_code=143, told=True))
    assert lab.look(trial_id).state == "cancelled"
    assert lab.job(trial_id).job_id not in lab.house.manager.cancelled, "the scheduler was not asked"


def test_following(lab: Lab) -> None:
    trial_id = lab.submit()
    _, line = lab.play(trial_id)
    line.log(0, "häl".encode()[:2])
    following = Following(lab.server, trial_id, lambda text: None)
    said: list[str] = []
    with closing(following.events()) as events:
        for told in events:
            if isinstance(told, LogPart):
                said.append(told.text)
                if len(said) == 1:
                    line.log(2, "häl".encode()[2:] + b"lo")
                if "".join(said) == "hällo":
                    line.end(TrialResult(exit_code=0, told=False))
    assert "".join(said) == "hällo", "no character is cut"
    assert following.trial is not None
    assert following.trial.state == "done"
    again = Following(lab.server, trial_id, lambda text: None, offset=4)
    assert [part.text for part in again.events() if isinstance(part, LogPart)] == ["lo"]


def test_a_follower_shows_again_who_it_is(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("master_daemon.trials.stream.TRIAL_STREAM", 0.0)
    trial_id = lab.submit()
    _, line = lab.play(trial_id)
    opened = lab.server.events(trial_id, 0)
    assert next(opened).name == "job"
    line.log(0, b"text")
    assert list(opened) == [], "the stream has ended"
    line.end(TrialResult(exit_code=0, told=False))
    assert [event.name for event in lab.server.events(trial_id, 0)][-1] == "job", "an end is told all the same"


def test_limits(lab: Lab) -> None:
    for _ in range(4):
        lab.submit()
    problem = refused(lab.submit)
    assert (problem.slug, (problem.document.model_extra or {})["retry_after_s"]) == ("too-many-jobs", 60)
    lab.server.cancel(lab.server.trials(False).trials[0].trial_id)
    assert lab.submit()
    assert refused(lambda: lab.submit(minutes=61)).slug == "job-too-large"
    assert refused(lambda: lab.submit(gpus=2)).document.model_extra == {"limit": 1, "asked": 2}
    assert refused(lambda: lab.submit(array="1-3")).slug == "job-refused"


def test_a_folder_has_to_be_here(lab: Lab) -> None:
    content = lab.piece(b"here")
    missing = "0" * 64
    order = lab.order(folder=content.model_copy(update={"pieces": [*content.pieces, missing]}))
    problem = refused(lambda: lab.server.submit(order))
    assert (problem.slug, (problem.document.model_extra or {})["missing"]) == ("pieces-missing", [missing])
    wrong = lab.order(folder=content.model_copy(update={"size": 5}))
    assert refused(lambda: lab.server.submit(wrong)).slug == "malformed-request"
    assert refused(lambda: lab.server.put_piece("0" * 64, b"other")).slug == "malformed-request"
    assert lab.server.trials(False).trials == []


def test_who_may(lab: Lab) -> None:
    """Without accounts: who holds the operator's token. A page's cookie is nothing here."""
    lab.house.frontend()
    page = lab.house.page()
    assert page.get(f"{lab.house.url}/api/v1/jobs").status_code == 403
    assert refused(Server(lab.house.url, "wrong").limits).slug == "not-authorised"
    assert lab.server.limits().minutes == 60
    trial_id = lab.submit()
    path = f"{lab.house.url}/api/v1/jobs/{trial_id}/events"
    assert requests.get(path, timeout=10).status_code == 403
    assert refused(lambda: lab.look("j-" + "0" * 22)).slug == "unknown-job"


def test_a_trial_reaches_nothing_else(lab: Lab) -> None:
    played, line = lab.play(lab.submit())
    other = lab.piece(b"another folder")
    assert refused(lambda: line.piece(other.pieces[0])).slug == "not-found"
    cluster = played.cluster()
    assert refused(lambda: cluster.get_bytes(f"/artifacts/{other.pieces[0]}")).slug == "not-authorised"
    assert refused(lambda: cluster.put_bytes(f"/artifacts/{other.pieces[0]}", b"x")).slug == "not-authorised"
    assert refused(lambda: cluster.get_bytes(f"/weights/{other.pieces[0]}")).slug == "not-authorised"
    stolen = ReturnedFile(path="x", size=1, pieces=other.pieces)
    ended = TrialResult(exit_code=0, told=False, files=[stolen])
    assert refused(lambda: line.end(ended)).slug == "pieces-missing"
    lab.house.frontend()
    backend = lab.house.backend(lab.house.page())
    assert refused(lambda: backend.cluster().get_bytes("/trial/order")).slug == "not-authorised"
