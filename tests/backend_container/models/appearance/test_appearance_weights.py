"""The engine's weight files."""

import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as format_tensors

from backend_container.models.appearance import weights as files
from backend_container.models.appearance.finisher import fixed_noise
from backend_container.models.engine import ModelError
from backend_container.models.loader import WEIGHTS


@pytest.fixture
def saved(tiny, tmp_path):
    files.save(tmp_path, tiny)
    return tmp_path


def test_weights_survive_a_round_trip_but_for_the_rounding(tiny, saved):
    loaded = files.load(saved)
    assert loaded.widths == tiny.widths
    for name in ("mean_shape", "triangles", "shape_basis", "loadings"):
        assert np.array_equal(getattr(loaded.model, name), getattr(tiny.model, name)), name
    assert np.array_equal(loaded.model.detail.frequencies, tiny.model.detail.frequencies)
    assert np.array_equal(loaded.population.draw(0, 3), tiny.population.draw(0, 3))
    latent = np.float32([1, -1, 1, -1, 1, 1, -1])
    assert np.abs(loaded.model.render(latent) - tiny.model.render(latent)).max() < 0.01
    renders = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        before, after = (w.finisher(renders, fixed_noise(32, 32)) for w in (tiny, loaded))
    assert torch.allclose(before, after, atol=0.05)


def test_large_tensors_are_int8_with_a_scale_per_row(saved):
    tensors = parse_tensors((saved / files.MODEL).read_bytes())
    assert tensors["texture_basis"].dtype == np.int8
    assert tensors["texture_basis.scale"].shape == (3,)
    assert np.abs(tensors["texture_basis"]).max() == 127


def test_the_shipped_weights_are_small(shipped):
    directory = WEIGHTS / "appearance"
    assert sum(path.stat().st_size for path in directory.iterdir()) <= 12.5 * 10**6
    assert shipped.model.components == 368


def slug_of(directory):
    with pytest.raises(ModelError) as caught:
        files.load(directory)
    return caught.value.slug, caught.value.detail


@pytest.mark.parametrize("name", [files.CONFIG, files.MODEL, files.FINISHER])
def test_a_missing_file_is_named(saved, name):
    (saved / name).unlink()
    slug, detail = slug_of(saved)
    assert slug == "weights-missing"
    assert name in detail


@pytest.mark.parametrize("name", [files.MODEL, files.FINISHER])
def test_a_truncated_file_is_damaged(saved, name):
    blob = (saved / name).read_bytes()
    (saved / name).write_bytes(blob[: len(blob) // 2])
    slug, detail = slug_of(saved)
    assert slug == "weights-damaged"
    assert name in detail


def replace_file(directory, name, blob):
    """Write a file, and its sha256 into config.json, as if it had been saved like that."""
    (directory / name).write_bytes(blob)
    edit_config(directory, lambda config: config["files"].update({name: hashlib.sha256(blob).hexdigest()}))


def edit_config(directory, change):
    config = json.loads((directory / files.CONFIG).read_text())
    change(config)
    (directory / files.CONFIG).write_text(json.dumps(config))


def edit_model(directory, change):
    tensors = parse_tensors((directory / files.MODEL).read_bytes())
    change(tensors)
    replace_file(directory, files.MODEL, format_tensors(tensors))


def test_a_file_that_is_no_safetensors_is_damaged(saved):
    replace_file(saved, files.MODEL, b"not tensors at all")
    assert slug_of(saved)[0] == "weights-damaged"


def test_numbers_that_are_not_finite_are_damage(saved):
    edit_model(saved, lambda t: t.update({"texture_basis.scale": np.float32([1, np.nan, 1])}))
    slug, detail = slug_of(saved)
    assert slug == "weights-damaged"
    assert "not finite" in detail


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda t: t.pop("loadings"), "loadings: absent"),
        (lambda t: t.update(loadings=np.eye(4, dtype=np.float32)), "loadings: (4, 4)"),
        (lambda t: t.update(more=np.zeros(3, np.float32)), "more: (3,)"),
        (lambda t: t.pop("texture_basis.scale"), "texture_basis is int8 without a scale"),
        (lambda t: t.update(triangles=t["triangles"] + 1000), "triangles are not numbers"),
        (lambda t: t.update(frequencies=-t["frequencies"]), "frequencies of 0 or more"),
        (lambda t: t.update(deviations=0 * t["deviations"]), "deviations above zero"),
        (lambda t: t.update(groups=np.int32([0, 0, 0, 1])), "groups 0, 1, ... of two or more"),
        (lambda t: t.update(groups=np.float32([0, 0, 1, 1])), "groups 0, 1, ... of two or more"),
    ],
)
def test_tensors_that_do_not_fit_are_named(saved, change, complaint):
    edit_model(saved, change)
    slug, detail = slug_of(saved)
    assert slug == "weights-mismatch"
    assert complaint in detail


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.update(format="ligan-appearance-1"),
        lambda c: c.update(noise=-1),
        lambda c: c.pop("vertices"),
        lambda c: c.update(finisher_widths=[8, 8]),
        lambda c: c.update(finisher_widths=[8, -8]),
        lambda c: c.update(finisher_widths=[10**8, 10**8]),
    ],
)
def test_a_config_of_another_format_is_a_mismatch(saved, change):
    edit_config(saved, change)
    assert slug_of(saved)[0] == "weights-mismatch"


def test_a_config_that_is_no_json_is_a_mismatch(saved):
    (saved / files.CONFIG).write_text("{")
    assert slug_of(saved)[0] == "weights-mismatch"
