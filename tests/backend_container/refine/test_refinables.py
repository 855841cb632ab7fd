"""Both engines' refinables keep the promises of `Refinable`; the engines render what the refinement saw."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from backend_container.models.engine import FaceBox, ModelError
from backend_container.models.loader import load_engine
from backend_container.models.stylegan2.engine import StyleGAN2Engine
from backend_container.refine.engine import RefinedEngine
from backend_container.refine.moving import choose
from backend_container.refine.refinable import refinable_of
from backend_container.refine.refine import METHODS, MOST_NUMBERS, refine
from backend_container.refine.refined import MAX_BYTES, RefinedWeights, Story
from backend_container.refine.target import picture
from tests.backend_container.models.conftest import random_weights

ENGINES = ("appearance", "stylegan2")
FACE = FaceBox(24, 24, 104, 112, 1.0)


@pytest.fixture(scope="module")
def engines():
    return {"appearance": load_engine("appearance"), "stylegan2": StyleGAN2Engine(random_weights())}


@pytest.fixture(params=ENGINES)
def engine(request, engines):
    return engines[request.param]


@pytest.fixture
def photo(engines):
    """One that each engine can read: the appearance model's average face, with a mole."""
    appearance = engines["appearance"]
    pixels = appearance.synthesize(appearance.mean[np.newaxis])[0]
    pixels[70:78, 40:48] = 30
    return pixels


def few_steps(engine, photo, method="pivotal", steps=4):
    """The clock counts steps: a pivotal run tunes weights in its last half."""
    refinable = refinable_of(engine)
    target = refinable.target(photo, FACE)
    looks = iter(range(10**6))
    return refine(refinable, target, method, deadline=10.0 * steps, now=lambda: next(looks), seed=3)


def test_the_generator_renders_what_the_engine_does(engine):
    latents = engine.sample(5, 2)
    with torch.no_grad():
        images = refinable_of(engine).generator()(torch.from_numpy(latents))
    rendered = np.stack([picture(image) for image in images])
    off = np.abs(rendered.astype(int) - engine.synthesize(latents))
    assert np.quantile(off, 0.999) <= 3
    assert off.mean() < 0.2


def test_gradients_reach_the_latent_and_every_group(engine):
    refinable = refinable_of(engine)
    generator = refinable.generator()
    latent = torch.from_numpy(engine.sample(1, 1)).requires_grad_()
    generator(latent).square().sum().backward()
    assert latent.grad.abs().sum() > 0
    moving = dict(generator.named_parameters())
    for names in refinable.groups.values():
        assert any(moving[name].grad is not None and moving[name].grad.abs().sum() > 0 for name in names)


def test_the_latents_gradient_is_that_of_the_picture(engine):
    """Central difference along one direction, in double precision."""
    generator = refinable_of(engine).generator().double()
    face = engine.space.lift(engine.space.project(0.5 * engine.sample(2, 1)))  # without grain, as a photo's is
    latent = torch.from_numpy(face).double().requires_grad_()
    weights = torch.randn(generator(latent).shape, generator=torch.Generator().manual_seed(0)).double()
    weights = torch.nn.functional.avg_pool2d(weights, 9, 1, 4)  # smooth: a triangle's edge that moves is a jump

    def value(at):
        return (generator(at) * weights).mean()

    direction = torch.randn(latent.shape, generator=torch.Generator().manual_seed(1)).double()
    value(latent).backward()
    moving = latent.grad != 0  # whose grain a face wears has no gradient
    assert moving.double().mean() > 0.5
    direction = direction * moving
    slope = (latent.grad * direction).sum().item()
    with torch.no_grad():
        measured = (value(latent + 1e-4 * direction) - value(latent - 1e-4 * direction)).item() / 2e-4
    assert slope == pytest.approx(measured, rel=0.05, abs=1e-5)


def test_the_encoder_begins_at_the_engines_own_latent(engine, photo):
    refinable = refinable_of(engine)
    target = refinable.target(photo, FACE)
    with torch.no_grad():
        latents = refinable.encoder(target)(target.pixels)
    np.testing.assert_allclose(latents[0].numpy(), target.latent, atol=1e-4)
    np.testing.assert_allclose(target.latent, engine.encode(photo, FACE), atol=1e-4)


