import numpy as np
import pytest
import torch
from torch import nn

from backend_container.models.stylegan2.config import EncoderConfig, NetworkConfig
from backend_container.models.stylegan2.encoder import Encoder, pyramid_levels

SMALL = EncoderConfig(width=8, pyramid=8)
P3, P4, P5 = 0, 1, 2


def network(resolution=128):
    return NetworkConfig(resolution=resolution, latent=16, channel_base=512, channel_max=8)


class LeafBackbone(nn.Module):
    """Features that are tensors of their own, so that gradients tell what each style was made from."""

    channels = (3, 4, 5)

    def __init__(self):
        super().__init__()
        self.features = [
            torch.randn(1, c, size, size, requires_grad=True) for c, size in zip((3, 4, 5), (16, 8, 4), strict=True)
        ]

    def forward(self, photos):
        return tuple(self.features)


@pytest.fixture(autouse=True)
def _same_random_numbers():
    torch.manual_seed(0)


def test_three_styles_take_p5_three_p4_and_the_rest_p3():
    assert pyramid_levels(12) == (P5,) * 3 + (P4,) * 3 + (P3,) * 6
    assert pyramid_levels(10) == (P5,) * 3 + (P4,) * 3 + (P3,) * 4
    assert pyramid_levels(14) == (P5,) * 3 + (P4,) * 3 + (P3,) * 8


@pytest.mark.parametrize("style", range(12))
def test_each_style_sees_its_level_and_those_above(style):
    backbone = LeafBackbone()
    encoder = Encoder(network(), SMALL, backbone)
    # Not the sum of squares: normalisation holds it at a constant.
    encoder(torch.zeros(1, 3, 128, 128))[:, style, 0].sum().backward()
    seen = [c.grad is not None and bool(c.grad.any()) for c in backbone.features]
    level = pyramid_levels(12)[style]
    assert seen == [index >= level for index in (P3, P4, P5)]


@pytest.mark.parametrize("resolution", [64, 128, 256])
def test_w_plus_of_every_resolution(resolution):
    config = network(resolution)
    with torch.no_grad():
        latents = Encoder(config, SMALL)(torch.randn(2, 3, resolution, resolution))
    assert latents.shape == (2, *config.latent_shape)


def test_each_w_starts_normalised_around_the_average():
    encoder = Encoder(network(), SMALL)
    photos = torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        np.testing.assert_allclose(encoder(photos).square().mean(-1), 1, rtol=1e-4)
        encoder.average.normal_()
        torch.nn.init.constant_(encoder.scale, 0.5)
        np.testing.assert_allclose((encoder(photos) - encoder.average).square().mean(-1), 0.25, rtol=1e-4)


def test_gradients_reach_every_parameter():
    encoder = Encoder(network(), SMALL)
    target = torch.randn(12, 16)
    (encoder(torch.randn(2, 3, 128, 128)) - target).square().mean().backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_few_steps_bring_it_to_its_target():
    encoder = Encoder(network(64), SMALL)
    photos, target = torch.randn(2, 3, 64, 64), torch.randn(2, 10, 16)
    optimiser = torch.optim.Adam(encoder.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        loss = (encoder(photos) - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_one_photo_is_encoded_as_in_company():
    encoder = Encoder(network(), SMALL).train()
    photos = torch.randn(3, 3, 128, 128)
    with torch.no_grad():
        torch.testing.assert_close(encoder(photos)[1], encoder(photos[1:2])[0], atol=1e-5, rtol=1e-4)


def test_photos_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"must be \[16, 8, 4\] pixels wide, not \[8, 4, 2\]"):
        Encoder(network(), SMALL)(torch.zeros(1, 3, 64, 64))


def test_an_unknown_backbone_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="no backbone 'vgg'; choose one of: lite0, residual"):
        Encoder(network(), EncoderConfig(backbone="vgg"))


def test_a_backbone_must_say_its_channels():
    with pytest.raises(ValueError, match="Identity needs `channels`"):
        Encoder(network(), SMALL, nn.Identity())


def test_a_width_that_groups_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="multiple of 8"):
        EncoderConfig(width=12)
