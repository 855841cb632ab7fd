"""Augmentations: nothing at p = 0, what they say at p = 1, differentiable."""

from __future__ import annotations

import math

import pytest
import torch

from backend_container.training.generator import ada, ada_draws, affine, diffaugment
from backend_container.training.generator.ada_draws import Draws

SIZE = 16


def images(count=6):
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) * 2 - 1


def nothing(count=6):
    return Draws(
        torch.zeros(count, dtype=torch.bool),
        torch.zeros(count, dtype=torch.long),
        torch.zeros(count, 2, dtype=torch.long),
        torch.eye(3).repeat(count, 1, 1),
        torch.eye(4).repeat(count, 1, 1),
    )


def drawn(p, count=6, seed=0):
    return ada_draws.draw(count, p, SIZE, torch.Generator().manual_seed(seed))


def test_at_p_0_images_stay_as_they_are_to_the_bit():
    assert torch.equal(ada.apply(images(), drawn(0.0)), images())


def test_at_p_1_every_image_changes():
    changed = (ada.apply(images(), drawn(1.0)) - images()).abs().amax(dim=(1, 2, 3))
    assert (changed > 0.01).all()


def test_each_happens_about_as_often_as_p_says():
    many = ada_draws.draw(4000, 0.4, SIZE, torch.Generator().manual_seed(0))
    # Half of all mirrorings, a quarter of all turns are none.
    assert many.flips.float().mean().item() == pytest.approx(0.2, abs=0.03)
    assert (many.turns > 0).float().mean().item() == pytest.approx(0.3, abs=0.03)


def test_blitting_is_exact():
    flipped = ada.apply(images(), Draws(**{**vars(nothing()), "flips": torch.ones(6, dtype=torch.bool)}))
    assert torch.equal(flipped, images().flip(3))
    turned = ada.apply(images(), Draws(**{**vars(nothing()), "turns": torch.full((6,), 3)}))
    assert torch.equal(turned, images().rot90(3, (2, 3)))
    shifted = ada.apply(images(), Draws(**{**vars(nothing()), "shifts": torch.tensor([[2, -1]] * 6)}))
    assert torch.equal(shifted[:, :, :-1, 2:], images()[:, :, 1:, :-2])


def test_a_turn_by_a_matrix_is_that_of_the_pixels():
    ramp = torch.linspace(-1, 1, SIZE).expand(6, 3, SIZE, SIZE)
    turned = ada.apply(ramp, Draws(**{**vars(nothing()), "plane": affine.rotate2d(torch.full((6,), math.pi / 2))}))
    inner = slice(2, -2)
    wanted = ramp.rot90(1, (2, 3))
    torch.testing.assert_close(turned[:, :, inner, inner], wanted[:, :, inner, inner], atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (affine.rotate2d(torch.tensor([0.7])), affine.rotate2d(torch.tensor([-0.7]))),
        (
            affine.scale2d(torch.tensor([2.0]), torch.tensor([0.5])),
            affine.scale2d(torch.tensor([0.5]), torch.tensor([2.0])),
        ),
        (affine.hue(torch.tensor([1.1])), affine.hue(torch.tensor([-1.1]))),
        (affine.luma_flip(torch.ones(1)), affine.luma_flip(torch.ones(1))),
        (affine.saturation(torch.tensor([4.0])), affine.saturation(torch.tensor([0.25]))),
        (affine.brightness(torch.tensor([0.3])), affine.brightness(torch.tensor([-0.3]))),
        (affine.contrast(torch.tensor([4.0])), affine.contrast(torch.tensor([0.25]))),
        (
            affine.translate2d(torch.tensor([0.3]), torch.ones(1)),
            affine.translate2d(torch.tensor([-0.3]), -torch.ones(1)),
        ),
    ],
)
def test_every_transform_has_its_inverse(there, back):
    torch.testing.assert_close((there @ back)[0], torch.eye(there.shape[-1]), atol=1e-6, rtol=0)


def test_hue_and_saturation_leave_grey_alone():
    grey = torch.full((3, 3, SIZE, SIZE), 0.3)
    colours = affine.hue(torch.randn(3)) @ affine.saturation(torch.rand(3) * 3)
    coloured = ada.apply(grey, Draws(**{**vars(nothing(3)), "colours": colours}))
    torch.testing.assert_close(coloured, grey)


def test_gradients_reach_the_images():
    seen = images(2).double().requires_grad_()
    drawn_ = drawn(1.0, count=2, seed=5)
    assert torch.autograd.gradcheck(lambda x: ada.apply(x, drawn_).sum(dim=(1, 2, 3)), (seen,), fast_mode=True)


def test_processes_share_the_draws():
    whole, parts = ada.apply(images(), drawn(1.0)), [drawn(1.0).share(rank, 2) for rank in range(2)]
    for rank, part in enumerate(parts):
        torch.testing.assert_close(ada.apply(images()[rank::2], part), whole[rank::2])


class TestDiffAugment:
    def test_middle_draws_change_nothing_but_the_hole(self):
        draws = torch.full((6, 7), 0.5)
        draws[:, 5:] = 0
        out = diffaugment.apply(images(), draws)
        corner = slice(0, SIZE // 4)
        assert (out[:, :, corner, corner] == 0).all()
        torch.testing.assert_close(out[:, :, SIZE // 2 :], images()[:, :, SIZE // 2 :])

    def test_it_moves_by_an_eighth_at_most(self):
        draws = torch.full((6, 7), 0.5)
        draws[:, 3] = 1
        out = diffaugment.apply(images(), draws)
        assert (out[:, :, :, : SIZE // 8] == 0).all()

    def test_it_has_second_gradients(self):
        seen = images(1)[:, :, :8, :8].double().requires_grad_()
        draws = diffaugment.draw(1, torch.Generator().manual_seed(0))
        assert torch.autograd.gradgradcheck(
            lambda x: diffaugment.apply(x, draws).square().sum(), (seen,), fast_mode=True
        )
