import threading

import numpy as np
import pytest

from backend_container import png
from backend_container.latent_cache import LatentCache
from backend_container.loading import Models
from backend_container.models.engine import ModelError
from backend_container.models.fake import FakeDetector, FakeEngine
from ligan.ids import new_id
from ligan.problem import Problem
from ligan.wire.image import Origin
from tests.backend_container.builders import (
    ONE_FACE,
    OTHER_FACE,
    PASSER_BY,
    Shelf,
    fake_models,
    file_of,
    make_context,
    photo,
)

LATENT = np.array([0.5, -1, 2], np.float32)


@pytest.fixture
def shelf():
    return Shelf()


def colour_of(models, pixels, face):
    """What FakeEngine makes of one of the faces of `photo`."""
    left, top, right, bottom, _ = face
    (box,) = [box for box in models.detector.find(pixels) if (box.left, box.right) == (left, right)]
    assert (box.top, box.bottom) == (top, bottom)
    return models.engine.encode(pixels, box)


def made_by_task(models, latent=LATENT, **changes):
    made = {"engine": models.engine.name, "weights": models.fingerprint, "kind": "random", "params": {}, **changes}
    return png.encode(models.engine.synthesize(latent[np.newaxis])[0], png.Provenance(latent=latent, **made))


def latent_of(models, shelf, image, **options):
    return make_context(models, [image], shelf.fetch, **options).latent(image.image_id)


def test_an_upload_is_encoded(shelf):
    models, pixels = fake_models(), photo(ONE_FACE)
    latent = latent_of(models, shelf, shelf.add(file_of(pixels)))
    assert np.array_equal(latent, colour_of(models, pixels, ONE_FACE))


def test_the_chosen_face_is_encoded(shelf):
    models, pixels = fake_models(), photo(OTHER_FACE, ONE_FACE)
    data = file_of(pixels)
    for number, face in ((1, ONE_FACE), (2, OTHER_FACE)):
        assert np.array_equal(latent_of(models, shelf, shelf.add(data, face=number)), colour_of(models, pixels, face))


def test_several_faces_without_a_choice_are_a_problem(shelf):
    with pytest.raises(Problem) as caught:
        latent_of(fake_models(), shelf, shelf.add(file_of(photo(ONE_FACE, OTHER_FACE))))
    assert caught.value.slug == "several-faces"
    assert [box["left"] for box in caught.value.document.model_extra["faces"]] == [ONE_FACE[0], OTHER_FACE[0]]


def test_a_passer_by_is_no_second_face(shelf):
    models, pixels = fake_models(), photo(PASSER_BY, ONE_FACE)
    latent = latent_of(models, shelf, shelf.add(file_of(pixels)))
    assert np.array_equal(latent, colour_of(models, pixels, ONE_FACE))


def test_no_face_is_a_problem(shelf):
    with pytest.raises(Problem) as caught:
        latent_of(fake_models(), shelf, shelf.add(file_of(photo())))
    assert caught.value.slug == "no-face"


def test_what_the_engine_cannot_read_is_passed_on(shelf):
    with pytest.raises(ModelError, match="face-not-readable"):
        latent_of(fake_models(), shelf, shelf.add(file_of(photo((5, 5, 11, 11, (0, 0, 0))))))


def test_an_image_of_a_task_brings_its_own_latent(shelf):
    models = fake_models()
    image = shelf.add(made_by_task(models), Origin.TASK)
    assert np.array_equal(latent_of(models, shelf, image), LATENT)
    assert models.engine.encoded == 0


def test_an_upload_that_claims_a_latent_is_looked_at_all_the_same(shelf):
    models = fake_models()
    image = shelf.add(made_by_task(models), Origin.UPLOAD)
    assert not np.array_equal(latent_of(models, shelf, image), LATENT)
    assert models.engine.encoded == 1


@pytest.mark.parametrize("changes", [{"engine": "other"}, {"weights": "of before"}])
def test_a_latent_of_another_model_is_not_used(shelf, changes):
    models = fake_models()
    latent = latent_of(models, shelf, shelf.add(made_by_task(models, **changes), Origin.TASK))
    assert not np.array_equal(latent, LATENT)
    assert models.engine.encoded == 1


