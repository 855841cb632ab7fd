import numpy as np
import pytest

from backend_container.loading import Models
from backend_container.models.engine import ModelError
from backend_container.models.fake import FakeDetector, FakeEngine
from backend_container.models.identity import loader
from backend_container.queue import Ticket
from backend_container.screening.face_screen import load_screen
from backend_container.screening.fake import FakeScreen
from backend_container.tasks import REGISTRY
from backend_container.worker import Worker
from ligan.wire.image import Flag, Origin
from tests.backend_container.builders import ONE_FACE, Shelf, file_of, order, photo


def test_without_a_part_there_is_no_screen_and_the_log_says_why(monkeypatch, caplog):
    monkeypatch.setattr(loader, "PACKAGE", "no-such-carrier")
    assert load_screen() is None
    assert "no-such-carrier is not installed" in caplog.text


@pytest.mark.parametrize(("measured", "counts"), [(0.4, 0.4), (None, 0.6)])
def test_what_a_double_is_was_measured_with_the_weights_or_is_the_same_person(measured, counts):
    screen = load_screen(measured)
    if screen is None:
        pytest.skip("a model part of the screen is not installed: make setup")
    assert screen.double_below == counts


def test_the_screen_sees_that_noise_is_no_face():
    screen = load_screen()
    if screen is None:
        pytest.skip("a model part of the screen is not installed: make setup")
    noise = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    looks = screen.look(noise)
    assert looks.identities.shape == (2, 128)
    assert looks.male.shape == looks.ages.shape == (2,)
    assert not looks.clear.any()


@pytest.mark.parametrize("make", [FakeScreen, load_screen])
def test_a_face_is_looked_at_once(make):
    screen = make()
    if screen is None:
        pytest.skip("a model part of the screen is not installed: make setup")
    frame = np.zeros((64, 64, 3), np.uint8)
    calls = []
    first = screen.remembered("a", lambda: calls.append(1) or frame)
    assert screen.remembered("a", lambda: pytest.fail("asked again")) is first
    assert calls == [1]

    def unreadable():
        raise ModelError("face-not-readable", "no")

    with pytest.raises(ModelError):
        screen.remembered("b", unreadable)


def performed(shelf, one):
    models = Models(FakeEngine(), FakeDetector(), screen=FakeScreen())
    worker = Worker(models, shelf.fetch, lambda report: None, patience_s=0)
    return worker.perform(Ticket(one, REGISTRY.work(one))).message.images


def test_similar_and_random_faces_come_with_flags():
    shelf = Shelf()
    image = shelf.add(file_of(photo(ONE_FACE)))
    few = performed(shelf, order("similar", [image], image=image.image_id, count=2, page=3))
    assert all(one.flags is not None for one in few)
    many = performed(shelf, order("similar", [image], image=image.image_id, count=60, page=1))
    assert {Flag.DOUBLE_OF_FILLER, Flag.DOUBLE_OF_SUSPECT} <= {flag for one in many for flag in one.flags}
    drawn = performed(shelf, order("random", count=60, seed=3))
    assert Flag.DOUBLE_OF_FILLER in {flag for one in drawn for flag in one.flags}
    assert Flag.DOUBLE_OF_SUSPECT not in {flag for one in drawn for flag in one.flags}


def test_a_face_that_was_made_here_is_compared_as_it_is():
    shelf = Shelf()
    frame = photo((8, 4, 24, 28, (90, 120, 150)), size=(32, 32))
    image = shelf.add(file_of(frame), origin=Origin.TASK)
    screen = FakeScreen()
    models = Models(FakeEngine(), FakeDetector(), screen=screen)
    one = order("similar", [image], image=image.image_id, count=1)
    Worker(models, shelf.fetch, lambda report: None, patience_s=0).perform(Ticket(one, REGISTRY.work(one)))
    kept = screen.remembered((image.sha256, Origin.TASK, None), lambda: pytest.fail("not looked at"))
    assert np.array_equal(kept.identities, screen.look(frame[None]).identities)


class Told(FakeEngine):
    """Keeps what it was told of the suspect."""

    def neighbours(self, *arguments):
        self.suspect = arguments[-1]
        return super().neighbours(*arguments)


@pytest.mark.parametrize("screen", [FakeScreen(), None])
def test_an_engine_is_told_what_the_screen_sees_of_the_suspect(screen):
    shelf, engine = Shelf(), Told()
    image = shelf.add(file_of(photo(ONE_FACE)))
    one = order("similar", [image], image=image.image_id, count=1)
    worker = Worker(Models(engine, FakeDetector(), screen=screen), shelf.fetch, lambda report: None, patience_s=0)
    worker.perform(Ticket(one, REGISTRY.work(one)))
    if screen is None:
        assert engine.suspect is None
    else:
        seen = screen.remembered((image.sha256, image.origin, None), lambda: pytest.fail("not looked at"))
        assert engine.suspect is seen


def test_what_is_not_screened_says_so():
    assert [one.flags for one in performed(Shelf(), order("count", steps=1))] == [None]