def test_the_mask_is_the_face(engine, photo):
    mask = refinable_of(engine).target(photo, FACE).mask[0, 0].numpy()
    size = engine.resolution
    assert mask.shape == (size, size)
    assert mask[size // 2, size // 2] > 0.95
    assert mask[0, 0] < 0.05
    assert mask[0, -1] < 0.05
    assert 0 <= mask.min() <= mask.max() <= 1


def test_what_lies_beyond_the_photo_does_not_count(engine, photo):
    """A face at the photo's upper border: what the frame shows above it was made up."""
    mask = refinable_of(engine).target(photo[34:], replace(FACE, top=0, bottom=78)).mask[0, 0]
    size = engine.resolution
    assert mask[: size // 16].max() == 0
    assert mask[size // 2, size // 2] > 0.95


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_few_steps_render_the_photo_better(engine, photo, method):
    before = engine.synthesize(engine.mean[np.newaxis])
    refined = few_steps(engine, photo, method)
    assert refined.better
    np.testing.assert_array_equal(before, engine.synthesize(engine.mean[np.newaxis]))
    data = refined.weights.encode()
    assert len(data) <= MAX_BYTES
    renderer = RefinedEngine(engine, RefinedWeights.decode(data))
    again = renderer.synthesize(renderer.pivot[np.newaxis])[0]
    assert np.quantile(np.abs(again.astype(int) - refined.image), 0.999) <= 3
    assert renderer.space is engine.space
    assert renderer.latent_shape == engine.latent_shape


def test_refined_weights_change_the_neighbours_pictures_only_through_the_delta(engine, photo):
    refined = few_steps(engine, photo, steps=12)
    assert refined.weights.delta
    renderer, latents = RefinedEngine(engine, refined.weights), engine.sample(9, 1)
    assert (renderer.synthesize(latents) != engine.synthesize(latents)).any()
    without = RefinedEngine(engine, replace(refined.weights, delta={}))
    np.testing.assert_array_equal(without.synthesize(latents), engine.synthesize(latents))


def test_the_shipped_engines_delta_fits_into_a_checkpoint(engines):
    refinable = refinable_of(engines["appearance"])
    sizes = {name: parameter.numel() for name, parameter in refinable.generator().named_parameters()}
    assert sum(sizes.values()) <= MOST_NUMBERS
    assert set(choose(refinable.groups, sizes, MOST_NUMBERS)) == {
        name for names in refinable.groups.values() for name in names
    }


def test_the_first_groups_that_fit_are_chosen():
    groups, sizes = {"a": ("x",), "b": ("y", "z"), "c": ("v",)}, {"x": 5, "y": 3, "z": 3, "v": 1}
    assert choose(groups, sizes, 11) == ("x", "y", "z")
    assert choose(groups, sizes, 10) == ("x",)
    assert choose(groups, sizes, 4) == ()


def weights_of(engine, **story):
    said = {"engine": engine.name, "method": "pivotal", "began_at": 1.0, "loss": 0.5, **story}
    return RefinedWeights(Story(**said), engine.mean, {})


def test_bytes_and_back(engine):
    weights = replace(weights_of(engine), delta={"a.b": np.arange(6, dtype=np.float16).reshape(2, 3)})
    again = RefinedWeights.decode(weights.encode())
    assert again.story == weights.story
    np.testing.assert_array_equal(again.delta["a.b"], weights.delta["a.b"])
    assert again.encode() == weights.encode()
    assert again.fingerprint() == weights.fingerprint()
    assert replace(weights, delta={}).fingerprint() != weights.fingerprint()


def test_weights_of_another_engine_are_refused(engines):
    with pytest.raises(ModelError, match="belong to another engine"):
        RefinedEngine(engines["appearance"], weights_of(engines["stylegan2"]))
    with pytest.raises(ModelError, match="other weights of it"):
        RefinedEngine(engines["appearance"], weights_of(engines["appearance"], weights="a"), "b")


@pytest.mark.parametrize(
    "delta", [{"nothing.like.this": np.zeros(3, np.float16)}, {"finisher.leave.weight": np.zeros(3, np.float16)}]
)
def test_a_delta_that_does_not_fit_is_refused(engines, delta):
    with pytest.raises(ModelError, match="do not fit this engine"):
        RefinedEngine(engines["appearance"], replace(weights_of(engines["appearance"]), delta=delta))


@pytest.mark.parametrize("damage", [b"", b"12345678", bytes(100), b"x" * (MAX_BYTES + 1)])
def test_damaged_bytes_are_refused(damage):
    with pytest.raises(ModelError, match="damaged"):
        RefinedWeights.decode(damage)


def test_more_than_may_be_is_not_written(engine):
    large = replace(weights_of(engine), delta={"a": np.zeros(MAX_BYTES // 2 + 1, np.float16)})
    with pytest.raises(ValueError, match="may have"):
        large.encode()
    wild = replace(weights_of(engine), delta={"a": np.array([np.inf], np.float16)})
    with pytest.raises(ValueError, match="not finite"):
        wild.encode()
