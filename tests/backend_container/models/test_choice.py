"""Which of many possible fillers make a page; on made-up identities, and on the people of the package's weights."""

from dataclasses import replace

import numpy as np
import pytest

from backend_container.models.appearance import weights as files
from backend_container.models.appearance.casting import share, unchosen
from backend_container.models.appearance.choice import Choice, other_age, other_gender
from backend_container.models.appearance.engine import AppearanceEngine
from backend_container.models.appearance.fillers import Fillers
from backend_container.models.appearance.foresight import Foresight, numbers
from backend_container.models.engine import ModelError
from backend_container.models.loader import WEIGHTS
from backend_container.models.looks import Looks
from backend_container.models.sampling import Growth, Page

MAN, WOMAN = 0.9, -0.9
PAGE = Growth(measured=(0.7,) * 8)


def possible(count=600, people=30, seed=0):
    random = np.random.default_rng(seed)
    seen = np.column_stack(
        [random.standard_normal((count, 5)), random.choice([MAN, WOMAN], count), random.uniform(20, 40, count)]
    ).astype(np.float32)
    return choice_of(seen, np.arange(count) % people, np.float32([0, 0, 0, 0, 0, MAN, 35]))


def choice_of(seen, lenders, suspect):
    return Choice(seen, lenders, other_age(seen, suspect) + other_gender(seen, suspect), suspect)


def far(choice, rows):
    return np.linalg.norm(choice.seen[rows, :5] - choice.suspect[:5], axis=1)


def test_pages_take_fillers_that_are_ever_farther():
    choice = possible()
    means = [far(choice, choice.of(16, radius)).mean() for radius in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)]
    assert (np.diff(means) > 0).all()


def test_the_nth_is_the_same_for_any_count():
    choice = possible()
    assert choice.of(16, 0.7)[:5].tolist() == choice.of(5, 0.7).tolist()


def test_all_are_of_the_suspects_gender_and_nearer_to_its_age_than_most():
    choice = possible()
    rows = choice.of(16, 0.7)
    assert (choice.seen[rows, -2] == np.float32(MAN)).all()
    assert np.abs(choice.seen[rows, -1] - 35).mean() < 0.8 * np.abs(choice.seen[:, -1] - 35).mean()


def test_of_a_suspect_whose_gender_is_not_told_both_are_taken():
    choice = possible()
    untold = choice_of(choice.seen, choice.lenders, np.float32([0, 0, 0, 0, 0, 0.5, 35]))
    assert set(choice.seen[untold.of(30, 0.7), -2].tolist()) == {np.float32(MAN), np.float32(WOMAN)}


def test_no_two_wear_the_same_hair_while_there_is_other():
    choice = possible()
    assert len(set(choice.lenders[choice.of(16, 0.7)].tolist())) == 16


