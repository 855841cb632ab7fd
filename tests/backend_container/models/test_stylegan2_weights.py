"""StyleGAN2's weight files: saved, loaded, harmed, forged, missing."""

import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save as format_tensors

from backend_container.models.engine import ModelError
from backend_container.models.stylegan2 import weights as files
from backend_container.models.stylegan2.engine import StyleGAN2Engine


def test_saved_weights_load_to_the_byte(stylegan2_weights, tmp_path):
    files.save(tmp_path, stylegan2_weights)
    loaded = files.load(tmp_path)
    assert (loaded.network, loaded.encoder_config, loaded.truncation) == (
        stylegan2_weights.network,
        stylegan2_weights.encoder_config,
        stylegan2_weights.truncation,
    )
    for part in ("generator", "encoder"):
        before, after = (getattr(weights, part).state_dict() for weights in (stylegan2_weights, loaded))
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before)
    assert np.array_equal(loaded.pca.components, stylegan2_weights.pca.components)


def test_half_the_bits_take_half_the_room_and_give_nearly_the_same_image(stylegan2_weights, tmp_path):
    files.save(tmp_path / "whole", stylegan2_weights)
    files.save(tmp_path / "half", stylegan2_weights, half=True)
    engines = [StyleGAN2Engine.load(tmp_path / name, "cpu") for name in ("whole", "half")]
    sizes = [sum(path.stat().st_size for path in (tmp_path / name).glob("*.safetensors")) for name in ("whole", "half")]
    assert sizes[1] < 0.65 * sizes[0]
    whole, half = (engine.synthesize(engines[0].sample(0, 1)).astype(int) for engine in engines)
    assert np.abs(whole - half).mean() < 2


def test_numbers_that_16_bits_cannot_hold_are_not_saved(stylegan2_weights, tmp_path):
    torch.nn.init.constant_(stylegan2_weights.generator.synthesis.start, 1e6)
    with pytest.raises(ValueError, match=r"not finite as 16 bit floats: synthesis\.start"):
        files.save(tmp_path, stylegan2_weights, half=True)
    assert list(tmp_path.iterdir()) == []


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path):
    blob = bytearray(path.read_bytes())
    blob[-50] ^= 1
    path.write_bytes(blob)


@pytest.mark.parametrize("file", files.FILES)
@pytest.mark.parametrize("harm", [truncate, flip])
def test_harm_to_a_file_is_found(stylegan2_weights, tmp_path, file, harm):
    files.save(tmp_path, stylegan2_weights)
    harm(tmp_path / file)
    with pytest.raises(ModelError, match=f"{file} .* is damaged: its .* bytes are not those") as caught:
        files.load(tmp_path)
    assert caught.value.slug == "weights-damaged"


@pytest.mark.parametrize("file", [files.CONFIG, *files.FILES])
def test_a_missing_file_is_named_with_what_to_do(stylegan2_weights, tmp_path, file):
    files.save(tmp_path, stylegan2_weights)
    (tmp_path / file).unlink()
    with pytest.raises(ModelError, match=f"{file} is not there. Train or import") as caught:
        files.load(tmp_path)
    assert caught.value.slug == "weights-missing"


def test_a_missing_directory_is_missing_weights(tmp_path):
    with pytest.raises(ModelError, match="no stylegan2 weights") as caught:
        StyleGAN2Engine.load(tmp_path / "nowhere", "cpu")
    assert caught.value.slug == "weights-missing"


def forge(directory, file, blob):
    """Replace a file together with its sum, as a mistaken export would."""
    (directory / file).write_bytes(blob)
    manifest = json.loads((directory / files.CONFIG).read_text())
    manifest["files"][file] = hashlib.sha256(blob).hexdigest()
    (directory / files.CONFIG).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("blob", "slug", "reason"),
    [
        (b"\x80\x02}q\x00.", "weights-damaged", "cannot be read as safetensors"),
        (format_tensors({"a": np.array([np.inf], np.float32)}), "weights-damaged", "not finite floats"),
        (format_tensors({"a": np.array([1])}), "weights-damaged", "not finite floats"),
        (format_tensors({"a": np.ones(1, np.float32)}), "weights-mismatch", "tensors differ, the first a: "),
    ],
    ids=["pickle", "infinite", "integers", "others"],
)
def test_a_file_that_is_not_the_networks_is_refused(stylegan2_weights, tmp_path, blob, slug, reason):
    files.save(tmp_path, stylegan2_weights)
    forge(tmp_path, "generator.safetensors", blob)
    with pytest.raises(ModelError, match=reason) as caught:
        files.load(tmp_path)
    assert caught.value.slug == slug


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": 2}, "format: Input should be 1"),
        ({"truncation": 3}, "truncation: Input should be less"),
        ({"network": {"resolution": 100}}, "resolution must be one of"),
        ({"network": {"resolution": 64, "latent": 16, "channel_base": 512, "channel_max": 8}}, "tensors differ"),
        ({"encoder": {"backbone": "other"}}, "no backbone 'other'"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(stylegan2_weights, tmp_path, change, reason):
    files.save(tmp_path, stylegan2_weights)
    config = tmp_path / files.CONFIG
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    with pytest.raises(ModelError, match=reason) as caught:
        files.load(tmp_path)
    assert caught.value.slug == "weights-mismatch"


def test_a_config_cut_off_is_refused(stylegan2_weights, tmp_path):
    files.save(tmp_path, stylegan2_weights)
    truncate(tmp_path / files.CONFIG)
    with pytest.raises(ModelError, match=r"config\.json .* is not one that this version reads"):
        files.load(tmp_path)


def test_a_subspace_of_another_latent_shape_is_refused(stylegan2_weights, tmp_path):
    files.save(tmp_path, stylegan2_weights)
    tensors = {"mean": np.zeros(3), "components": np.eye(3)[:2], "deviations": np.ones(2)}
    forge(tmp_path, "pca.safetensors", format_tensors(tensors))
    with pytest.raises(ModelError, match=r"latents \(3,\); these networks have \(10, 16\)"):
        files.load(tmp_path)
