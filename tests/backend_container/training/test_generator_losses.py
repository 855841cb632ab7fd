"""Penalties against what calculus says, and what keeps the generator."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from backend_container.models.stylegan2.config import NetworkConfig
from backend_container.models.stylegan2.discriminator import Discriminator
from backend_container.models.stylegan2.generator import Generator
from backend_container.training.generator import average, codes, losses
from backend_container.training.generator.adaptation import Adaptation

TINY = NetworkConfig(resolution=64, latent=8, channel_base=128, channel_max=4, mapping_layers=1)


def test_r1_of_a_linear_judge_is_its_weights_square():
    weight, images = torch.randn(3, 8, 8), torch.randn(5, 3, 8, 8, requires_grad=True)
    logits = (images * weight).sum(dim=(1, 2, 3))
    assert losses.r1_penalty(logits, images).item() == pytest.approx(weight.square().sum().item(), rel=1e-5)


def test_r1_is_the_slope_that_differences_find():
    torch.manual_seed(0)
    judge = Discriminator(TINY).double()
    images = torch.randn(1, 3, 64, 64, dtype=torch.double)
    wanted = images.clone().requires_grad_()
    length = losses.r1_penalty(judge(wanted), wanted).sqrt().item()
    (uphill,) = torch.autograd.grad(judge(wanted).sum(), wanted)
    step = 1e-5 * uphill / uphill.norm()
    with torch.no_grad():
        slope = (judge(images + step) - judge(images - step)).item() / 2e-5
    assert slope == pytest.approx(length, rel=1e-4)


def test_r1_can_be_learnt_from():
    """Its gradient in a weight, against differences: second derivatives flow."""
    torch.manual_seed(0)
    judge, images = Discriminator(TINY).double(), torch.randn(2, 3, 64, 64, dtype=torch.double)
    weight = judge.blocks[0].first.weight

    def penalty() -> torch.Tensor:
        seen = images.clone().requires_grad_()
        return losses.r1_penalty(judge(seen), seen)

    penalty().backward()
    analytic = weight.grad[0, 0, 0, 0].item()
    values = []
    for change in (1e-5, -1e-5):
        with torch.no_grad():
            weight[0, 0, 0, 0] += change
        values.append(penalty().item())
        with torch.no_grad():
            weight[0, 0, 0, 0] -= change
    assert analytic == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-3)


def test_path_lengths_of_a_linear_generator_are_those_of_its_rows():
    """For images = A w of orthonormal A, |J^T y| is |A^T y|: with one layer the penalty's own formula."""
    matrix = torch.linalg.qr(torch.randn(3 * 4 * 4, 8)).Q
    w, directions = torch.randn(6, 1, 8, requires_grad=True), torch.randn(6, 3, 4, 4)
    images = (w[:, 0] @ matrix.T).reshape(6, 3, 4, 4)
    found = losses.path_lengths(images, w, directions)
    wanted = (directions.reshape(6, -1) @ matrix).norm(dim=1) / 4
    torch.testing.assert_close(found, wanted)


def test_path_lengths_are_what_differences_find():
    torch.manual_seed(0)
    config = TINY.model_copy(update={"latent": 2})
    generator = Generator(config).double()
    styles = torch.randn(1, *config.latent_shape, dtype=torch.double, requires_grad=True)
    directions = torch.randn(1, 3, 64, 64, dtype=torch.double)
    length = losses.path_lengths(generator.synthesis(styles), styles, directions).item()

    def projected(at: torch.Tensor) -> float:
        return (generator.synthesis(at) * directions).sum().item() / 64

    slopes = torch.zeros(config.latent_shape, dtype=torch.double)
    with torch.no_grad():
        for layer in range(config.latent_shape[0]):
            for number in range(config.latent):
                step = torch.zeros_like(styles)
                step[0, layer, number] = 1e-5
                slopes[layer, number] = (projected(styles + step) - projected(styles - step)) / 2e-5
    assert length == pytest.approx(slopes.square().sum(1).mean().sqrt().item(), rel=1e-4)


def test_losses_at_certainty():
    sure, wrong = torch.full((4,), 20.0), torch.full((4,), -20.0)
    assert losses.discriminator_loss(sure, wrong).item() == pytest.approx(0, abs=1e-6)
    assert losses.generator_loss(wrong).item() == pytest.approx(20, rel=1e-5)
    assert losses.discriminator_loss(torch.zeros(2), torch.zeros(2)).item() == pytest.approx(2 * math.log(2))


class TestAdaptation:
    def test_p_rises_while_the_judge_is_too_sure(self):
        moved = Adaptation(target=0.6, images=1000).moved(0.9, seen=100)
        assert moved.p == pytest.approx(0.1)
        assert moved.moved(0.1, seen=50).p == pytest.approx(0.05)

    def test_p_stays_between_0_and_1(self):
        assert Adaptation(0.6, 10).moved(1, seen=1000).p == 1
        assert Adaptation(0.6, 10).moved(-1, seen=1000).p == 0


class TestAverage:
    def test_half_is_forgotten_in_a_half_life(self):
        assert average.decay(images=100, seen=10**9, half_life=100, ramp=0) == pytest.approx(0.5)

    def test_the_first_step_forgets_all(self):
        assert average.decay(images=8, seen=0, half_life=10_000, ramp=0.05) == 0

    def test_it_follows(self):
        slow, fast = nn.Linear(2, 1), nn.Linear(2, 1)
        wanted = (0.75 * slow.weight + 0.25 * fast.weight).detach()
        average.follow(slow.requires_grad_(False), fast, keep=0.75)
        torch.testing.assert_close(slow.weight, wanted)


class TestCodes:
    def test_styles_of_the_second_take_over_at_their_layer(self):
        generator = Generator(TINY)
        drawn = codes.draw(50, TINY.latent_shape, 0.9, torch.Generator().manual_seed(0))
        styles, first = codes.latents(generator, drawn)
        second = generator.mapping(drawn.z[1])
        for image, layer in enumerate(drawn.takeover.tolist()):
            torch.testing.assert_close(styles[image, :layer], first[image].expand(layer, -1))
            torch.testing.assert_close(styles[image, layer:], second[image].expand(len(styles[image]) - layer, -1))
        mixed = sum(layer < TINY.latent_shape[0] for layer in drawn.takeover.tolist())
        assert 35 < mixed <= 50

    def test_shares_make_up_the_whole(self):
        drawn = codes.draw(6, TINY.latent_shape, 0.9, torch.Generator().manual_seed(0))
        shares = [drawn.share(rank, 2, torch.device("cpu")) for rank in range(2)]
        assert torch.equal(torch.stack([share.z for share in shares], dim=2).flatten(1, 2), drawn.z)
