"""Test jobs that go on in another job: one at a time, from what the last one left, and not for ever."""

from __future__ import annotations

import hashlib

import pytest

from ligan.trial.line import Line
from ligan.wire.trial import GO_ON, ReturnedFile, TrialResult
from master_daemon.state import pieces
from tests.ligan.stub import wait_until
from tests.master_daemon.trials.conftest import Lab


def left(line: Line, body: bytes, path: str = "run/state", *, told: bool = False, code: int = GO_ON) -> None:
    """The command's end, with a file."""
    sha256 = hashlib.sha256(body).hexdigest()
    line.put_piece(sha256, body)
    file = ReturnedFile(path=path, size=len(body), pieces=[sha256], in_folder=True)
    line.end(TrialResult(exit_code=code, told=told, files=[file]))


def parts(lab: Lab, trial_id: str) -> int:
    return len([one for one in lab.house.manager.submissions if one.role == "trial"])


def test_exit_code_75_goes_on_with_what_it_left(lab: Lab) -> None:
    folder = lab.piece(b"the folder")
    trial_id = lab.submit(folder=folder, continues=2)
    _, line = lab.play(trial_id)
    line.log(0, b"one\n")
    left(line, b"step 1")
    _, second = lab.play(trial_id)
    order = second.order()
    assert [file.path for file in order.carried] == ["run/state"]
    assert second.piece(order.carried[0].pieces[0]) == b"step 1"
    assert second.piece(folder.pieces[0]) == b"the folder"
    assert (order.log_begins, order.folder) == (4, folder)
    assert order.ends_at is not None
    second.log(4, b"two\n")
    told = lab.look(trial_id)
    assert (told.state, told.part, told.parts, told.files) == ("running", 2, 3, 1)
    left(second, b"step 2", code=0)
    over = lab.look(trial_id)
    assert (over.state, over.exit_code, over.files) == ("done", 0, 1)
    assert lab.server.log(trial_id, 0) == b"one\ntwo\n"
    assert b"".join(lab.server.content(trial_id, "run/state")) == b"step 2"
    assert parts(lab, trial_id) == 2


def test_no_more_often_than_asked_for(lab: Lab) -> None:
    trial_id = lab.submit(continues=1)
    for body in (b"1", b"2"):
        _, line = lab.play(trial_id)
        left(line, body)
    over = lab.look(trial_id)
    assert (over.state, over.exit_code, over.part) == ("failed", GO_ON, 2)
    assert "more than 2 jobs" in over.reason


def test_without_continue_it_says_how(lab: Lab) -> None:
    trial_id = lab.submit()
    _, line = lab.play(trial_id)
    left(line, b"1")
    assert "--continue N" in lab.look(trial_id).reason
    assert lab.look(trial_id).part == 1


@pytest.mark.parametrize("ends", ["PREEMPTED", "NODE_FAIL", "TIMEOUT"])
@pytest.mark.parametrize("reported", [True, False])
def test_what_the_cluster_ends_goes_on(lab: Lab, ends: str, reported: bool) -> None:
    trial_id = lab.submit(continues=3)
    _, line = lab.play(trial_id)
    if reported:
        left(line, b"step 1", told=True)
        assert lab.look(trial_id).state == "ending", "the scheduler has not said why yet"
    lab.house.manager.finish(lab.job(trial_id).nonce, ends)
    wait_until(lambda: lab.job(trial_id).generation == 2, "the next part")
    _, second = lab.play(trial_id)
    assert [file.path for file in second.order().carried] == (["run/state"] if reported else [])


def test_a_notice_before_the_time_limit_goes_on(lab: Lab) -> None:
    """sbatch --signal: the job ends by itself, early, and Slurm calls that failed."""
    trial_id = lab.submit(continues=3)
    _, line = lab.play(trial_id)
    left(line, b"step 1", told=True)
    lab.house.manager.finish(lab.job(trial_id).nonce, "FAILED")
    wait_until(lambda: lab.job(trial_id).generation == 2, "the next part")


def test_a_part_that_leaves_nothing_does_not_lose_what_was(lab: Lab) -> None:
    trial_id = lab.submit(continues=3)
    _, line = lab.play(trial_id)
    left(line, b"step 1")
    lab.play(trial_id)
    lab.house.manager.finish(lab.job(trial_id).nonce, "NODE_FAIL")
    wait_until(lambda: lab.job(trial_id).generation == 3, "the third part")
    _, third = lab.play(trial_id)
    assert third.piece(third.order().carried[0].pieces[0]) == b"step 1"
    lab.house.manager.finish(lab.job(trial_id).nonce, "FAILED")
    lab.wait(trial_id, "failed")
    assert b"".join(lab.server.content(trial_id, "run/state")) == b"step 1"


@pytest.mark.parametrize("told", [True, False])
def test_a_command_that_fails_does_not_go_on(lab: Lab, told: bool) -> None:
    trial_id = lab.submit(continues=3)
    _, line = lab.play(trial_id)
    left(line, b"", code=1, told=told)
    if told:
        lab.house.manager.finish(lab.job(trial_id).nonce, "FAILED")
    lab.wait(trial_id, "failed")
    assert lab.job(trial_id).generation == 1


def test_scancel_ends_all_of_it(lab: Lab) -> None:
    trial_id = lab.submit(continues=3)
    _, line = lab.play(trial_id)
    left(line, b"step 1", told=True)
    lab.house.manager.finish(lab.job(trial_id).nonce, "CANCELLED")
    over = lab.wait(trial_id, "cancelled")
    assert (over.part, over.files) == (1, 1)


def test_cancel_ends_all_of_it_while_it_runs(lab: Lab) -> None:
    trial_id = lab.submit(continues=3)
    _, line = lab.play(trial_id)
    lab.server.cancel(trial_id)
    left(line, b"step 1", told=True)
    assert lab.wait(trial_id, "cancelled").part == 1


def test_cancel_ends_all_of_it_between_two_parts(lab: Lab) -> None:
    trial_id = lab.submit(continues=3)
    _, line = lab.play(trial_id)
    left(line, b"step 1")
    lab.server.cancel(trial_id)
    over = lab.wait(trial_id, "cancelled")
    assert (over.part, over.files) == (2, 1)


def test_a_part_that_is_over_has_no_say_any_more(lab: Lab) -> None:
    trial_id = lab.submit(continues=3)
    _, line = lab.play(trial_id)
    left(line, b"step 1")
    with pytest.raises(Exception, match="has been ended"):
        line.end(TrialResult(exit_code=0, told=False))
    assert lab.look(trial_id).part == 2
    assert lab.job(trial_id).live


def test_what_no_part_needs_is_not_kept(lab: Lab) -> None:
    trial_id = lab.submit(continues=3)
    for body in (b"step 1", b"step 2"):
        _, line = lab.play(trial_id)
        left(line, body)
    with lab.house.daemon.database.read() as connection:
        assert pieces.total(connection, trial_id) == len(b"step 2")
