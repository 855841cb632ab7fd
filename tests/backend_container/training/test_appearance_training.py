"""Fitting the appearance model and training its finisher, on a tiny made-up set."""

import json
import sys
import tarfile
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from backend_container.datasets.aligned_faces import AlignedFaces, read_aligned_faces
from backend_container.models.appearance import mesh, weights
from backend_container.models.appearance.align import SIZE, WHITE
from backend_container.models.detector import FaceDetector
from backend_container.models.engine import ModelError
from backend_container.models.loader import WEIGHTS, load_engine
from backend_container.training import (
    appearance,
    appearance_faces,
    appearance_foresight,
    appearance_grain,
    appearance_pairs,
    appearance_sheet,
    finisher,
)
from backend_container.training.appearance import Recipe
from backend_container.training.appearance_matte import BACKGROUND_LOST, cut_out, matte

RECIPE = Recipe(shape_components=3, texture_components=8)
PEOPLE = 12


@pytest.fixture(scope="module")
def aligned():
    """Renders of the shipped model as if they were photos, with landmarks of a random shape each."""
    model = weights.load(WEIGHTS / "appearance").model
    latents = 0.7 * np.random.default_rng(0).standard_normal((PEOPLE, model.dimension)).astype(np.float32)
    latents[:, model.components :] = 0
    points = np.full((PEOPLE, 468, 2), SIZE / 2, np.float32)
    shapes = latents[:, : model.components] @ model.loadings[:, : len(model.shape_basis)] @ model.shape_basis
    points[:, list(mesh.LANDMARKS)] = (model.mean_shape + shapes.reshape(PEOPLE, -1, 2))[:, : len(mesh.LANDMARKS)]
    frames = np.stack([(model.render(latent) * 255).astype(np.uint8) for latent in latents])
    labels = [
        {"file": f"{n}.png", "id": f"person-{n}", "eth": "some", "gender": "male" if n % 3 else "female"}
        for n in range(PEOPLE)
    ]
    return AlignedFaces(frames, points, labels)


@pytest.fixture(scope="module")
def faces(aligned):
    return appearance_faces.prepare(aligned, synthetic=False)


@pytest.fixture(scope="module")
def flat(faces):
    return appearance.warped(faces)


@pytest.fixture(scope="module")
def fitted(flat):
    return appearance.fit(flat, RECIPE)


@pytest.fixture(scope="module")
def on_disk(aligned, tmp_path_factory):
    directory = tmp_path_factory.mktemp("set")
    with tarfile.open(directory / "made_up.tar", "w") as tar:
        for label, frame in zip(aligned.labels, aligned.frames, strict=True):
            cv2.imwrite(str(directory / label["file"]), frame[..., ::-1])
            tar.add(directory / label["file"], arcname=f"made_up/{label['file']}")
    (directory / "made_up.json").write_text(json.dumps(aligned.labels))
    np.savez(directory / "made_up_mesh468.npz", p=aligned.points)
    return directory


# the set


def test_a_set_is_read_as_it_was_written(on_disk, aligned):
    read = read_aligned_faces(on_disk, "made_up")
    assert np.array_equal(read.frames, aligned.frames)
    np.testing.assert_allclose(read.points, aligned.points)
    assert read.people == [f"person-{n}" for n in range(PEOPLE)]


def test_files_that_do_not_belong_together_are_refused(on_disk, tmp_path):
    for name in ("made_up.tar", "made_up_mesh468.npz"):
        (tmp_path / name).write_bytes((on_disk / name).read_bytes())
    (tmp_path / "made_up.json").write_text(json.dumps([{"file": "another.png", "id": "x"}]))
    with pytest.raises(ValueError, match=r"images absent: \['another\.png'\]"):
        read_aligned_faces(tmp_path, "made_up")


# the faces


def test_groups_count_alike_however_many_they_are(faces):
    assert Counter(faces.groups) == {"some, female": 4, "some, male": 8}
    assert faces.weights.sum() == pytest.approx(1)
    many = appearance_faces.join([faces.take(np.zeros(200, np.intp)), faces.take(np.ones(100, np.intp))])
    assert many.weights[:200].sum() == pytest.approx(0.5)


def test_people_held_out_are_not_fitted(faces, monkeypatch):
    monkeypatch.setattr(appearance_faces, "HELD_OUT", 2)
    kept, held = appearance_faces.balanced(replace(faces, synthetic=np.ones(PEOPLE, np.bool_)))
    assert sorted(held.groups) == ["some, female"] * 2 + ["some, male"] * 2
    assert sorted(kept.people + held.people) == sorted(faces.people)


