"""Fillers of the appearance engine; with the weights that belong to the package, in the latents' space alone."""

from dataclasses import replace

import numpy as np
import pytest

from backend_container.loading import fingerprint
from backend_container.models.appearance import weights as files
from backend_container.models.appearance.complexion import Complexion
from backend_container.models.appearance.engine import AppearanceEngine
from backend_container.models.appearance.fillers import MOST, NEAREST, Fillers
from backend_container.models.appearance.grid_textures import shares
from backend_container.models.appearance.population import Population
from backend_container.models.appearance.regions import cheeks, corners, face, head, sides
from backend_container.models.appearance.resemblance import discriminants
from backend_container.models.loader import WEIGHTS
from backend_container.models.page_growth import read_table
from backend_container.models.sampling import Growth, Page, neighbours

FLAT = Growth(first=0.6, step=0)


@pytest.fixture(scope="module")
def engine():
    return AppearanceEngine.load(WEIGHTS / "appearance")


@pytest.fixture(scope="module")
def fillers(engine):
    return Fillers.of(engine.weights.model, engine.weights.population, engine.weights.foresight)


@pytest.fixture(scope="module")
def blind(fillers):
    """The same without foresight."""
    return replace(fillers, foresight=None)


@pytest.fixture(scope="module")
def suspects(engine):
    """Components of four people who do not exist."""
    return engine.sample(3, 4)[:, : engine.space.dimension]


@pytest.fixture(scope="module")
def growth():
    return read_table(WEIGHTS / "appearance", fingerprint(WEIGHTS / "appearance")).growth


def hair_of(fillers, drawn):
    """Whose hair each wears: the person nearest in what lies high above the face, where no skin is toned."""
    far = shares(head(fillers.textures.model.mean_shape) + sides(fillers.textures.model.mean_shape)) < 0.05
    worn, people = (fillers.textures.of(latents, far) for latents in (drawn, fillers.people))
    return np.square(worn[:, None] - people[None]).sum(2).argmin(1)


def test_the_nth_of_a_page_is_the_same_however_many_are_drawn(engine, suspects):
    latent = np.pad(suspects[0], (0, engine.latent_shape[0] - engine.space.dimension))
    page = engine.neighbours(latent, Page(2, 5, 9))
    assert np.array_equal(page[:2], engine.neighbours(latent, Page(2, 2, 9)))
    assert not np.isclose(page, engine.neighbours(latent, Page(2, 5, 10))).all(axis=1).any()


def test_pages_do_not_repeat_each_other(fillers, suspects):
    pages = np.concatenate([fillers.draw(suspects[0], Page(page, 16, 4, FLAT))[0] for page in (1, 2, 3)])
    assert len(np.unique(pages.round(3), axis=0)) == 48


def test_faces_move_away_page_by_page(fillers, suspects, growth):
    far = []
    for suspect in suspects:
        own = fillers.face(suspect)
        drawn = (fillers.draw(suspect, Page(page, 16, 1, growth))[0] @ fillers.cut for page in (1, 3, 5, 8))
        far.append([np.linalg.norm(one - own @ fillers.cut, axis=1).mean() for one in drawn])
    assert (np.diff(far, axis=1) > 0).all()


def test_a_filler_on_no_page_is_one_of_the_people(fillers, suspects):
    """Not even on the farthest page, where nothing is left of the suspect."""
    drawn, people = fillers.draw(suspects[1], Page(1000, 16, 1))[0] @ fillers.cut, fillers.faces @ fillers.cut
    nearest = [np.linalg.norm(people - one, axis=1).min() for one in drawn]
    to_others = [np.sort(np.linalg.norm(people - one, axis=1))[1] for one in people[::30]]
    assert min(nearest) > 0.5 * np.median(to_others)


def test_each_of_a_page_wears_the_hair_of_another_person(fillers, suspects):
    drawn, lenders = fillers.draw(suspects[0], Page(1, 16, 5, FLAT))
    assert len(set(lenders.tolist())) == 16
    assert (hair_of(fillers, drawn) == lenders).mean() > 0.9


def test_without_foresight_a_page_is_made_of_those_who_are_most_alike(blind, suspects):
    fillers = blind
    whose = hair_of(fillers, fillers.draw(suspects[0], Page(1, NEAREST, 5, FLAT))[0])
    assert len(set(whose.tolist())) > 0.9 * NEAREST
    near = fillers.resemblance.ranks(suspects[0], fillers.face(suspects[0]))[:NEAREST]
    assert np.isin(whose, near).mean() > 0.9


def test_more_fillers_than_people_differ_too(fillers, suspects):
    drawn, _ = fillers.draw(suspects[0], Page(1, 2 * NEAREST, 5, FLAT))
    assert len(np.unique(drawn.round(3), axis=0)) == 2 * NEAREST


