"""What every engine promises to tasks (`backend_container.models.engine.Engine`)."""

import numpy as np
import pytest
import skimage.data

from backend_container.models.engine import Engine, FaceBox, ModelError
from backend_container.models.face_chip import FRAME, LANDMARKS, USUAL
from backend_container.models.landmarks import FaceMesh
from backend_container.models.loader import ENGINES, WEIGHTS, load_engine
from backend_container.models.sampling import Page, interpolate, normal

ASTRONAUT = FaceBox(left=178, top=68, right=272, bottom=188, score=1.0)


@pytest.fixture(scope="module", params=sorted(ENGINES))
def engine(request, stylegan2_directory) -> Engine:
    """`stylegan2` with tiny random weights, the others with those that belong to the package."""
    if request.param == "stylegan2":
        return load_engine("stylegan2", stylegan2_directory)
    if not (WEIGHTS / request.param).is_dir():
        pytest.skip(f"{WEIGHTS / request.param} holds no weights")
    return load_engine(request.param)


@pytest.fixture(scope="module")
def faces(engine):
    return engine.sample(seed=5, count=2)


@pytest.fixture(scope="module")
def photos(engine, faces):
    return engine.synthesize(faces)


def test_it_is_called_what_it_is_loaded_by(engine):
    assert engine.name in ENGINES


def test_random_faces_have_the_engines_shape(engine, faces):
    assert faces.shape == (2, *engine.latent_shape)
    assert faces.dtype == np.float32
    assert np.isfinite(faces).all()


def test_the_nth_random_face_depends_on_seed_and_n_alone(engine, faces):
    assert np.array_equal(engine.sample(5, 5)[:2], faces)
    assert not np.array_equal(engine.sample(6, 2), faces)
    assert not np.array_equal(faces[0], faces[1])


def test_the_mean_is_a_latent_that_renders(engine):
    assert engine.mean.shape == engine.latent_shape
    assert engine.mean.dtype == np.float32
    assert engine.synthesize(engine.mean[None]).std() > 0


def test_photos_are_rgb_bytes_of_the_engines_resolution(engine, photos):
    assert photos.shape == (2, engine.resolution, engine.resolution, 3)
    assert photos.dtype == np.uint8
    assert not np.array_equal(photos[0], photos[1])


def test_the_same_latent_gives_the_same_bytes_alone_or_in_company(engine, faces, photos):
    assert np.array_equal(engine.synthesize(faces[:1]), photos[:1])
    assert np.array_equal(engine.synthesize(faces[[1, 0, 1]]), photos[[1, 0, 1]])


def test_none_asked_for_gives_none(engine, faces):
    assert engine.sample(5, 0).shape == (0, *engine.latent_shape)
    assert engine.synthesize(faces[:0]).shape == (0, engine.resolution, engine.resolution, 3)


def test_rendering_leaves_the_latents_alone(engine, faces):
    before = faces.copy()
    engine.synthesize(faces[:1])
    engine.space.project(faces)
    assert np.array_equal(faces, before)


def test_coordinates_survive_lift_and_project(engine):
    space = engine.space
    coordinates = normal(1, count=3, dimension=space.dimension)
    latents = space.lift(coordinates)
    assert latents.shape == (3, *engine.latent_shape)
    assert latents.dtype == np.float32
    np.testing.assert_allclose(space.project(latents), coordinates, atol=0.01)


def test_projecting_twice_loses_no_more_than_once(engine, faces):
    space = engine.space
    once = space.lift(space.project(faces))
    assert space.project(faces).shape == (2, space.dimension)
    assert space.project(faces).dtype == np.float32
    np.testing.assert_allclose(space.lift(space.project(once)), once, atol=0.01 * np.abs(once).max())


def test_neighbours_render_and_the_nth_of_a_page_is_always_the_same(engine, faces):
    page = engine.neighbours(faces[0], Page(2, 2, 1))
    assert page.shape == (2, *engine.latent_shape)
    again = engine.neighbours(faces[0], Page(2, 1, 1))
    assert np.array_equal(engine.synthesize(again), engine.synthesize(page)[:1])


def test_interpolation_starts_and_ends_at_the_two_photos(engine, faces, photos):
    steps = engine.synthesize(interpolate(faces[0], faces[1], 3))
    assert np.array_equal(steps[[0, 2]], photos)
    assert not np.array_equal(steps[1], photos[0])


def test_a_photo_becomes_a_latent_the_same_each_time(engine):
    photo = skimage.data.astronaut()
    latent = engine.encode(photo, ASTRONAUT)
    assert latent.shape == engine.latent_shape
    assert latent.dtype == np.float32
    assert np.isfinite(latent).all()
    assert np.array_equal(engine.encode(photo, ASTRONAUT), latent)
    assert engine.synthesize(latent[None]).std() > 0


def test_another_photo_becomes_another_latent(engine):
    photo = skimage.data.astronaut()
    darker = (photo * 0.6).astype(np.uint8)
    assert not np.array_equal(engine.encode(darker, ASTRONAUT), engine.encode(photo, ASTRONAUT))


def test_a_frame_is_the_face_in_the_engines_size(engine):
    photo = skimage.data.astronaut()
    frame = engine.frame(photo, ASTRONAUT)
    assert frame.shape == (engine.resolution, engine.resolution, 3)
    assert frame.dtype == np.uint8
    elsewhere = photo.copy()
    elsewhere[400:] = 0
    assert np.array_equal(engine.frame(elsewhere, ASTRONAUT), frame)


def test_a_face_stands_in_its_frame_where_those_who_judge_it_look(engine):
    side = engine.resolution
    frame = engine.frame(skimage.data.astronaut(), ASTRONAUT)
    points = FaceMesh().points(frame, FaceBox(side // 6, side // 6, side * 5 // 6, side * 5 // 6, 1.0))
    np.testing.assert_allclose(points[list(LANDMARKS)] * FRAME / side, USUAL, atol=5)


def test_what_is_no_face_cannot_be_read(engine):
    with pytest.raises(ModelError, match="cannot be read") as caught:
        engine.encode(np.zeros((300, 300, 3), np.uint8), FaceBox(100, 100, 160, 170, 1.0))
    assert caught.value.slug == "face-not-readable"
