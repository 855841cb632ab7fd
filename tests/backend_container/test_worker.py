import threading
from concurrent.futures import Future, ThreadPoolExecutor
from unittest.mock import Mock

import pytest

from backend_container.loading import Models
from backend_container.models.engine import ModelError
from backend_container.models.fake import FakeDetector, FakeEngine
from backend_container.outcome import outcome
from backend_container.queue import Stop, Ticket
from backend_container.tasks import REGISTRY
from backend_container.worker import Worker
from ligan.problem import Problem
from ligan.wire.image import FaceState, Look
from tests.backend_container.builders import ONE_FACE, OTHER_FACE, PASSER_BY, Shelf, fake_models, file_of, order, photo


def ticket_of(one):
    return Ticket(one, REGISTRY.work(one))


def failing(error):
    def fail():
        raise error

    return Models(FakeEngine(fail), FakeDetector())


def settle(models, one, posted=None, fetch=None):
    """What the daemon is told in the end, as the queue's executor would settle it."""
    ticket, future = ticket_of(one), Future()
    worker = Worker(models, fetch or Shelf().fetch, (posted if posted is not None else []).append, patience_s=0)
    try:
        future.set_result(worker.perform(ticket))
    except (Problem, RuntimeError, MemoryError) as error:
        future.set_exception(error)
    return outcome(ticket, future)


def test_progress_is_posted_from_the_first_to_the_last_reading():
    posted, one = [], order("random", count=4)
    settle(fake_models(), one, posted)
    assert [(report.path, report.message.seq) for report in posted] == [("/on-progress", n) for n in range(len(posted))]
    assert (posted[0].message.percent, posted[-1].message.percent) == (0, 100)
    assert {(report.message.task_id, report.message.attempt) for report in posted} == {(one.task_id, 1)}


def test_a_task_that_tells_no_progress_is_done_all_the_same():
    posted = []
    settle(fake_models(), order("noop"), posted)
    assert [report.message.percent for report in posted] == [0, 100]


def test_every_reading_gives_way_to_what_comes_soon_after_it():
    posted, one = [], order("random", count=4)
    end = settle(fake_models(), one, posted)
    assert {report.supersedes for report in posted} == {end.supersedes} == {(one.task_id, 1)}
    assert all(report.linger_s > 0 for report in posted)
    assert end.linger_s == 0


@pytest.mark.parametrize("models", [fake_models(), failing(RuntimeError())])
def test_an_end_takes_the_place_of_progress_that_still_waits(models):
    one = order("random", count=4)
    assert settle(models, one).supersedes == (one.task_id, 1)


def test_the_ticket_shows_how_far_it_is():
    one = order("random", count=2)
    ticket = ticket_of(one)
    Worker(fake_models(), Shelf().fetch, lambda report: None, 0).perform(ticket)
    assert ticket.task().progress == 100


@pytest.mark.parametrize(
    ("error", "slug", "detail"),
    [
        (Problem("no-face", "Send another photo."), "no-face", "Send another photo."),
        (ModelError("face-not-readable", "The face is covered."), "face-not-readable", "The face is covered."),
        (ModelError("of-a-new-kind", "Do this."), "internal-error", "Do this."),
    ],
)
def test_known_problems_reach_the_daemon_in_their_own_words(error, slug, detail):
    report = settle(failing(error), order("random", attempt=3))
    assert (report.path, report.message.attempt) == ("/on-error", 3)
    assert (report.message.problem.slug, report.message.problem.detail) == (slug, detail)


@pytest.mark.parametrize("error", [RuntimeError("index 5 out of range"), MemoryError()])
def test_the_unforeseen_is_logged_and_told_without_its_inside(error, caplog):
    report = settle(failing(error), order("random"))
    assert report.message.problem.slug == "internal-error"
    assert type(error).__name__ in report.message.problem.detail
    assert "index 5" not in report.message.problem.detail
    assert caplog.records[-1].exc_info[1] is error


def test_a_ticket_cancelled_before_it_ran_is_reported_so():
    ticket, future = ticket_of(order("random")), Future()
    future.cancel()
    report = outcome(ticket, future)
    assert (report.path, report.message.problem.slug) == ("/on-error", "cancelled")


def test_cancelling_wins_over_a_result_that_was_nearly_there():
    one = order("random", count=1)
    ticket = ticket_of(one)
    models = Models(FakeEngine(ticket.cancelled.set), FakeDetector())
    with pytest.raises(Problem) as caught:
        Worker(models, Shelf().fetch, lambda report: None, 0).perform(ticket)
    assert caught.value.slug == "cancelled"


def test_a_photo_is_fetched_again_while_the_daemon_is_away():
    shelf, tries = Shelf(), []
    image = shelf.add(file_of(photo(ONE_FACE)))

    def fetch(sha256):
        tries.append(sha256)
        if len(tries) < 3:
            raise Problem("unreachable", "connection refused")
        return shelf.fetch(sha256)

    one = order("similar", [image], image=image.image_id, count=1)
    report = Worker(fake_models(), fetch, lambda report: None, patience_s=30).perform(ticket_of(one))
    assert report.path == "/on-result"
    assert len(tries) == 3


def look(face=None, *faces):
    shelf = Shelf()
    image = shelf.add(file_of(photo(*faces)))
    return Worker(fake_models(), shelf.fetch, lambda report: None, 0).look(Look(sha256=image.sha256, face=face))