def test_the_people_who_look_alike_are_of_the_suspects_own_group(engine, fillers):
    """Each person is left out of what is counted."""
    groups = engine.weights.population.groups
    same = [
        (groups[fillers.resemblance.ranks(person, one)[1:25]] == group).mean()
        for person, one, group in zip(fillers.people[::45], fillers.faces[::45], groups[::45], strict=True)
    ]
    assert np.mean(same) > 3 / 8  # by chance 1 / 8


def test_nobody_with_a_turned_head_lends_hair(fillers, suspects):
    ranks = fillers.resemblance.ranks(suspects[0], fillers.face(suspects[0]))
    assert MOST < len(ranks) == fillers.resemblance.tidy.sum() < len(fillers.people)


def test_nobody_before_a_stained_wall_lends_hair(engine, fillers):
    stained = (113, 506, 773, 822, 840)
    tidy = np.flatnonzero(fillers.resemblance.tidy)
    assert not np.isin(stained, tidy).any()
    worn = engine._wearing(fillers.people, np.arange(len(fillers.people)))
    assert min(_stains(photo) for photo in engine.synthesize(worn[list(stained)])) > 0.3
    assert max(_stains(photo) for photo in engine.synthesize(worn[tidy[::90]])) < 0.1


def _stains(photo):
    """Share of grey pixels beside the neck, which are neither hair nor the wall as `backdrop.even` leaves it."""
    beside = np.concatenate([photo[60:100, :8], photo[60:100, -8:]], axis=1).min(axis=2)
    return ((beside > 115) & (beside < 215)).mean()


def test_before_a_busy_background_hair_beside_the_face_does_not_count(fillers, suspects):
    textures = fillers.textures
    behind = (1 - shares(head(textures.model.mean_shape))) * (1 - shares(sides(textures.model.mean_shape)))
    luma = np.arange(behind.size) < 64 * 64
    dark = suspects[0] + textures.components((-0.6 * behind * luma).astype(np.float32))
    assert fillers.resemblance._plain(suspects[0]) > 10 * fillers.resemblance._plain(dark)


def test_ears_and_neck_take_the_tone_of_the_face(fillers):
    """The components can show more than a third of what is asked for; the face and the background stay."""
    mean = fillers.textures.model.mean_shape
    complexion, luma = Complexion(fillers.textures), slice(0, 64 * 64)
    for person in fillers.people[[5, 300, 800]]:
        before = fillers.textures.of(person)
        change = fillers.textures.of(person + complexion.shift(before, np.float32([0.1, 0, 0])))[luma] - before[luma]
        skin = complexion._skin(before).reshape(-1) * (shares(face(mean))[luma] < 0.1)
        assert (change * skin).sum() / skin.sum() > 0.035
        assert np.abs(change[shares(cheeks(mean))[luma] > 0.9]).mean() < 0.003
        assert np.abs(change[shares(corners())[luma] > 0.9]).mean() < 0.003


def test_without_people_the_ball_has_to_do(engine):
    none = Population(*np.empty((2, 0, engine.space.dimension), np.float32), np.empty(0, np.int32))
    alone = AppearanceEngine(replace(engine.weights, population=none))
    latent = engine.sample(1, 1)[0]
    assert np.array_equal(alone.neighbours(latent, Page(2, 3, 4)), neighbours(alone.space, latent, Page(2, 3, 4)))
    assert not np.isclose(alone.neighbours(latent, Page(2, 3, 4)), engine.neighbours(latent, Page(2, 3, 4))).all()


def test_weights_of_two_people_are_enough(engine):
    two = engine.weights.population
    few = Population(two.faces[:2], two.hair[:2], np.int32([0, 0]))
    drawn = Fillers.of(engine.weights.model, few).draw(two.faces[5], Page(3, 4, 0))[0]
    assert len(np.unique(drawn.round(3), axis=0)) == 2
    assert np.isfinite(drawn).all()


def test_shipped_weights_without_people_load():
    assert not len(files.load(WEIGHTS / "appearance-ccby").population.faces)


def test_discriminants_tell_groups_apart():
    groups = np.repeat(np.arange(3, dtype=np.int32), 40)
    faces = np.random.default_rng(0).standard_normal((120, 6)).astype(np.float32)
    faces[:, 1] += 3 * groups
    found = faces @ discriminants(faces, groups)
    assert found.shape == (120, 2)
    centres = np.stack([found[groups == group].mean(0) for group in range(3)])
    assert (np.square(found[:, None] - centres[None]).sum(2).argmin(1) == groups).mean() > 0.9


@pytest.mark.parametrize(
    ("page", "count", "seed", "reason"),
    [(0, 1, 0, "page must be 1 or more"), (1, 0, 0, "count must be 1 or more"), (1, 1, -1, "seed must be 0 or more")],
)
def test_bad_input_is_named(engine, page, count, seed, reason):
    with pytest.raises(ValueError, match=reason):
        engine.neighbours(engine.mean, Page(page, count, seed))
