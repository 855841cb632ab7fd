"""What `refine` promises, over both methods: on an engine without weight, with a clock that the tests hold."""

import itertools

import numpy as np
import pytest
import torch

from backend_container.models.engine import ModelError
from backend_container.refine.pivotal import Pivotal
from backend_container.refine.refinable import refinable_of
from backend_container.refine.refine import METHODS, Listeners, refine
from backend_container.refine.refined import RefinedWeights
from ligan.intervals import CHECKPOINT, REFINE_PREVIEW
from tests.backend_container.refine.painter import Painter, clock

METHOD_NAMES = sorted(METHODS)


def run(method="pivotal", painter=None, target=None, **options):
    painter = painter or Painter()
    return refine(
        painter, target or painter.target(), method, **{"deadline": 60.0, "now": clock(), "seed": 1, **options}
    )


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_the_photo_is_rendered_better(method):
    refined = run(method)
    story = refined.weights.story
    assert refined.better
    assert story.loss < 0.5 * story.began_at
    assert story.method == method
    assert refined.steps > 50


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_the_reported_error_is_that_of_the_weights_as_they_are_stored(method):
    painter = Painter()
    target = painter.target()
    refined = run(method, painter, target)
    kept = RefinedWeights.decode(refined.weights.encode())
    with torch.no_grad():
        image = painter.moved(kept.delta).network(torch.from_numpy(kept.latent)[None])
    assert target.error(image).item() == pytest.approx(kept.story.loss, rel=1e-4)
    assert kept.delta


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_the_engine_stays_as_it_was(method):
    painter = Painter()
    before = {name: tensor.clone() for name, tensor in painter.network.state_dict().items()}
    run(method, painter)
    assert all(torch.equal(before[name], tensor) for name, tensor in painter.network.state_dict().items())


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_same_seed_same_bytes(method):
    assert run(method).weights.encode() == run(method).weights.encode()


class Worsening:
    """A method that only ever spoils the picture."""

    __name__ = "worsening"

    def __init__(self, start):
        self._start = start

    def shoot(self, share):
        latent = torch.from_numpy(self._start.latent)
        image = self._start.moving.generator(latent[None]).detach()
        from backend_container.refine.method import Shot

        return Shot(self._start.target.error(image).item(), image, latent)

    def step(self):
        with torch.no_grad():
            for parameter in self._start.moving.parameters:
                parameter += 0.1


def test_the_start_comes_back_where_nothing_was_better():
    painter = Painter()
    # The painter's own picture: nothing can be nearer to it.
    perfect = painter.target(pixels=painter.network(torch.zeros(1, 4)).detach() + 0.001)
    refined = run(Worsening, painter, perfect)
    assert not refined.better
    assert refined.weights.delta == {}
    assert refined.weights.story.loss == refined.weights.story.began_at
    np.testing.assert_array_equal(refined.weights.latent, painter.mean)
    assert refined.steps > 50


@pytest.mark.parametrize("method", METHOD_NAMES)
@pytest.mark.parametrize("seconds", [0.0, 1.0, 60.0, 600.0])
def test_it_ends_before_the_deadline(method, seconds):
    now = clock(step=0.1 if seconds < 100 else 2.0)
    refined = run(method, deadline=seconds, now=now)
    assert now.time <= seconds + 20 * 0.1
    assert refined.weights.story.loss <= refined.weights.story.began_at
    assert seconds == 0 or now.time > 0.5 * seconds


def test_a_deadline_that_is_over_gives_the_start():
    refined = run(deadline=-5.0)
    assert (refined.steps, refined.better) == (0, False)


def test_a_slow_machine_stops_in_time_too():
    """A step of 10 s: the next one would end too late."""
    now = clock(step=1.0)
    run(deadline=30.0, now=now)
    assert now.time <= 35.0