def test_twins_are_not_both_taken():
    choice = possible(people=600)
    twins = choice_of(np.repeat(choice.seen[:300], 2, axis=0), choice.lenders, choice.suspect)
    rows = twins.of(16, 0.7)
    assert len(set((rows // 2).tolist())) == 16


def test_no_more_come_than_fit():
    assert len(possible(20).of(16, 0.7)) == 8


def test_the_other_gender_is_as_unfit_as_ten_years():
    seen, suspect = np.float32([[0, MAN, 35], [0, -1, 35], [0, 1, 25]]), np.float32([0, 1, 35])
    assert other_gender(seen, suspect).tolist() == pytest.approx([0.05, 1, 0])
    assert other_age(seen, suspect).tolist() == pytest.approx([0, 0, 1])


def test_a_pair_is_of_two_people_and_each_is_the_first_of_as_many():
    pairs = unchosen(7, 100, 1, 2)
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert np.ptp(np.bincount(pairs[:, 0])) == 1
    assert pairs.min() == 0
    assert pairs.max() == 6


def test_eight_pages_share_all_pairs_and_have_none_in_common():
    dealt = np.concatenate([share(56, 3, page) for page in range(1, 9)])
    assert len(dealt) == 56 * 55 == len({tuple(pair) for pair in dealt.tolist()})
    assert (dealt[:, 0] != dealt[:, 1]).all()
    assert np.array_equal(share(56, 3, 9), share(56, 3, 1))
    assert not np.array_equal(share(56, 4, 1), share(56, 3, 1))


def test_few_people_have_all_their_pairs_on_each_page():
    assert sorted(share(3, 0, 5).tolist()) == [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]]


def test_what_is_seen_becomes_what_is_foreseen():
    looks = Looks(np.float32([[1, 2]]), np.float32([0.9]), np.float32([33]), np.array([True]))
    assert numbers(looks)[0].tolist() == pytest.approx([1, 2, 0.8, 33])


# with the weights that belong to the package


@pytest.fixture(scope="module")
def engine():
    return AppearanceEngine.load(WEIGHTS / "appearance")


@pytest.fixture(scope="module")
def suspects(engine):
    return engine.sample(3, 4)


def suspect(engine, latent, male, age):
    """What is foreseen of a latent, but for its gender and age."""
    found = engine.weights.foresight.of(latent[: engine.space.dimension])[:-2]
    return Looks(found[None], np.float32([male]), np.float32([age]), np.array([True]))


def foreseen(engine, latents):
    return engine.weights.foresight.of(latents[:, : engine.space.dimension])


def test_far_fillers_are_of_the_suspects_gender_too(engine, suspects):
    """Where nothing of its face is left."""
    plain, far = AppearanceEngine(replace(engine.weights, foresight=None)), Growth(measured=(1.0,) * 8)
    of_its = {"plain": [], "foreseeing": []}
    for latent in suspects:
        male = float(foreseen(engine, latent[None])[0, -2] > 0)
        looks = suspect(engine, latent, male, 30)
        for name, one in (("plain", plain), ("foreseeing", engine)):
            page = foreseen(engine, one.neighbours(latent, Page(4, 16, 1, far), looks))
            of_its[name] += ((page[:, -2] > 0) == male).tolist()
    assert np.mean(of_its["foreseeing"]) > 0.9
    assert np.mean(of_its["foreseeing"]) > np.mean(of_its["plain"]) + 0.1


def test_fillers_of_the_old_are_older(engine, suspects):
    for latent in suspects:
        pages = (engine.neighbours(latent, Page(2, 16, 1, PAGE), suspect(engine, latent, 0.5, age)) for age in (25, 65))
        ages = [foreseen(engine, page)[:, -1].mean() for page in pages]
        assert ages[1] > ages[0] + 4


def test_foreseen_identities_move_away_page_by_page(engine, suspects):
    growth = Growth(measured=tuple(np.linspace(0.56, 1.0, 8)))
    for latent in suspects:
        looks = suspect(engine, latent, 1, 30)
        pages = [foreseen(engine, engine.neighbours(latent, Page(page, 16, 1, growth), looks)) for page in range(1, 9)]
        means = [np.linalg.norm(page[:, :-2] - looks.identities, axis=1).mean() for page in pages]
        assert (np.diff(means) > 0).mean() > 0.8
        assert means[-1] > 1.1 * means[0]


def test_a_suspect_at_whom_nobody_looked_is_foreseen(engine, suspects):
    latent = suspects[0]
    own = foreseen(engine, latent[None])[0]
    looks = Looks(own[None, :-2], np.float32([(own[-2] + 1) / 2]), own[-1:], np.array([True]))
    blind, seeing = (engine.neighbours(latent, Page(2, 6, 1, PAGE), given) for given in (None, looks))
    assert np.allclose(blind, seeing)


def test_without_foresight_who_is_seen_changes_nothing(engine, suspects):
    plain = AppearanceEngine(replace(engine.weights, foresight=None))
    looks = suspect(engine, suspects[0], 0, 70)
    assert np.array_equal(
        plain.neighbours(suspects[0], Page(2, 6, 1, PAGE), looks), plain.neighbours(suspects[0], Page(2, 6, 1, PAGE))
    )
    assert not np.array_equal(
        plain.neighbours(suspects[0], Page(2, 6, 1, PAGE)), engine.neighbours(suspects[0], Page(2, 6, 1, PAGE))
    )


def test_more_than_are_chosen_at_once_differ_too(engine, suspects):
    drawn, _ = Fillers.of(engine.weights.model, engine.weights.population, engine.weights.foresight).draw(
        suspects[0][: engine.space.dimension], Page(1, 100, 1, PAGE)
    )
    assert len(np.unique(drawn.round(3), axis=0)) == 100


# its tensor


def test_foresight_survives_a_round_trip_but_for_the_rounding(engine, tmp_path):
    files.save(tmp_path, engine.weights)
    table = files.load(tmp_path).foresight.table
    assert np.array_equal(table, engine.weights.foresight.table)
    files.save(tmp_path, replace(engine.weights, foresight=None))
    assert files.load(tmp_path).foresight is None


def test_foresight_of_other_components_is_a_mismatch(engine, tmp_path):
    files.save(tmp_path, replace(engine.weights, foresight=Foresight(engine.weights.foresight.table[1:])))
    with pytest.raises(ModelError, match="foresight") as caught:
        files.load(tmp_path)
    assert caught.value.slug == "weights-mismatch"
