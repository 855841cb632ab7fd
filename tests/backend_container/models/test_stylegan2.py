import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from backend_container.models.stylegan2.config import WIDTHS, NetworkConfig
from backend_container.models.stylegan2.discriminator import Discriminator, minibatch_deviation
from backend_container.models.stylegan2.generator import Generator
from backend_container.models.stylegan2.layers import (
    FILTER,
    ModulatedConv2d,
    Resample,
    StyledConv2d,
    modulated,
    normalise,
)

SIZES = [
    NetworkConfig(resolution=64, latent=16, channel_base=512, channel_max=16, mapping_layers=2),
    NetworkConfig(resolution=128, latent=512, channel_base=512, channel_max=8, mapping_layers=1),
    NetworkConfig(resolution=256, latent=8, channel_base=256, channel_max=8, mapping_layers=3),
]


@pytest.fixture(autouse=True)
def _same_random_numbers():
    torch.manual_seed(0)


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


# Configuration


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ({"resolution": 100}, "must be one of"),
        ({"resolution": 512}, "must be one of"),
        ({"channel_base": 100}, "leaves no feature map"),
        ({"latent": 0}, "greater than or equal to 1"),
        ({"latent": 100_000_000}, "less than or equal to 4096"),
        ({"mapping_layers": 100_000_000}, "less than or equal to 64"),
        ({"channel_base": 10**12, "channel_max": 10**6}, "less than or equal to"),
        ({"depth": 3}, "Extra inputs"),
    ],
)
def test_sizes_that_cannot_be_built_are_refused(sizes, reason):
    with pytest.raises(ValidationError, match=reason):
        NetworkConfig(**sizes)


def test_w_plus_is_12_by_512_at_128_pixels():
    assert WIDTHS["full"].latent_shape == (12, 512)
    assert NetworkConfig(resolution=64).latent_shape == (10, 512)
    assert NetworkConfig(resolution=256).latent_shape == (14, 512)


# Sums of the layers that the authors' training script prints for configuration F at FFHQ (stylegan2-ada-pytorch; the
# log stands in its issues 181 and 182), up to the blocks of 128 pixels. Mapping: eight layers of 262 656.
PUBLISHED_GENERATOR = (
    8 * 262_656
    + (8_192 + 2_622_465 + 264_195)  # 4 pixels
    + 4 * (2 * 2_622_465 + 264_195)  # 8, 16, 32, 64
    + (1_442_561 + 721_409 + 132_099)  # 128
)
PUBLISHED_DISCRIMINATOR = (
    1_024  # RGB to 256 maps
    + (131_072 + 590_080 + 1_180_160)  # 128
    + 4 * (262_144 + 2 * 2_359_808)  # 64, 32, 16, 8
    + (2_364_416 + 4_194_816 + 513)  # 4 pixels
)


def test_the_papers_width_has_the_published_number_of_parameters():
    with torch.device("meta"):
        assert parameters(Generator(WIDTHS["paper"])) == PUBLISHED_GENERATOR == 29_328_669
        assert parameters(Discriminator(WIDTHS["paper"])) == PUBLISHED_DISCRIMINATOR == 28_389_121


def test_widths_fall_in_size():
    with torch.device("meta"):
        counts = {name: parameters(Generator(config)) for name, config in WIDTHS.items()}
    assert list(counts) == sorted(counts, key=counts.__getitem__, reverse=True)
    assert counts["full"] == 24_525_213


# Layers


