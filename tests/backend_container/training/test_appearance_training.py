"""Fitting the appearance model and training its finisher, on a tiny made-up set."""

import json
import sys
import tarfile

import cv2
import numpy as np
import pytest
import torch

from backend_container.datasets.aligned_faces import AlignedFaces, read_aligned_faces
from backend_container.models.appearance import mesh, weights
from backend_container.models.appearance.align import SIZE
from backend_container.models.detector import FaceDetector
from backend_container.models.loader import WEIGHTS, load_engine
from backend_container.training import appearance, appearance_sheet, finisher
from backend_container.training.appearance import Recipe

RECIPE = Recipe(shape_components=3, texture_components=8)
PEOPLE = 12


@pytest.fixture(scope="module")
def aligned():
    """Renders of the shipped model as if they were photos, with landmarks of a random shape each."""
    model = weights.load(WEIGHTS / "appearance").model
    latents = np.random.default_rng(0).standard_normal((PEOPLE, model.dimension)).astype(np.float32)
    points = np.full((PEOPLE, 468, 2), SIZE / 2, np.float32)
    shapes = latents @ model.loadings[:, : len(model.shape_basis)] @ model.shape_basis
    points[:, list(mesh.LANDMARKS)] = (model.mean_shape + shapes.reshape(PEOPLE, -1, 2))[:, : len(mesh.LANDMARKS)]
    frames = np.stack([(model.render(latent) * 255).astype(np.uint8) for latent in latents])
    return AlignedFaces(frames, points, [{"file": f"{n}.png", "id": f"person-{n}"} for n in range(PEOPLE)])


@pytest.fixture(scope="module")
def faces(aligned):
    return appearance.prepare(aligned)


@pytest.fixture(scope="module")
def model(faces):
    return appearance.fit(faces, RECIPE)


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


# the appearance model


def test_every_face_is_followed_by_its_mirror_image(faces):
    assert faces.images.shape == (2 * PEOPLE, SIZE, SIZE, 3)
    assert np.array_equal(faces.images[1::2], faces.images[::2, :, ::-1])


def test_a_mirrored_shape_is_a_face_again_and_twice_mirrored_the_same(faces):
    shapes = faces.vertices[::2]
    np.testing.assert_allclose(appearance.mirrored(faces.vertices)[1::2], shapes, atol=1e-4)
    # a landmark stays close to its counterpart's usual place: the mean shape is symmetric
    np.testing.assert_allclose(faces.vertices[1::2].mean(0), shapes.mean(0), atol=1.5)


def test_components_are_symmetric_or_antisymmetric(faces, model):
    latents = np.stack([model.encode(i, v) for i, v in zip(faces.images, faces.vertices, strict=True)])
    agreement = (latents[0::2] * latents[1::2]).sum(0) / np.square(latents).sum(0) * 2
    assert np.abs(agreement[:6]).min() > 0.9


def test_the_data_spread_as_the_recipe_says(faces):
    """A latent's unit is what random faces vary by: 0.8 of the data along symmetric components."""
    model = appearance.fit(faces, Recipe(3, 8, symmetric=0.8, antisymmetric=0.4, noise=1e-6))
    latents = np.stack([model.encode(i, v) for i, v in zip(faces.images, faces.vertices, strict=True)])
    spread = latents.std(0)[:5]
    nearest = np.minimum(np.abs(spread - 1 / 0.8), np.abs(spread - 1 / 0.4))
    assert nearest.max() < 0.15


def test_the_fitted_model_reconstructs_better_than_the_mean(faces, model):
    renders = np.stack([model.render(model.encode(i, v)) for i, v in zip(faces.images, faces.vertices, strict=True)])
    error, baseline = np.abs(renders - faces.images).mean(), np.abs(faces.images.mean(0) - faces.images).mean()
    assert error < 0.7 * baseline


def test_too_many_components_are_refused(faces):
    with pytest.raises(ValueError, match="do not vary in 30 ways; add faces"):
        appearance.fit(faces, Recipe(shape_components=30, texture_components=3))


def test_skin_tinted_by_lamps_is_paled_and_other_skin_is_not(aligned):
    points = aligned.points[0]
    natural, tinted = (
        np.full((SIZE, SIZE, 3), (200, 160, 150), np.uint8),
        np.full((SIZE, SIZE, 3), (220, 130, 110), np.uint8),
    )
    assert np.array_equal(appearance.untint(natural, points), natural)
    paled = appearance.untint(tinted, points)[0, 0].astype(float)
    assert (paled.max() - paled.min()) / paled.max() < 0.8 * (220 - 110) / 220
    assert paled @ appearance.LUMINANCE == pytest.approx(np.array([220, 130, 110]) @ appearance.LUMINANCE, abs=1)


def test_the_command_writes_weights_that_load(on_disk, tmp_path, monkeypatch):
    arguments = ["--data", str(on_disk), "--set", "made_up", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["x", *arguments, "--shape-components", "3", "--texture-components", "8"])
    appearance.main()
    assert weights.load(tmp_path).model.dimension == 11


