"""The two parts of pivotal tuning: the search finds the best plausible latent, the tuning leaves neighbours alone."""

import numpy as np
import pytest
import torch

from backend_container.models.sampling import Page, neighbours
from backend_container.refine.method import Start
from backend_container.refine.moving import Moving
from backend_container.refine.pivotal import Pivotal, PivotalPlan
from backend_container.refine.search import Prior, Search, SearchPlan
from backend_container.refine.tuning import Tuning, TuningPlan
from tests.backend_container.refine.painter import LATENT, Linear, Painter


def start_of(painter, latent=None, generator=None):
    target = painter.target(latent=latent)
    return Start(painter, target, Moving(generator or painter.generator(), ("bias", "weight")), target.latent, 0)


def run(method, steps):
    shots = []
    for _ in range(steps):
        shots.append(method.shoot(0.0))
        method.step()
    return shots


def best_latent(start, prior):
    """Ridge regression: the painter is linear, all pixels count the same, and the prior is a mean square."""
    weight = start.moving.generator.weight.detach().double()
    wanted = start.target.pixels.reshape(-1).double() - start.moving.generator.bias.detach()
    count = weight.shape[1]
    normal = weight @ weight.T / count + prior / LATENT * torch.eye(LATENT)
    return torch.linalg.solve(normal, weight @ wanted / count)


@pytest.mark.parametrize("prior", [0.0, 2e-3, 0.5])
def test_the_search_finds_the_best_latent_under_the_prior(prior):
    start = start_of(Painter())
    start.moving.requires_grad(False)
    search = Search(start, SearchPlan(prior=prior))
    run(search, 25)
    np.testing.assert_allclose(search.pivot, best_latent(start, prior), atol=2e-3)


class Cliff(Linear):
    """Nothing that is a number comes back beyond it; the photo lies beyond."""

    def forward(self, latents):
        return super().forward(latents) + torch.where(latents.abs().max() > 0.4, torch.nan, 0.0)


def test_a_search_that_went_astray_is_set_back():
    painter = Painter()
    start = start_of(painter, generator=Cliff(painter.network.weight.detach(), painter.network.bias.detach()))
    start.moving.requires_grad(False)
    assert best_latent(start, 0.0).abs().max() > 0.5
    search = Search(start, SearchPlan(prior=0.0))
    shots = run(search, 25)
    assert all(np.isfinite(shot.loss) for shot in shots)
    assert search.pivot.abs().max() <= 0.4
    assert min(shot.loss for shot in shots) < 0.8 * shots[0].loss


def test_the_prior_is_one_for_a_typical_face():
    painter = Painter()
    prior = Prior(painter, torch.device("cpu"))
    faces = torch.from_numpy(painter.sample(1, 2000))
    assert torch.stack([prior.mean_square(face) for face in faces]).mean().item() == pytest.approx(1, abs=0.1)
    assert prior.mean_square(torch.zeros(LATENT)).item() == 0


def changed(locality):
    """How much neighbours' pictures change, and the photo's error, after a tuning around the same pivot."""
    painter = Painter()
    start = start_of(painter, latent=np.full(LATENT, 0.5, np.float32))
    pivot = torch.from_numpy(start.latent)
    shots = run(Tuning(start, TuningPlan(rate=1e-3, locality=locality, every=1), pivot), 60)
    around = torch.from_numpy(neighbours(painter.space, start.latent, Page(4, 20, 1)))
    with torch.no_grad():
        change = (start.moving.generator(around) - painter.network(around)).square().mean().item()
    return change, shots[-1].loss / shots[0].loss


def test_locality_keeps_the_neighbours_as_they_were():
    free, held = changed(0.0), changed(5.0)
    assert held[0] < 0.5 * free[0]
    assert free[1] < 1
    assert held[1] < 1


def test_the_latent_moves_first_and_then_the_weights_around_the_best_latent():
    start = start_of(Painter())
    method = Pivotal(start, PivotalPlan(pivot_share=0.5))
    begun = start.moving.copy()
    shots = []
    for share in np.linspace(0, 0.49, 20):
        shots.append(method.shoot(float(share)))
        method.step()
    assert all(torch.equal(begun[name], tensor) for name, tensor in start.moving.copy().items())
    tuned = method.shoot(0.5)
    method.step()
    assert any(torch.equal(tuned.latent, shot.latent) for shot in shots)
    assert not torch.equal(method.shoot(0.6).image, tuned.image)
    assert torch.equal(method.shoot(0.6).latent, tuned.latent)