def as_the_paper_has_it(x, weight, styles, demodulate, up):
    """Equations 1 and 3 as they stand: a weight of its own for each image."""
    weights = weight * styles[:, None, :, None, None]
    if demodulate:
        weights = weights / (weights.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).sqrt()
    images = zip(x[:, None], weights, strict=True)
    if up:
        return torch.cat([F.conv_transpose2d(one, own.transpose(0, 1), stride=2) for one, own in images])
    return torch.cat([F.conv2d(one, own, padding=weight.shape[-1] // 2) for one, own in images])


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("demodulate", [False, True])
@pytest.mark.parametrize("size", [1, 3])
def test_modulated_maps_are_those_of_modulated_weights(size, demodulate, up):
    x, weight, styles = torch.randn(3, 5, 8, 8), torch.randn(7, 5, size, size), torch.randn(3, 5)
    expected = as_the_paper_has_it(x, weight, styles, demodulate, up)
    assert expected.shape[1] == 7
    torch.testing.assert_close(modulated(x, weight, styles, demodulate, up), expected, atol=1e-4, rtol=1e-4)


def test_demodulation_gives_unit_variance_whatever_the_styles():
    styles = torch.randn(16, 24) * torch.logspace(-1, 2, 16)[:, None]
    out = modulated(torch.randn(16, 24, 34, 34), torch.randn(12, 24, 3, 3), styles, True, False)
    inner = out[..., 1:-1, 1:-1]  # the border lacks neighbours
    np.testing.assert_allclose(inner.var(dim=(1, 2, 3)), 1, rtol=0.1)
    np.testing.assert_allclose(inner.var(), 1, rtol=0.02)


def test_modulation_is_the_papers_equation_for_one_image():
    x, weight, styles = torch.randn(1, 4, 6, 6), torch.randn(3, 4, 3, 3), torch.randn(1, 4)
    weights = weight * styles[0][None, :, None, None]
    expected = torch.cat([F.conv2d(x, w[None] / w.norm(), padding=1) for w in weights], dim=1)
    torch.testing.assert_close(modulated(x, weight, styles, True, False), expected, atol=1e-5, rtol=1e-5)


def test_a_doubling_convolution_is_zero_insertion_then_convolution_then_filter():
    conv = ModulatedConv2d(2, 3, 3, latent=4, up=True)
    x, w = torch.randn(1, 2, 5, 5), torch.randn(1, 4)
    spread = torch.zeros(1, 2, 11, 11)
    spread[..., 1:10:2, 1:10:2] = x
    styles = conv.affine(w)[0][None, :, None, None]
    weight = conv.weight * styles
    weight = weight / weight.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()
    # A convolution in the mathematical sense: the kernel is turned.
    full = F.conv2d(F.pad(spread, (1, 1, 1, 1)), weight.flip(2, 3))
    taps = torch.tensor(FILTER, dtype=torch.float32) / 4
    kernel = taps.outer(taps).expand(3, 1, 4, 4)
    expected = F.conv2d(F.pad(full, (1, 1, 1, 1)), kernel, groups=3)
    torch.testing.assert_close(conv(x, w), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("resample", "pixels"), [(Resample((2, 1), up=2), 16), (Resample((1, 1), down=2), 4), (Resample((2, 1)), 8)]
)
def test_resampling_keeps_the_brightness(resample, pixels):
    out = resample(torch.full((2, 3, 8, 8), 0.6))
    assert out.shape == (2, 3, pixels, pixels)
    np.testing.assert_allclose(out[..., 2:-2, 2:-2], 0.6, rtol=1e-5)


def test_normalisation_gives_a_mean_square_of_one():
    np.testing.assert_allclose(normalise(torch.randn(4, 3, 50) * 20).square().mean(-1), 1, rtol=1e-4)


def test_noise_is_one_map_of_learnt_strength():
    layer = StyledConv2d(4, 4, latent=6, resolution=8)
    x, w = torch.randn(2, 4, 8, 8), torch.randn(2, 6)
    images = [layer(x, w, noise) for noise in ("none", "constant", "random")]
    assert all(torch.equal(image, images[0]) for image in images), "its strength starts at zero"
    torch.nn.init.constant_(layer.noise_strength, 0.5)
    assert torch.equal(layer(x, w, "constant"), layer(x, w, "constant"))
    assert not torch.equal(layer(x, w, "random"), layer(x, w, "random"))
    assert not torch.equal(layer(x, w, "constant"), layer(x, w, "none"))
    before = layer.conv(x, w)
    inverted = torch.where((y := layer(x, w) / 2**0.5) > 0, y, y / 0.2)
    added = (inverted - before).detach()
    torch.testing.assert_close(added, (0.5 * layer.constant_noise).expand_as(added), atol=1e-5, rtol=1e-4)


# Networks


@pytest.mark.parametrize("config", SIZES, ids=lambda config: str(config.resolution))
def test_generator_and_discriminator_fit_each_other(config):
    generator, discriminator = Generator(config), Discriminator(config)
    z = torch.randn(2, config.latent)
    assert generator.latents(z).shape == (2, *config.latent_shape)
    images = generator(z)
    assert images.shape == (2, 3, config.resolution, config.resolution)
    logits = discriminator(images)
    assert logits.shape == (2,)
    logits.sum().backward()
    without = [name for name, p in generator.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert without == []


def test_every_layer_of_w_plus_has_its_own_effect():
    config = SIZES[0]
    synthesis = Generator(config).synthesis
    latents = torch.randn(1, *config.latent_shape)
    with torch.no_grad():
        image = synthesis(latents)
        for layer in range(config.latent_shape[0]):
            changed = latents.clone()
            changed[:, layer] += 1
            assert not torch.equal(synthesis(changed), image), f"layer {layer} does nothing"


def test_w_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"takes w\+ of shape \(10, 16\), not \(12, 16\)"):
        Generator(SIZES[0]).synthesis(torch.zeros(1, 12, 16))


def test_truncation_draws_towards_the_average():
    generator = Generator(SIZES[0])
    generator.mapping.average.normal_()
    z = torch.randn(3, 16)
    with torch.no_grad():
        average = generator.broadcast(generator.mapping.average[None])
        whole, half, none = (generator.latents(z, psi) for psi in (1, 0.5, 0))
    torch.testing.assert_close(none, average.expand_as(none))
    torch.testing.assert_close(half - average, (whole - average) / 2)


@pytest.mark.parametrize(("images", "group"), [(1, 1), (4, 4), (8, 4), (6, 2)])
def test_minibatch_map_is_the_groups_mean_deviation(images, group):
    x = torch.randn(images, 3, 4, 4)
    out = minibatch_deviation(x)
    assert torch.equal(out[:, :3], x)
    for image in range(images):
        members = x[torch.arange(images) % (images // group) == image % (images // group)]
        expected = members.std(dim=0, correction=0).mean() if group > 1 else torch.tensor(1e-4)
        torch.testing.assert_close(out[image, 3], expected.expand(4, 4))
