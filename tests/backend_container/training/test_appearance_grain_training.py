"""Grain, taken from photos of the people whom a model was fitted to; on a tiny made-up set."""

import numpy as np
import pytest

from backend_container.models.appearance import weights
from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.finisher import Finisher
from backend_container.models.loader import WEIGHTS
from backend_container.training import appearance, appearance_grain
from backend_container.training.appearance import Recipe
from backend_container.training.appearance_faces import Faces

PEOPLE = 10
WIDTHS = (4, 6)


@pytest.fixture(scope="module")
def faces():
    """Renders of the shipped model, each with its own fine stripes; the first two are real people's."""
    model = weights.load(WEIGHTS / "appearance").model
    latents = 0.7 * np.random.default_rng(0).standard_normal((PEOPLE, model.dimension)).astype(np.float32)
    latents[:, model.components :] = 0
    stripes = [12 * np.sin(np.arange(SIZE) * (1.2 + 0.15 * n))[None, :, None] for n in range(PEOPLE)]
    images = np.stack([model.render(latent) * 255 for latent in latents]) + np.stack(stripes)
    return Faces(
        np.clip(images, 0, 255).astype(np.uint8),
        np.stack([model.vertices(latent) for latent in latents]),
        [f"person-{n}" for n in range(PEOPLE)],
        ["some, male" if n % 2 else "some, female" for n in range(PEOPLE)],
        np.arange(PEOPLE) >= 2,
    )


@pytest.fixture(scope="module")
def fitted(faces):
    made = appearance.fit(appearance.warped(faces), Recipe(shape_components=3, texture_components=7))
    return weights.Weights(made.model, appearance.population(made, faces), Finisher(WIDTHS).eval(), WIDTHS)


def rows_in(fitted, faces):
    """Rows of the faces in which the weights' people are found."""
    synthetic = np.flatnonzero(faces.synthetic)
    return synthetic[appearance_grain.rows_of(fitted, appearance.warped(faces).textures[synthetic])]


def test_each_of_the_people_is_found_among_the_faces(fitted, faces):
    rows = rows_in(fitted, faces)
    assert len(set(rows.tolist())) == len(rows) == len(fitted.population.faces)
    assert [faces.groups[row] for row in rows] == sorted(faces.groups[row] for row in rows)


def test_people_lend_what_the_engine_leaves_of_their_own_photo(fitted, faces):
    lending = appearance_grain.with_grain(fitted, faces)
    assert lending.grain.count == len(fitted.population.faces)
    rows = rows_in(fitted, faces)
    middle = np.s_[56:88, 48:80]
    pitches = [pitch_of(grey[middle].astype(float) - 128) for grey in lending.grain.grey]
    wanted = [pitch_of(faces.images[row].astype(float).mean(2)[middle]) for row in rows]
    assert np.corrcoef(pitches, wanted)[0, 1] > 0.9


def pitch_of(pixels):
    """The strongest of the fine frequencies across."""
    power = np.abs(np.fft.rfft(pixels - pixels.mean(1, keepdims=True), n=256, axis=1)).sum(0)
    power[:40] = 0
    return int(power.argmax())


def test_grain_is_fine(fitted, faces):
    """It says nothing of a face's light or colour: its mean over a square is near nothing."""
    grey = appearance_grain.with_grain(fitted, faces).grain.grey.astype(float) - 128
    blocks = grey[:, 48:96, 40:88].reshape(len(grey), 4, 12, 4, 12).mean((2, 4))
    assert np.abs(blocks).mean() < 0.2 * np.abs(grey[:, 48:96, 40:88]).mean()


def test_the_command_lets_the_weights_people_lend(fitted, faces, tmp_path, monkeypatch):
    weights.save(tmp_path, fitted)
    monkeypatch.setattr(appearance_grain, "read_faces", lambda directory, sets: (faces, faces))
    appearance_grain.main(["--data", str(tmp_path), "--sets", "made_up", "--out", str(tmp_path)])
    lending = weights.load(tmp_path)
    assert lending.grain.count == len(lending.population.faces) == 8 - 2