def test_the_next_page_does_not_fetch_or_encode_again(shelf):
    models, cache = fake_models(), LatentCache()
    first = shelf.add(file_of(photo(ONE_FACE, OTHER_FACE)), face=1)
    again = first.model_copy(update={"image_id": new_id("i")})
    other_face = first.model_copy(update={"face": 2})
    for image in (first, again, other_face):
        latent_of(models, shelf, image, latents=cache)
    assert models.engine.encoded == 2
    assert len(shelf.fetched) == 2


def test_an_image_that_is_not_the_tasks_own_is_unknown(shelf):
    context = make_context(fake_models(), [shelf.add(file_of(photo(ONE_FACE)))], shelf.fetch)
    with pytest.raises(Problem) as caught:
        context.latent(new_id("i"))
    assert caught.value.slug == "unknown-image"


def test_rendering_moves_progress_from_where_it_was_to_the_end(shelf):
    readings = []
    context = make_context(fake_models(), [], shelf.fetch, readings=readings)
    context.progress(40)
    rendered = context.render(context.engine.sample(0, 3), ["a", "b", "c"])
    assert [one.caption for one in rendered] == ["a", "b", "c"]
    assert [reading.percent for reading in readings] == [40, 100]
    assert np.array_equal(rendered[2].image, context.engine.synthesize(rendered[2].latent[np.newaxis])[0])


def test_each_latent_needs_its_caption(shelf):
    context = make_context(fake_models(), [], shelf.fetch)
    with pytest.raises(ValueError, match="longer"):
        context.render(context.engine.sample(0, 2), ["only one", "two", "three"])


def test_cancelling_is_heard_between_images(shelf):
    cancelled, painted = threading.Event(), []

    def paint():
        painted.append(1)
        if len(painted) == 3:
            cancelled.set()

    context = make_context(Models(FakeEngine(paint), FakeDetector()), [], shelf.fetch, cancelled=cancelled)
    with pytest.raises(Problem) as caught:
        context.render(context.engine.sample(0, 16), [""] * 16)
    assert caught.value.slug == "cancelled"
    assert len(painted) == 3


@pytest.mark.parametrize(
    "act",
    [
        lambda context: context.check_cancelled(),
        lambda context: context.progress(1),
        lambda context: context.pause(60),
        lambda context: context.resume(),
        lambda context: context.latent("i-" + "0" * 22),
        lambda context: context.render(context.engine.sample(0, 1), [""]),
    ],
)
def test_a_cancelled_task_gets_no_further(shelf, act):
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Problem) as caught:
        act(make_context(fake_models(), [], shelf.fetch, cancelled=cancelled))
    assert caught.value.slug == "cancelled"


def test_an_attempt_gets_what_the_one_before_kept(shelf):
    kept = shelf.add(b"at step 7").sha256
    assert make_context(fake_models(), [], shelf.fetch, checkpoint=kept).resume() == b"at step 7"
    assert make_context(fake_models(), [], shelf.fetch).resume() is None


def test_a_checkpoint_that_is_gone_is_no_reason_to_fail(shelf, caplog):
    assert make_context(fake_models(), [], shelf.fetch, checkpoint="0" * 64).resume() is None
    assert "begins at the beginning" in caplog.text


def test_a_checkpoint_that_cannot_be_fetched_now_is_not_given_up():
    def fetch(sha256):
        raise Problem("unreachable", "connection refused")

    with pytest.raises(Problem, match="refused"):
        make_context(fake_models(), [], fetch, checkpoint="0" * 64).resume()


def test_what_was_done_before_says_nothing_of_the_speed(shelf):
    kept, readings = shelf.add(b"90 %").sha256, []
    context = make_context(fake_models(), [], shelf.fetch, readings=readings, checkpoint=kept)
    context.progress(0)
    context.resume()
    context.progress(90)
    context.progress(100)
    assert [(reading.percent, reading.eta_s) for reading in readings] == [(0, None), (100, 0)]