@pytest.mark.parametrize("often", [2, 4, 8])
def test_a_busy_machine_whose_steps_are_uneven_stops_in_time_too(often):
    """One step of 2 s among short ones: that the last was short does not tell how long the next one takes."""
    now = clock(step=0.0)
    lengths = itertools.cycle([*[0.1] * (often - 1), 2.0])

    class Uneven(Pivotal):
        def step(self):
            super().step()
            now.time += next(lengths)

    run(Uneven, deadline=61.0, now=now)
    assert 56.0 < now.time <= 61.0 + 0.1 * often


def test_one_long_step_is_forgotten():
    now = clock(step=0.0)
    lengths = itertools.chain([10.0], itertools.repeat(0.1))

    class Hiccup(Pivotal):
        def step(self):
            super().step()
            now.time += next(lengths)

    run(Hiccup, deadline=60.0, now=now)
    assert 59.0 < now.time <= 60.0


def test_stop_and_keep():
    asked = iter([False] * 30 + [True] * 99)
    refined = run(deadline=1e6, tell=Listeners(keep=lambda: next(asked)))
    assert refined.kept
    assert refined.steps == 30
    assert refined.better


def test_progress_rises_to_the_end_and_never_beyond():
    told = []
    run(tell=Listeners(told.append))
    assert told == sorted(told)
    assert 0 <= told[0] < 5
    assert 95 < told[-1] <= 100


def test_previews_come_at_a_bounded_rate_and_get_better():
    now, shown = clock(), []
    run(now=now, tell=Listeners(preview=lambda image, loss: shown.append((now.time, loss, image.shape))))
    times, losses, shapes = zip(*shown, strict=True)
    assert set(shapes) == {(8, 8, 3)}
    assert min(np.diff(times)) >= REFINE_PREVIEW
    assert list(losses) == sorted(losses, reverse=True)
    assert len(shown) > 5


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_another_attempt_goes_on_from_a_checkpoint(method):
    now, kept = clock(), []

    class GoneError(Exception):
        pass

    def progress(percent):
        if percent > 60:
            raise GoneError

    with pytest.raises(GoneError):
        run(method, now=now, tell=Listeners(progress, checkpoint=lambda data: kept.append((now.time, data))))
    times, files = zip(*kept, strict=True)
    assert min(np.diff(times)) >= CHECKPOINT
    before = RefinedWeights.decode(files[-1])
    told = []
    after = run(method, deadline=60.0 - before.story.spent, tell=Listeners(told.append), resume=files[-1])
    assert after.weights.story.loss < before.story.loss
    assert after.weights.story.began_at == before.story.began_at
    assert after.weights.story.spent > before.story.spent
    assert told[0] == pytest.approx(100 * before.story.spent / 60.0, abs=5)


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_an_attempt_without_time_gives_what_the_checkpoint_has(method):
    first = run(method)
    again = run(method, deadline=0.0, resume=first.weights.encode())
    assert again.weights.story.loss == pytest.approx(first.weights.story.loss, rel=1e-4)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-20] + bytes(20),
        lambda data: data.replace(b"pivotal", b"another"),
        lambda data: data.replace(b"painter", b"printer"),
        lambda data: data.replace(b"delta.bias", b"delta.band"),
    ],
)
def test_a_checkpoint_of_no_use_is_passed_over(spoil, caplog):
    data = run().weights.encode()
    spoilt = spoil(data)
    assert spoilt != data
    again = run(resume=spoilt)
    if spoilt[-20:] != bytes(20):  # which may be numbers like any other
        assert "begins anew" in caplog.text
        assert again.weights.encode() == run().weights.encode()
    assert again.better


def test_a_checkpoint_of_other_weights_is_passed_over(caplog):
    data = run(fingerprint="a").weights.encode()
    assert run(fingerprint="b", resume=data).better
    assert "begins anew" in caplog.text


def test_what_cannot_be_refined_is_refused():
    with pytest.raises(ModelError, match="cannot be refined; choose one of: appearance, stylegan2"):
        refinable_of(Painter())


def test_a_method_that_is_not_there():
    with pytest.raises(KeyError, match="magic"):
        run("magic")
