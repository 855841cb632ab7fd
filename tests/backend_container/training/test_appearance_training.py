"""Fitting the appearance model, on a tiny made-up set."""

import json
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest

from backend_container.datasets.aligned_faces import AlignedFaces, read_aligned_faces
from backend_container.models.appearance import mesh, weights
from backend_container.models.appearance.align import SIZE, WHITE
from backend_container.models.detector import FaceDetector
from backend_container.models.loader import load_engine
from backend_container.training import (
    appearance,
    appearance_faces,
    appearance_foresight,
    appearance_grain,
    appearance_sheet,
    finisher,
)
from backend_container.training.appearance import Recipe
from backend_container.training.appearance_matte import BACKGROUND_LOST, cut_out, matte

# the set


def test_a_set_is_read_as_it_was_written(on_disk, aligned):
    read = read_aligned_faces(on_disk, "made_up")
    assert np.array_equal(read.frames, aligned.frames)
    np.testing.assert_allclose(read.points, aligned.points)
    assert read.people == [f"person-{n}" for n in range(len(aligned.labels))]


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
    kept, held = appearance_faces.balanced(replace(faces, synthetic=np.ones(len(faces.people), np.bool_)))
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
    np.testing.assert_allclose(appearance.mirrored(both)[len(once) :], faces.vertices, atol=1e-4)
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
    mixed = replace(faces, synthetic=np.arange(len(faces.people)) >= 4)
    people = appearance.population(fitted, mixed, members=2)
    assert people.groups.tolist() == [0, 0, 1, 1]
    whole = (people.faces + people.hair)[:, ~fitted.lopsided]
    found = np.abs(whole[:, None] - fitted.latents[None][:, :, ~fitted.lopsided]).max(2)
    assert set(found.argmin(1).tolist()) <= set(range(4, len(faces.people)))
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


def test_the_sheet_shows_random_faces_and_pairs():
    engine = load_engine("appearance")
    image = appearance_sheet.sheet(engine, FaceDetector(), seed=1, rows=1)
    assert image.shape == (2 * SIZE, 8 * SIZE, 3)
    faces, pairs = (np.split(row.astype(float), 8, axis=1) for row in np.split(image, 2))
    assert np.array_equal(pairs[0], faces[0])
    assert np.abs(pairs[1] - faces[0]).mean() < np.abs(faces[1] - faces[0]).mean()
