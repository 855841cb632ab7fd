"""The StyleGAN2 engine; what holds for every engine stands in test_engine_contract.py."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from backend_container.models.engine import ModelError
from backend_container.models.stylegan2.config import NetworkConfig
from backend_container.models.stylegan2.engine import StyleGAN2Engine
from backend_container.models.stylegan2.frozen import FrozenSynthesis
from backend_container.models.stylegan2.generator import Generator


@pytest.fixture(autouse=True)
def _same_random_numbers():
    torch.manual_seed(0)


def test_no_truncation_left_gives_the_mean_face(stylegan2_weights):
    engine = StyleGAN2Engine(replace(stylegan2_weights, truncation=0.0))
    assert np.array_equal(engine.sample(3, 1)[0], engine.mean)


def test_stored_noise_reaches_the_photo(stylegan2_weights):
    engine = StyleGAN2Engine(stylegan2_weights)
    photo = engine.synthesize(engine.mean[None])
    for block in stylegan2_weights.generator.synthesis.blocks:
        for conv in block.convs:
            conv.constant_noise.neg_()
    other = StyleGAN2Engine(stylegan2_weights)
    assert not np.array_equal(other.synthesize(engine.mean[None]), photo)


@torch.no_grad()
def lively_generator(channels):
    """Small, and with biases and noise that a new network has not."""
    generator = Generator(NetworkConfig(channel_base=64 * channels, channel_max=channels, mapping_layers=1)).eval()
    for name, parameter in generator.named_parameters():
        if name.endswith(("bias", "noise_strength")):
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return generator


@pytest.mark.parametrize("channels", [8, 48])
@pytest.mark.parametrize("takes", [True, False], ids=["onednn", "no-onednn"])
def test_the_engines_synthesis_is_the_networks(monkeypatch, channels, takes):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: takes)
    synthesis = lively_generator(channels).synthesis
    frozen = FrozenSynthesis(synthesis)
    with torch.no_grad():
        for latents in torch.randn(3, *synthesis.latent_shape):
            expected = synthesis(latents[None])[0]
            torch.testing.assert_close(frozen(latents), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", [nn.Parameter, torch.Tensor], ids=["parameters", "buffers"])
def test_the_engines_synthesis_stays_as_the_network_was(kind):
    synthesis = lively_generator(8).synthesis
    frozen = FrozenSynthesis(synthesis)
    latents = torch.randn(synthesis.latent_shape)
    image = frozen(latents)
    for tensor in synthesis.state_dict(keep_vars=True).values():
        if type(tensor) is kind:
            tensor.data.neg_()
    assert not torch.equal(FrozenSynthesis(synthesis)(latents), image)
    assert torch.equal(frozen(latents), image)


def test_the_photo_is_the_generators_image_in_bytes(stylegan2_weights):
    engine = StyleGAN2Engine(stylegan2_weights)
    latents = engine.sample(1, 1)
    with torch.no_grad():
        image = stylegan2_weights.generator.synthesis(torch.from_numpy(latents))[0].permute(1, 2, 0).numpy()
    photo = engine.synthesize(latents)[0].astype(float)
    inside = np.abs(image) < 1
    assert 0.05 < inside.mean() < 1, "both clipped and unclipped values are needed"
    np.testing.assert_allclose(photo[inside], (image[inside] + 1) * 127.5, atol=0.51)
    assert set(photo[image > 1]) == {255}
    assert set(photo[image < -1]) == {0}


def test_latents_that_are_not_finite_are_refused(stylegan2_weights):
    engine = StyleGAN2Engine(stylegan2_weights)
    with pytest.raises(ValueError, match="finite"):
        engine.synthesize(engine.sample(0, 1) * np.float32(np.nan))


@pytest.mark.parametrize("device", ["cuda:99", "meta"])
def test_an_unusable_device_is_named(stylegan2_weights, device):
    with pytest.raises(ModelError, match=f"'{device}'") as caught:
        StyleGAN2Engine(stylegan2_weights, device)
    assert caught.value.slug == "device-missing"
