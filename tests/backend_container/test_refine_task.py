"""Refine as a task: in time, shown, kept, gone on with, and rendered with afterwards (docs/refine.md)."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count, pairwise

import numpy as np
import pytest

from backend_container import png
from backend_container.loading import Models
from backend_container.models.fake import FakeDetector, FakeEngine
from backend_container.models.fake_refiner import STEP, FakeRefiner, FakeWeights
from backend_container.outcome import outcome
from backend_container.previews import Previews
from backend_container.queue import Stop, TaskQueue, Ticket
from backend_container.refiner import Ears, Wish
from backend_container.tasks import REGISTRY
from backend_container.worker import Worker
from ligan.intervals import REFINE_PREVIEW
from ligan.problem import Problem
from ligan.wire.image import ImageRef, Origin
from tests.backend_container.builders import ONE_FACE, Shelf, fake_models, file_of, order, photo
from tests.ligan.stub import wait_until


class Room:
    """A worker with a refiner, and what it posted. Reports' artifacts are put on the shelf, as the daemon does."""

    def __init__(self):
        engine = FakeEngine()
        self.shelf, self.posted = Shelf(), []
        self.models = Models(engine, FakeDetector(), refiner=FakeRefiner(engine))
        self.worker = Worker(self.models, self.shelf.fetch, self.posted.append, patience_s=0)

    def tell(self, path):
        return [report.message for report in self.posted if report.path == path]

    def do(self, ordered):
        report = self.worker.perform(Ticket(ordered, REGISTRY.work(ordered)))
        self.shelf.files.update(report.artifacts)
        return report.message.images

    def refined(self):
        """A refinement of a photo that was stopped half a second after it began: (start, refined, photo)."""
        upload = self.shelf.add(file_of(photo(ONE_FACE)))
        ordered = order("refine", [upload], image=upload.image_id)
        ticket = Ticket(ordered, REGISTRY.work(ordered))
        threading.Timer(0.5, ticket.keep.set).start()
        report = self.worker.perform(ticket)
        self.shelf.files.update(report.artifacts)
        return [*report.message.images, upload]

    def as_input(self, made):
        return ImageRef(image_id="i-" + "1" * 22, sha256=made.sha256, origin=Origin.TASK, weights=made.weights)

    def colours(self, made):
        picture = png.decode(self.shelf.files[made.sha256])
        return picture[picture.shape[0] // 2, picture.shape[1] // 2].astype(int)


@pytest.fixture
def room():
    return Room()


def wish(seconds, resume=None):
    picture = photo(ONE_FACE)
    (face,) = FakeDetector().find(picture)
    ticks = count(0.0, STEP)  # every look at the clock is a step later
    return Wish(picture, face, "pivotal", seconds, 0.0, lambda: next(ticks), 0, resume)


def ears(kept=None, keep=lambda: False):
    return Ears(lambda _: None, lambda _: None, (kept if kept is not None else []).append, keep)


def test_the_time_is_kept_over_all_attempts():
    kept: list = []
    refiner = FakeRefiner(FakeEngine())
    first = refiner.refine(wish(0.19), ears(kept))
    assert FakeWeights.model_validate_json(first.weights).spent <= 0.19
    spent = FakeWeights.model_validate_json(kept[2]).spent
    begun = len(kept)
    refiner.refine(wish(0.19, kept[-1]), ears(kept))
    assert len(kept) == begun, "its time was up"
    refiner.refine(wish(0.19, kept[2]), ears(kept))
    assert FakeWeights.model_validate_json(kept[begun]).spent > spent


def test_stopped_it_keeps_what_it_came_to(room):
    start, refined, _ = room.refined()
    assert (start.caption, refined.caption) == ("At the start", "Refined")
    assert (start.weights, refined.weights) == (None, png.sha256(room.shelf.files[refined.weights]))
    assert room.colours(refined)[2] > room.colours(start)[2]
    provenance = png.provenance(room.shelf.files[refined.sha256])
    assert (
        provenance.weights == room.models.refiner.moved(refined.weights, room.shelf.files[refined.weights]).fingerprint
    )


def test_an_order_that_says_stop_keeps_what_the_earlier_attempt_came_to(room):
    upload = room.shelf.add(file_of(photo(ONE_FACE)))
    mark = FakeWeights(blue=40, spent=37.5).model_dump_json().encode()
    room.shelf.files[png.sha256(mark)] = mark
    ordered = order("refine", [upload], attempt=2, checkpoint=png.sha256(mark), image=upload.image_id)
    _, refined = room.do(ordered.model_copy(update={"stop": True}))
    assert FakeWeights.model_validate_json(room.shelf.files[refined.weights]) == FakeWeights(blue=40, spent=37.5)


def test_stopped_before_its_first_step_it_gives_the_start(room):
    upload = room.shelf.add(file_of(photo(ONE_FACE)))
    ordered = order("refine", [upload], image=upload.image_id).model_copy(update={"stop": True})
    start, refined = room.do(ordered)
    assert refined.weights is None
    assert np.array_equal(room.colours(start), room.colours(refined))


def test_the_first_preview_goes_out_at_once_and_shows_start_and_now(room):
    room.refined()
    (shown,) = room.tell("/on-preview")
    side = room.models.engine.resolution
    assert (shown.seq, shown.width, shown.height) == (0, 2 * side, side)


def test_previews_are_told_now_and_then_alone():
    now, sent = [0.0], []
    previews = Previews(lambda seq, _: sent.append((seq, now[0])), lambda: now[0])
    for _ in range(100):
        previews.show(np.zeros((2, 4, 3), np.uint8))
        now[0] += REFINE_PREVIEW / 10
    assert [seq for seq, _ in sent] == list(range(10))
    gaps = [later - earlier for (_, earlier), (_, later) in pairwise(sent)]
    assert min(gaps) > REFINE_PREVIEW * 0.99


@pytest.mark.parametrize("stop", [Stop.CANCELLED, Stop.LEAVING, Stop.TAKEN_BACK])
def test_it_ends_without_a_result_when_it_has_to(room, stop):
    upload = room.shelf.add(file_of(photo(ONE_FACE)))
    ordered = order("refine", [upload], image=upload.image_id)
    ticket = Ticket(ordered, REGISTRY.work(ordered))
    threading.Timer(0.2, ticket.end, [stop]).start()
    with pytest.raises(Problem, match="cancelled"):
        room.worker.perform(ticket)
    assert room.tell("/on-checkpoint")


def test_what_was_lost_goes_on_from_its_checkpoint(room):
    upload = room.shelf.add(file_of(photo(ONE_FACE)))
    mark = FakeWeights(blue=63, spent=59.5).model_dump_json().encode()
    room.shelf.files[png.sha256(mark)] = mark
    _, refined = room.do(order("refine", [upload], attempt=2, checkpoint=png.sha256(mark), image=upload.image_id))
    assert 59.5 < FakeWeights.model_validate_json(room.shelf.files[refined.weights]).spent <= 60


def test_later_tasks_render_with_the_refined_weights(room):
    start, refined, _ = room.refined()
    plain = room.do(order("similar", [room.as_input(start)], image="i-" + "1" * 22, count=4))
    moved = room.do(order("similar", [room.as_input(refined)], image="i-" + "1" * 22, count=4))
    assert {image.weights for image in plain} == {None}
    assert {image.weights for image in moved} == {refined.weights}
    blue = room.colours(refined)[2] - room.colours(start)[2]
    assert [room.colours(two)[2] - room.colours(one)[2] for one, two in zip(plain, moved, strict=True)] == [blue] * 4
    assert room.models.engine.encoded == 1, "the photo's; both results carry their latents"


@pytest.mark.parametrize("broken", [b"{}", b"nonsense"])
def test_weights_that_do_not_fit_are_of_no_use_and_the_picture_is_encoded_anew(room, broken):
    _, refined, _ = room.refined()
    room.shelf.files[png.sha256(broken)] = broken
    odd = room.as_input(refined).model_copy(update={"weights": png.sha256(broken)})
    images = room.do(order("similar", [odd], image=odd.image_id, count=2))
    assert {image.weights for image in images} == {None}
    assert room.models.engine.encoded == 2


def test_a_picture_without_its_weights_is_encoded_anew(room):
    """As one that another session uploads: its provenance alone opens nothing."""
    _, refined, _ = room.refined()
    stolen = room.as_input(refined).model_copy(update={"weights": None})
    before = len(room.shelf.fetched)
    assert {one.weights for one in room.do(order("similar", [stolen], image=stolen.image_id, count=2))} == {None}
    assert room.models.engine.encoded == 2
    assert refined.weights not in room.shelf.fetched[before:]


def test_what_was_erased_is_forgotten(room):
    _, refined, _ = room.refined()
    room.do(order("similar", [room.as_input(refined)], image="i-" + "1" * 22, count=1))
    room.worker.forget([refined.weights, refined.sha256])
    del room.shelf.files[refined.weights]
    with pytest.raises(Problem, match="no such artifact"):
        room.do(order("similar", [room.as_input(refined)], image="i-" + "1" * 22, count=1))
    assert not room.models.refiner._kept._values


def test_an_engine_that_cannot_be_refined_says_so():
    upload = (shelf := Shelf()).add(file_of(photo(ONE_FACE)))
    ordered = order("refine", [upload], image=upload.image_id)
    with pytest.raises(Problem, match="cannot be refined"):
        Worker(fake_models(), shelf.fetch, lambda _: None, 0).perform(Ticket(ordered, REGISTRY.work(ordered)))


@pytest.mark.parametrize("params", [{"seconds": 59}, {"seconds": 601}, {"seconds": 60.5}, {"method": "magic"}])
def test_parameters_out_of_range_are_refused(params):
    upload = Shelf().add(file_of(photo(ONE_FACE)))
    with pytest.raises(Problem) as refused:
        REGISTRY.work(order("refine", [upload], image=upload.image_id, **params))
    assert refused.value.slug == "invalid-parameters"


def test_the_queue_stops_the_attempt_that_it_has_and_no_other(room):
    done: list = []
    with ThreadPoolExecutor(1) as thread:
        queue = TaskQueue(thread, room.worker.perform, lambda ticket, future: done.append(outcome(ticket, future)))
        upload = room.shelf.add(file_of(photo(ONE_FACE)))
        ordered = order("refine", [upload], image=upload.image_id)
        queue.put(ordered, REGISTRY.work(ordered))
        with pytest.raises(Problem, match="unknown-task"):
            queue.stop(ordered.task_id, 2)
        wait_until(lambda: room.tell("/on-preview"), "it runs")
        queue.stop(ordered.task_id, 1)
        queue.stop(ordered.task_id, 1)
        wait_until(lambda: done, "it has ended")
        with pytest.raises(Problem, match="unknown-task"):
            queue.stop(ordered.task_id, 1)
    assert done[0].path == "/on-result"
