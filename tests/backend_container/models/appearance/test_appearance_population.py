"""Random faces among the people fitted."""

import numpy as np

from backend_container.models.appearance.planes import to_image
from backend_container.models.appearance.population import Population


def test_random_faces_of_nobody_are_standard_normal():
    drawn = Population(*np.empty((2, 0, 3), np.float32), np.empty(0, np.int32)).draw(0, 2000)
    np.testing.assert_allclose(drawn.mean(0), 0, atol=0.1)
    np.testing.assert_allclose(drawn.std(0), 1, atol=0.1)


def test_groups_are_drawn_equally_often_and_nobody_of_them_is_drawn():
    latents = np.random.default_rng(0).normal(0, 0.1, (40, 3)).astype(np.float32)
    latents[:5, 0] += 10  # a group of five, and one of thirty-five
    hair = np.arange(40, dtype=np.float32)[:, None] * np.float32([0, 0, 1])
    drawn = Population(latents, hair, np.int32([0] * 5 + [1] * 35)).draw(1, 400)
    assert 0.4 < (drawn[:, 0] > 5).mean() < 0.6
    assert np.abs(drawn[:, None] - (latents + hair)[None]).max(2).min() > 1e-3
    whose = np.rint(drawn[:, 2])  # hair is of one person, a member of the face's group
    assert np.abs(drawn[:, 2] - whose).max() < 0.5
    assert ((whose < 5) == (drawn[:, 0] > 5)).all()


def test_the_shipped_groups_are_large_enough_to_draw_different_people(shipped):
    sizes = np.bincount(shipped.population.groups)
    assert len(sizes) == 8
    assert sizes.min() > 50


def test_hair_is_what_lies_outside_of_the_face(shipped):
    """A shipped person's face with average hair is the person inside of the oval, and the average outside."""
    model, people = shipped.model, shipped.population
    for faces, hair in zip(people.faces[::100], people.hair[::100], strict=True):
        person, bald, average = (texture_of(model, latent) for latent in (faces + hair, faces, 0 * faces))
        shown = [np.abs(bald - other).mean(2) for other in (person, average)]
        assert shown[0][60:84, 50:78].mean() < shown[1][60:84, 50:78].mean()
        assert shown[1][:16, 32:96].mean() < shown[0][:16, 32:96].mean()


def texture_of(model, latent):
    return to_image(model.mean_texture + latent @ model.loadings[:, len(model.shape_basis) :] @ model.texture_basis)
