"""The finisher as an engine runs it, beside the network that was trained."""

import pytest
import torch
import torch.nn.functional as F

from backend_container.models.appearance.finisher import Finisher, fixed_noise
from backend_container.models.appearance.frozen_finisher import FrozenFinisher, enlarging

SIDE = 32


def lively_finisher():
    """One whose last layer and biases are not 0, as training leaves them."""
    finisher = Finisher((8, 12, 20)).requires_grad_(False)
    for parameter in finisher.parameters():
        parameter.add_(torch.randn_like(parameter) / 8)
    return finisher


@pytest.mark.parametrize("takes", [True, False], ids=["onednn", "no-onednn"])
def test_the_engines_finisher_is_the_networks(monkeypatch, takes):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: takes)
    torch.manual_seed(1)
    finisher, noise = lively_finisher(), fixed_noise(SIDE, SIDE)
    frozen = FrozenFinisher(finisher, SIDE)
    for render in torch.rand(3, 3, SIDE, SIDE):
        expected = finisher(render[None], noise)
        assert expected.std() > 0.1, "not all black or white"
        torch.testing.assert_close(frozen(render[None], noise), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("takes", [True, False], ids=["onednn", "no-onednn"])
def test_it_stays_as_the_network_was(monkeypatch, takes):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: takes)
    finisher, noise, render = lively_finisher(), fixed_noise(SIDE, SIDE), torch.rand(1, 3, SIDE, SIDE)
    frozen = FrozenFinisher(finisher, SIDE)
    before = frozen(render, noise)
    for parameter in finisher.parameters():
        parameter.mul_(2)
    assert torch.equal(frozen(render, noise), before)


def test_convolving_before_enlarging_is_convolving_after_it():
    weight, x = torch.randn(5, 3, 3, 3, dtype=torch.float64), torch.randn(2, 3, 6, 7, dtype=torch.float64)
    after = F.conv2d(F.interpolate(x, scale_factor=2.0, mode="nearest"), weight, padding=1)
    torch.testing.assert_close(F.conv_transpose2d(x, enlarging(weight), stride=2, padding=1), after)