# the finisher


def simple_features(images):
    return [torch.nn.functional.avg_pool2d(images, 2), torch.nn.functional.avg_pool2d(images, 4)]


@pytest.fixture(scope="module")
def pairs():
    """Photos that are their renders but darker: there is something to learn."""
    renders = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.4
    return finisher.Pairs(renders, renders - 0.3)


PLAN = finisher.Plan(images=240, batch=4, rate=4e-3, ema=0.9)


def test_training_brings_renders_closer_to_photos(pairs, tmp_path):
    before, after = finisher.held_out_l1(finisher.train(pairs, simple_features, PLAN, tmp_path / "c.pt", (4, 8)), pairs)
    assert before == pytest.approx(0.3, abs=1e-3)
    assert after < 0.6 * before


def test_a_resumed_training_ends_as_an_unbroken_one(pairs, tmp_path):
    short, long = (finisher.Plan(images=images, batch=4) for images in (12, 24))
    finisher.train(pairs, simple_features, short, tmp_path / "broken.pt", (4, 8))
    resumed = finisher.train(pairs, simple_features, long, tmp_path / "broken.pt", (4, 8))
    unbroken = finisher.train(pairs, simple_features, long, tmp_path / "unbroken.pt", (4, 8))
    other = unbroken.state_dict()
    assert all(torch.equal(tensor, other[name]) for name, tensor in resumed.state_dict().items())
    assert resumed.leave.weight.abs().max() > 0


def test_no_model_has_seen_the_person_it_renders(faces, monkeypatch):
    """Each fold's fit gets none of the images that it then renders."""
    people = [f"person-{n // 2}" for n in range(2 * PEOPLE)]
    fitted = []

    def spy(chosen, recipe):
        fitted.append({image.tobytes() for image in chosen.images})
        return real(chosen, recipe)

    real = finisher.fit
    monkeypatch.setattr(finisher, "fit", spy)
    pairs = finisher.left_out_pairs(faces, people, Recipe(2, 4), folds=3)
    assert [len(images) for images in fitted] == [2 * PEOPLE - 2 * PEOPLE // 3] * 3
    seen_by = [sum(image.tobytes() in images for images in fitted) for image in faces.images]
    assert seen_by == [2] * (2 * PEOPLE)
    assert torch.equal(pairs.photos, torch.from_numpy(faces.images).permute(0, 3, 1, 2))
    assert (pairs.renders - pairs.photos).abs().mean() > 0.005


def test_the_distance_of_features_is_relative_and_zero_for_the_same_image():
    one, other = torch.full((1, 3, 8, 8), 0.3), torch.full((1, 3, 8, 8), 0.2)
    assert finisher.feature_distance(simple_features, one, one).item() == 0
    assert finisher.feature_distance(simple_features, one, other).item() == pytest.approx(0.5, abs=1e-4)


def test_training_without_its_own_parts_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(SystemExit, match="pip install --no-deps efficientnet-lite-pytorch"):
        finisher.lite0_features()


def test_the_command_replaces_the_finisher_alone(on_disk, tmp_path, monkeypatch, model):
    out = tmp_path / "weights"
    untrained = finisher.Finisher(finisher.WIDTHS)
    weights.save(out, weights.Weights(model, untrained, finisher.WIDTHS))
    before = (out / weights.MODEL).read_bytes()
    monkeypatch.setattr(finisher, "lite0_features", lambda: simple_features)
    arguments = ["--data", str(on_disk), "--set", "made_up", "--out", str(out), "--checkpoint", str(tmp_path / "c.pt")]
    monkeypatch.setattr(sys, "argv", ["x", *arguments, "--images", "8", "--hold-out", "6", "--threads", "1"])
    finisher.main()
    assert (out / weights.MODEL).read_bytes() == before
    assert weights.load(out).finisher.leave.weight.abs().max() > 0


def test_faces_held_out_are_all_of_a_person(pairs):
    people = [f"person-{n // 2}" for n in range(8)]
    training, held = finisher._split(pairs, people, every=2)
    assert torch.equal(training.renders, pairs.renders[[2, 3, 6, 7]])
    assert torch.equal(held.renders, pairs.renders[[0, 1, 4, 5]])
    assert len(finisher._split(pairs, people, every=0)[0].renders) == 8


def test_the_sheet_shows_random_faces_and_pairs():
    engine = load_engine("appearance")
    image = appearance_sheet.sheet(engine, FaceDetector(), seed=1, rows=1)
    assert image.shape == (2 * SIZE, 8 * SIZE, 3)
    faces, pairs = (np.split(row.astype(float), 8, axis=1) for row in np.split(image, 2))
    assert np.array_equal(pairs[0], faces[0])
    assert np.abs(pairs[1] - faces[0]).mean() < np.abs(faces[1] - faces[0]).mean()
