"""Fine grain that people lend; with the weights that belong to the package, and made ones."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from backend_container.models.appearance import weights as files
from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.engine import AppearanceEngine
from backend_container.models.appearance.grain import ACROSS, HIGHLIGHT, PALE, STEP, Grain
from backend_container.models.appearance.population import Population
from backend_container.models.detector import FaceDetector
from backend_container.models.engine import ModelError
from backend_container.models.loader import WEIGHTS
from backend_container.models.sampling import Page

STAY = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), axis=-1).astype(np.float32)
"""Places of pixels that do not move."""


def waves(count):
    rows, columns = np.mgrid[:SIZE, :SIZE] / SIZE
    turns = 1 + np.arange(count)[:, None, None] % 7
    return (0.1 * np.sin(2 * np.pi * turns * (rows + columns))).astype(np.float32)


def share_of(count, **shares):
    worn = np.zeros(count, np.float32)
    for person, share in shares.items():
        worn[int(person[1:])] = share
    return worn


@pytest.mark.parametrize("count", [1, 3, ACROSS, ACROSS + 1])
def test_each_one_gets_their_own_back_but_for_the_jpeg(count):
    grain = Grain.of(waves(count))
    for person in (0, count - 1):
        lent = grain.luma(share_of(count, **{f"p{person}": 1.0}))
        assert np.abs(lent - waves(count)[person]).mean() < 3 * STEP


def test_grain_adds_up_in_the_shares_in_which_it_is_worn():
    grain = Grain.of(waves(4))
    one, other = (grain.luma(share_of(4, **{person: 1.0})) for person in ("p1", "p3"))
    both = grain.luma(share_of(4, p1=0.25, p3=0.75))
    np.testing.assert_allclose(both, 0.25 * one + 0.75 * other, atol=1e-6)


def test_who_wears_nothing_stays_as_they_are():
    photo = np.full((SIZE, SIZE, 3), 0.5, np.float32)
    assert np.array_equal(Grain.of(waves(2)).on(photo, np.zeros(2, np.float32), STAY), photo)
    assert np.array_equal(Grain().on(photo, np.zeros(0, np.float32), STAY), photo)


def test_grain_draws_no_white_seams():
    """On what is bright already it can only darken; on what is dark it may be a highlight."""
    grain = Grain.of(np.full((1, SIZE, SIZE), 0.4, np.float32))
    for level, brightest in ((0.85, 0.85), (0.6, PALE), (0.1, 0.1 + HIGHLIGHT)):
        photo = np.full((SIZE, SIZE, 3), level, np.float32)
        assert grain.on(photo, np.ones(1, np.float32), STAY).max() == pytest.approx(brightest, abs=1e-5)


def test_fillers_and_random_faces_wear_the_grain_of_whose_hair_they_wear(engine):
    model, people = engine.weights.model, engine.weights.population
    random = engine.sample(4, 6)
    drawn = engine.neighbours(random[0], Page(1, 6, 2))
    for latents in (random, drawn):
        worn = latents[:, model.dimension :]
        assert worn.shape == (6, len(people.faces))
        assert (worn.sum(1) == 1).all()
        assert len(set(worn.argmax(1).tolist())) == 6
    lenders = people.lenders(4, 6)
    assert random[:, model.dimension :].argmax(1).tolist() == lenders.tolist()
    for latent, lender in zip(random[:, : model.components], lenders, strict=True):
        hair = np.square(people.hair + (people.faces - people.faces.mean(0)) - latent).sum(1)
        assert lender in hair.argsort()[:20]


def finest(photo):
    return np.abs(cv2.Laplacian(photo, cv2.CV_32F)).mean()


def test_grain_makes_faces_finer(engine):
    plain = AppearanceEngine(replace(engine.weights, grain=Grain()))
    fine, smooth = engine.synthesize(engine.sample(4, 6)), plain.synthesize(plain.sample(4, 6))
    shown = np.s_[:, 40:100, 40:88]
    detail = [np.mean([finest(face) for face in faces[shown].copy()]) for faces in (fine, smooth)]
    assert detail[0] > 1.03 * detail[1]


def test_a_photo_wears_nobodys_grain(engine):
    photo = engine.synthesize(engine.sample(4, 1))[0]
    latent = engine.encode(photo, FaceDetector().find(photo)[0])
    assert latent.shape == engine.latent_shape
    assert not latent[engine.weights.model.dimension :].any()


def test_people_whose_grain_there_is_not_lend_none(engine):
    people = engine.weights.population
    few = Population(people.faces[:8], people.hair[:8], np.repeat(np.arange(4, dtype=np.int32), 2))
    assert not AppearanceEngine(replace(engine.weights, population=few)).sample(1, 3)[:, -len(people.faces) :].any()


@pytest.fixture
def saved(tmp_path):
    weights = files.load(WEIGHTS / "appearance")
    few = Population(weights.population.faces[:4], weights.population.hair[:4], np.int32([0, 0, 1, 1]))
    files.save(tmp_path, replace(weights, population=few, grain=Grain.of(waves(4))))
    return tmp_path


def test_grain_survives_a_round_trip_to_the_bit(saved):
    assert files.load(saved).grain.picture == Grain.of(waves(4)).picture


@pytest.mark.parametrize("picture", [b"no picture at all", Grain.of(waves(ACROSS + 1)).picture])
def test_a_picture_that_is_none_or_of_others_is_a_mismatch(saved, picture):
    weights = files.load(saved)
    files.save(saved, replace(weights, grain=Grain(4, picture)))
    with pytest.raises(ModelError, match="its grain is no JPEG of 4 people") as caught:
        files.load(saved)
    assert caught.value.slug == "weights-mismatch"