def test_no_real_person_is_held_out_and_a_large_group_is_cut(faces, monkeypatch):
    monkeypatch.setattr(appearance_faces, "MOST", 3)
    kept, held = appearance_faces.balanced(faces)
    assert Counter(kept.groups) == {"some, female": 3, "some, male": 3}
    assert held.people == []


def portrait(hair):
    """A head of skin colour with hair before a grey wall, and its landmarks."""
    points = np.full((468, 2), 64, np.float32)
    turn = np.linspace(0, 2 * np.pi, len(mesh.OVAL), endpoint=False)
    points[list(mesh.OVAL)] = np.stack([64 + 30 * np.sin(turn), 70 - 38 * np.cos(turn)], axis=1)
    frame = np.full((SIZE, SIZE, 3), (120, 120, 125), np.uint8)
    cv2.ellipse(frame, (64, 62), (42, 50), 0, 0, 360, hair, -1)
    cv2.ellipse(frame, (64, 70), (30, 38), 0, 0, 360, (190, 140, 120), -1)
    noise = np.random.default_rng(0).integers(-4, 5, frame.shape)
    return np.clip(frame.astype(int) + noise, 0, 255).astype(np.uint8), points


def test_a_head_with_its_hair_is_cut_out_of_a_wall():
    frame, points = portrait(hair=(40, 25, 20))
    alpha, lost = matte(frame, points)
    assert lost < BACKGROUND_LOST
    cut = cut_out(frame, alpha, WHITE)
    np.testing.assert_allclose(cut[4, 4], WHITE, atol=1)
    assert np.abs(cut[20, 64].astype(int) - frame[20, 64]).max() <= 3  # hair
    assert np.abs(cut[70, 64].astype(int) - frame[70, 64]).max() <= 3  # skin


def test_a_synthetic_face_that_cannot_be_cut_out_is_left_out_and_a_real_one_stays_as_it_is(aligned, monkeypatch):
    monkeypatch.setattr(appearance_faces, "matte", lambda frame, _: (np.zeros(frame.shape[:2], np.float32), 1.0))
    one = AlignedFaces(aligned.frames[:1], aligned.points[:1], aligned.labels[:1])
    kept = appearance_faces.prepare(one, synthetic=False)
    even = appearance_faces.untint(appearance_faces.whiten(one.frames[0]), one.points[0])
    assert np.array_equal(kept.images[0], even)
    two = AlignedFaces(aligned.frames[:2], aligned.points[:2], aligned.labels[:2])
    lost = iter([0.0, 1.0])
    monkeypatch.setattr(appearance_faces, "ThreadPoolExecutor", InOrder)
    monkeypatch.setattr(appearance_faces, "matte", lambda frame, _: (np.ones(frame.shape[:2], np.float32), next(lost)))
    assert appearance_faces.prepare(two, synthetic=True).people == ["person-0"]


