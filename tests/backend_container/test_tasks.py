"""The tasks themselves, through the registry and a worker with FakeEngine: order in, report out."""

import numpy as np
import pytest

from backend_container import png
from backend_container.queue import Ticket
from backend_container.tasks import REGISTRY
from backend_container.worker import Worker
from ligan.wire.image import Origin
from tests.backend_container.builders import ONE_FACE, OTHER_FACE, Shelf, fake_models, file_of, order, photo


@pytest.fixture
def shelf():
    return Shelf()


def perform(shelf, one):
    """The report of an order, done by a worker that knows nothing of others."""
    worker = Worker(fake_models(), shelf.fetch, lambda report: None, patience_s=0)
    return worker.perform(Ticket(one, REGISTRY.work(one)))


def latents(report):
    return [png.provenance(report.artifacts[image.sha256]).latent for image in report.message.images]


def similar(shelf, data=None, **params):
    image = shelf.add(data or file_of(photo(ONE_FACE)))
    return perform(shelf, order("similar", [image], image=image.image_id, **params))


def test_similar_makes_a_page(shelf):
    images = similar(shelf, page=2, count=3).message.images
    assert len(images) == 3
    assert [(image.width, image.height) for image in images] == [(32, 32)] * 3
    assert len({image.sha256 for image in images}) == 3


def test_a_page_has_sixteen_images_unless_said_otherwise(shelf):
    assert len(similar(shelf).message.images) == 16
    assert len(perform(shelf, order("random")).message.images) == 16


def test_same_photo_seed_and_page_give_the_same_bytes_whatever_the_photo_is_called(shelf):
    first, second = similar(shelf, page=3, seed=5), similar(shelf, page=3, seed=5)
    assert first.message.task_id != second.message.task_id
    assert list(first.artifacts.items()) == list(second.artifacts.items())


@pytest.mark.parametrize("changes", [{"page": 2}, {"seed": 1}, {"data": file_of(photo(OTHER_FACE))}])
def test_another_page_seed_or_photo_gives_other_images(shelf, changes):
    assert not set(similar(shelf).artifacts) & set(similar(shelf, **changes).artifacts)


def test_later_pages_are_less_alike(shelf):
    centre = fake_models().engine.encode(photo(ONE_FACE), fake_models().detector.find(photo(ONE_FACE))[0])
    near, far = (
        np.linalg.norm(np.stack(latents(similar(shelf, page=page, count=64))) - centre, axis=1).mean()
        for page in (1, 5)
    )
    assert near < far


def test_an_interpolation_begins_at_one_face_and_ends_at_the_other(shelf):
    a, b = shelf.add(file_of(photo(ONE_FACE))), shelf.add(file_of(photo(OTHER_FACE)))
    report = perform(shelf, order("interpolate", [a, b], image_a=a.image_id, image_b=b.image_id, count=5))
    way = np.stack(latents(report))
    models = fake_models()
    for pixels, end in ((photo(ONE_FACE), way[0]), (photo(OTHER_FACE), way[-1])):
        assert np.array_equal(models.engine.encode(pixels, models.detector.find(pixels)[0]), end)
    assert np.allclose(np.diff(way, axis=0), (way[-1] - way[0]) / 4, atol=1e-5)
    assert [image.caption for image in report.message.images] == ["0 %", "25 %", "50 %", "75 %", "100 %"]


def test_a_result_can_be_the_start_of_the_next_task(shelf):
    first = perform(shelf, order("random", count=2, seed=1))
    a, b = (shelf.add(first.artifacts[image.sha256], Origin.TASK) for image in first.message.images)
    report = perform(shelf, order("interpolate", [a, b], image_a=a.image_id, image_b=b.image_id, count=2))
    assert np.array_equal(latents(report), latents(first))


def test_random_faces_follow_from_their_seed(shelf):
    few, many = (perform(shelf, order("random", count=count, seed=9)) for count in (2, 4))
    assert np.array_equal(latents(few), latents(many)[:2])
    assert not set(perform(shelf, order("random", count=4, seed=10)).artifacts) & set(many.artifacts)


def test_noop_makes_nothing(shelf):
    for report in (perform(shelf, order("noop")), perform(shelf, order("noop", seconds=0.01))):
        assert (report.path, report.message.images, report.artifacts) == ("/on-result", [], {})


def test_counting_goes_on_where_it_was(shelf):
    whole = perform(shelf, order("count", steps=5))
    assert [image.caption for image in whole.message.images] == ["5 steps, 5 of them here, resumed at 0"]
    kept = shelf.add(b"3").sha256
    rest = perform(shelf, order("count", steps=5, attempt=2, checkpoint=kept))
    assert [image.caption for image in rest.message.images] == ["5 steps, 2 of them here, resumed at 3"]
    done = perform(shelf, order("count", steps=3, attempt=3, checkpoint=kept))
    assert [image.caption for image in done.message.images] == ["3 steps, 0 of them here, resumed at 3"]


def test_a_report_fits_its_order_and_its_artifacts(shelf):
    one = order("random", count=3, attempt=4)
    report = perform(shelf, one)
    assert (report.path, report.message.task_id, report.message.attempt) == ("/on-result", one.task_id, 4)
    assert [png.sha256(data) for data in report.artifacts.values()] == [image.sha256 for image in report.message.images]


def test_images_say_how_they_were_made_but_not_of_which_upload(shelf):
    image = shelf.add(file_of(photo(ONE_FACE)))
    report = perform(shelf, order("similar", [image], image=image.image_id, count=1, seed=3))
    (data,) = report.artifacts.values()
    made = png.provenance(data)
    assert (made.engine, made.kind, made.params) == ("fake", "similar", {"page": 1, "count": 1, "seed": 3})
    assert image.image_id.encode() not in data
