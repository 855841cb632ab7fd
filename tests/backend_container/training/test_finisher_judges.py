"""The finisher's judge, on made-up feature maps."""

import pytest
import torch

from backend_container.training.finisher_judges import Head, MapJudge, believed, told_apart

SMALL = [(3, 8), (5, 4)]
"""Channels and side of each map."""


def maps(mean, count=8, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return [mean + torch.randn(count, channels, side, side, generator=stream) for channels, side in SMALL]


def test_the_judge_learns_to_tell_maps_apart():
    torch.manual_seed(0)
    judge = MapJudge((3, 5))
    optimiser = torch.optim.Adam(judge.parameters(), 1e-2)
    losses = []
    for step in range(60):
        photos, finished = maps(0.5, seed=2 * step), maps(-0.5, seed=2 * step + 1)
        judge.observe(photos)
        loss = told_apart(judge(photos), judge(finished))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(2, abs=0.3)
    assert losses[-1] < 0.5
    judge.eval()
    assert believed(judge(maps(0.5))) < believed(judge(maps(-0.5)))


def test_who_sees_nothing_has_a_loss_of_two():
    nothing = [torch.zeros(2, 1, 4, 4)]
    assert told_apart(nothing, nothing).item() == 2
    assert believed(nothing).item() == 0


def test_statistics_begin_with_the_first_photos_and_follow_slowly():
    head = Head(3)
    first, later = 5 + 2 * torch.randn(64, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    head.observe(first)
    torch.testing.assert_close(head.mean, first.mean((0, 2, 3)))
    torch.testing.assert_close(head.variance, first.var((0, 2, 3), correction=0))
    for _ in range(200):
        head.observe(first)
    before = head.mean.clone()
    head.observe(later)
    torch.testing.assert_close(head.mean, 0.99 * before)