class InOrder:
    """An executor that is none."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    map = staticmethod(map)


def test_skin_tinted_by_lamps_is_paled_and_other_skin_is_not(aligned):
    points = aligned.points[0]
    natural, tinted = (
        np.full((SIZE, SIZE, 3), (200, 160, 150), np.uint8),
        np.full((SIZE, SIZE, 3), (220, 130, 110), np.uint8),
    )
    assert np.array_equal(appearance_faces.untint(natural, points), natural)
    paled = appearance_faces.untint(tinted, points)[0, 0].astype(float)
    assert (paled.max() - paled.min()) / paled.max() < 0.8 * (220 - 110) / 220
    assert paled @ appearance_faces.LUMINANCE == pytest.approx(
        np.array([220, 130, 110]) @ appearance_faces.LUMINANCE, abs=1
    )


# the appearance model


def test_a_mirrored_shape_is_a_face_again_and_twice_mirrored_the_same(faces):
    once = appearance.mirrored(faces.vertices)
    both = np.concatenate([faces.vertices, once])
    np.testing.assert_allclose(appearance.mirrored(both)[PEOPLE:], faces.vertices, atol=1e-4)
    # a landmark stays close to its counterpart's usual place: faces are symmetric but for chance
    np.testing.assert_allclose(once.mean(0), faces.vertices.mean(0), atol=4)


def test_components_are_symmetric_or_antisymmetric(flat, fitted):
    model = fitted.model
    mirror = appearance.planes.mirrored(model.texture_basis)
    same = [np.abs(sign * mirror - model.texture_basis).max(1) for sign in (1, -1)]
    assert np.minimum(*same).max() < 1e-4 * np.abs(model.texture_basis).max()
    assert 0 < fitted.lopsided.sum() < model.components


def test_the_data_spread_as_the_recipe_says(flat, fitted):
    """A latent's unit: 0.8 of the data's deviation along symmetric components, 0.4 along the others."""
    spread = np.sqrt(flat.weights @ np.square(fitted.latents))
    wanted = np.where(fitted.lopsided, 1 / 0.4, 1 / 0.8)
    np.testing.assert_allclose(spread[:6], wanted[:6], rtol=0.02)


def test_the_fitted_model_reconstructs_better_than_the_mean(faces, fitted):
    images = faces.images / np.float32(255)
    renders = np.stack(
        [fitted.model.render(fitted.model.encode(i, v)) for i, v in zip(images, faces.vertices, strict=True)]
    )
    error, baseline = np.abs(renders - images).mean(), np.abs(images.mean(0) - images).mean()
    assert error < 0.7 * baseline


def test_too_many_components_are_refused(flat):
    with pytest.raises(ValueError, match="do not vary in 30 ways; add faces"):
        appearance.fit(flat, Recipe(shape_components=30, texture_components=3))


def test_random_faces_are_of_synthetic_people_alone(faces, fitted):
    assert len(appearance.population(fitted, faces).faces) == 0
    mixed = replace(faces, synthetic=np.arange(PEOPLE) >= 4)
    people = appearance.population(fitted, mixed, members=2)
    assert people.groups.tolist() == [0, 0, 1, 1]
    whole = (people.faces + people.hair)[:, ~fitted.lopsided]
    found = np.abs(whole[:, None] - fitted.latents[None][:, :, ~fitted.lopsided]).max(2)
    assert set(found.argmin(1).tolist()) <= set(range(4, PEOPLE))
    assert found.min(1).max() < 1e-3


def test_the_command_writes_weights_that_load(on_disk, tmp_path):
    arguments = ["--data", str(on_disk), "--sets", "made_up", "--out", str(tmp_path)]
    appearance.main([*arguments, "--shape-components", "3", "--texture-components", "8"])
    assert weights.load(tmp_path).model.components == 11


@pytest.mark.parametrize("command", [appearance, finisher, appearance_grain, appearance_foresight])
def test_what_is_missing_is_told_in_a_sentence(command, tmp_path):
    """Of photos, or of weights."""
    words = {"--data": tmp_path / "none", "--out": tmp_path / "out", "--checkpoint": tmp_path / "checkpoint"}
    known = {appearance_foresight: ["--out"], finisher: list(words)}.get(command, ["--data", "--out"])
    with pytest.raises(SystemExit, match=str(tmp_path)):
        command.main([str(word) for name in known for word in (name, words[name])])


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
    assert sorted(np.concatenate([fold.rows for fold in folds])) == list(range(PEOPLE))
    for fold, known in zip(folds, fitted, strict=True):
        assert not any(flat.textures[row].tobytes() in known for row in fold.rows)


def test_details_bring_people_left_out_closer_to_their_photos(folds, detail, faces):
    assert (detail.deviations > 0).all()
    pairs = appearance_pairs.left_out_pairs(folds, detail, faces)
    plain, detailed = (np.abs(r.astype(float) - pairs.photos).mean() for r in (pairs.plain, pairs.detailed))
    assert detailed < 0.95 * plain


def test_renders_of_nobody_are_of_the_seed(fitted, flat, faces):
    people = appearance.population(fitted, replace(faces, synthetic=np.ones(PEOPLE, np.bool_)))
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
    before, after = finisher.held_out_l1(trained, lessons.pairs)
    assert before == pytest.approx(0.3, abs=0.01)
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


def test_the_sheet_shows_random_faces_and_pairs():
    engine = load_engine("appearance")
    image = appearance_sheet.sheet(engine, FaceDetector(), seed=1, rows=1)
    assert image.shape == (2 * SIZE, 8 * SIZE, 3)
    faces, pairs = (np.split(row.astype(float), 8, axis=1) for row in np.split(image, 2))
    assert np.array_equal(pairs[0], faces[0])
    assert np.abs(pairs[1] - faces[0]).mean() < np.abs(faces[1] - faces[0]).mean()