def test_looking_shows_the_face_that_tasks_will_use():
    found = look(None, ONE_FACE, PASSER_BY)
    assert (found.state, found.count) == (FaceState.FOUND, 1)
    assert (found.box.left, found.box.top, found.box.right, found.box.bottom) == ONE_FACE[:4]
    assert look(2, ONE_FACE, OTHER_FACE).box.left == OTHER_FACE[0]
    assert look(2, ONE_FACE, OTHER_FACE).count == 2


@pytest.mark.parametrize(("faces", "slug"), [((), "no-face"), ((ONE_FACE, OTHER_FACE), "several-faces")])
def test_looking_says_what_tasks_would_say(faces, slug):
    with pytest.raises(Problem) as caught:
        look(None, *faces)
    assert caught.value.slug == slug


def checkpoints(posted):
    """(seq, data) of the checkpoints among reports."""
    found = [report for report in posted if report.path == "/on-checkpoint"]
    assert all(list(report.artifacts) == [report.message.sha256] for report in found)
    return [(report.message.seq, *report.artifacts.values()) for report in found]


def stopped(stop, steps=5):
    """What is told of a count that is asked to stop when it has told that it begins, and a while after that."""
    one, posted = order("count", steps=steps, attempt=2), []
    ticket, future = ticket_of(one), Future()

    def post(report):
        posted.append(report)
        if report.path == "/on-checkpoint":
            ticket.end(stop)

    worker = Worker(fake_models(), Shelf().fetch, post, 0)
    try:
        future.set_result(worker.perform(ticket))
    except Problem as problem:
        future.set_exception(problem)
    return posted, outcome(ticket, future)


@pytest.mark.parametrize("stop", [Stop.LEAVING, Stop.TAKEN_BACK])
def test_a_task_that_goes_on_elsewhere_keeps_its_place_and_says_no_more(stop):
    posted, end = stopped(stop)
    assert checkpoints(posted) == [(0, b"1")]
    assert end is None


def test_a_result_that_is_there_before_the_backend_has_left_is_told():
    assert stopped(Stop.LEAVING, steps=1)[1] is None
    ticket, future = ticket_of(order()), Future()
    future.set_result(Worker(fake_models(), Shelf().fetch, lambda report: None, 0).perform(ticket))
    ticket.end(Stop.LEAVING)
    assert outcome(ticket, future).path == "/on-result"
    ticket.end(Stop.TAKEN_BACK)
    assert outcome(ticket, future) is None


def test_a_cancelled_task_is_told_so():
    _, end = stopped(Stop.CANCELLED)
    assert end.message.problem.slug == "cancelled"
    assert (end.path, end.message.attempt) == ("/on-error", 2)


def test_what_waits_to_be_kept_is_sent_when_the_task_must_stop():
    """The first checkpoint goes out at once and the second waits; it is flushed while the task is deep in its work."""
    posted, kept, go_on = [], threading.Event(), threading.Event()
    one = order("count", steps=3)

    def run(context):
        for n in range(2):
            context.checkpoint(b"%d" % n)
        kept.set()
        assert go_on.wait(20)
        return []

    worker = Worker(fake_models(), Shelf().fetch, posted.append, 0)
    ticket = Ticket(one, Mock(run=run))
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(worker.perform, ticket)
        assert kept.wait(20)
        assert checkpoints(posted) == [(0, b"0")]
        ticket.end(Stop.LEAVING)
        worker.flush()
        assert checkpoints(posted) == [(0, b"0"), (1, b"1")]
        go_on.set()
        with pytest.raises(Problem, match="cancelled"):
            done.result(20)
    assert len(checkpoints(posted)) == 2
    worker.flush()  # nothing runs any more


def test_only_the_newest_checkpoint_waits_for_a_daemon_that_is_away():
    posted = []
    settle(fake_models(), order("count", steps=2), posted)
    marks = {report.supersedes for report in posted if report.path == "/on-checkpoint"}
    progress = {report.supersedes for report in posted if report.path == "/on-progress"}
    assert len(marks) == 1
    assert not marks & progress


def test_a_task_that_the_daemon_does_not_know_stops_at_its_next_step():
    """An order leaves while its task is being stored; a daemon that dies in between never heard of it."""
    one, told = order("count", steps=1000), []

    def stale_at_once(report):
        told.append(report.path)
        report.when_stale()

    ticket = ticket_of(one)
    worker = Worker(fake_models(), Shelf().fetch, stale_at_once, patience_s=0)
    with pytest.raises(Problem) as stopped:
        worker.perform(ticket)
    assert (stopped.value.slug, ticket.stop) == ("cancelled", Stop.TAKEN_BACK)
    assert told.count("/on-progress") <= 2
    assert outcome(ticket, failed_with(stopped.value)) is None, "and nothing is said of it"


def failed_with(error):
    future = Future()
    future.set_exception(error)
    return future


@pytest.mark.parametrize(
    ("models", "kind", "params", "done"),
    [
        (fake_models(), "noop", {}, True),
        (fake_models(), "random", {"count": 1}, False),
        (failing(ModelError("face-not-readable", "No.")), "random", {"count": 1}, False),
        (failing(Problem("no-face", "No.")), "random", {"count": 1}, False),
    ],
    ids=["light", "has images", "fails in a model", "fails"],
)
def test_only_what_ends_well_and_shows_nothing_is_done_at_once(models, kind, params, done):
    posted = []
    worker = Worker(models, Shelf().fetch, posted.append, patience_s=0)
    assert worker.done(ticket_of(order(kind, **params))) is done
    assert posted == []
