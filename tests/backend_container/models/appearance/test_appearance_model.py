"""Shape, texture and fine detail of a face."""

import numpy as np

from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.detail import all_frequencies
from backend_container.models.appearance.planes import COUNT, LUMA, mirrored, to_image, to_planes


def test_the_latent_of_a_render_is_the_latent(shipped):
    """The prior of the fit draws it to the mean a little, and the warp blurs."""
    model = shipped.model
    latent = 0.7 * np.random.default_rng(3).standard_normal(model.components).astype(np.float32)
    shape = latent @ model.loadings[:, : len(model.shape_basis)] @ model.shape_basis
    render = model.render(np.pad(latent, (0, model.dimension - model.components)))
    found = model.encode(render, model.mean_shape + shape.reshape(-1, 2))
    leading = slice(0, 40)
    assert np.corrcoef(found[leading], latent[leading])[0, 1] > 0.95


def test_the_mean_face_is_the_mean_texture_in_the_mean_shape(shipped):
    model = shipped.model
    render = model.render(np.zeros(model.dimension, np.float32))
    np.testing.assert_allclose(render, to_image(model.mean_texture), atol=0.01)


def test_what_is_the_persons_own_is_rendered_and_read_again(shipped):
    model = shipped.model
    latent = np.zeros(model.dimension, np.float32)
    latent[model.components + 10 :: 40] = 2
    render = model.render(latent)
    face = model.encode(render, model.mean_shape)
    without = face.copy()
    without[model.components :] = 0
    errors = [np.abs(model.render(z) - render).mean() for z in (face, without)]
    assert errors[0] < 0.5 * errors[1]


def test_planes_give_the_image_again_but_for_fine_colour(gradient):
    np.testing.assert_allclose(to_image(to_planes(gradient)), gradient, atol=0.01)
    assert to_planes(gradient).shape == (COUNT,)


def test_a_grey_image_has_no_colour_and_loses_nothing():
    grey = np.repeat(np.random.default_rng(0).random((SIZE, SIZE, 1), np.float32), 3, axis=2)
    planes = to_planes(grey)
    assert np.abs(planes[LUMA:]).max() < 1e-6
    np.testing.assert_allclose(to_image(planes), grey, atol=1e-6)


def test_mirrored_planes_are_those_of_the_mirrored_image():
    image = np.random.default_rng(0).random((SIZE, SIZE, 3), np.float32)
    np.testing.assert_allclose(mirrored(to_planes(image)[None])[0], to_planes(image[:, ::-1]), atol=1e-6)


def test_details_add_up_to_their_basis(shipped):
    numbers = np.random.default_rng(0).standard_normal(len(shipped.model.detail.deviations)).astype(np.float32)
    added = (numbers @ shipped.model.detail.basis).reshape(SIZE, SIZE)
    np.testing.assert_allclose(shipped.model.detail.add(numbers), added, atol=1e-4)


def test_details_stay_inside_of_the_face(shipped):
    detail = shipped.model.detail
    added = detail.add(np.ones(len(detail.deviations), np.float32))
    assert np.abs(added[:, [0, -1]]).max() == 0
    assert np.abs(added[[0, -1]]).max() == 0
    assert np.abs(added).max() > 0.05


def test_no_detail_is_finer_than_asked(shipped):
    mean = shipped.model.mean_shape
    coarse, fine = (all_frequencies(mean, finest) for finest in (20.0, 5.0))
    assert len(coarse) < len(fine)
    assert {tuple(f) for f in coarse.tolist()} < {tuple(f) for f in fine.tolist()}
