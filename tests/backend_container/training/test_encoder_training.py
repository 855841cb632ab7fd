"""An encoder's training, on a generator of random weights and 24 noise pictures."""

import copy

import numpy as np
import pytest
import skimage.data
import torch

from backend_container.datasets.shards import FaceShards, ShardWriter
from backend_container.models.appearance.align import align
from backend_container.models.engine import FaceBox
from backend_container.models.landmarks import FaceMesh
from backend_container.models.stylegan2 import weights as files
from backend_container.models.stylegan2.engine import StyleGAN2Engine
from backend_container.training.encoder import result
from backend_container.training.encoder.config import Config
from backend_container.training.encoder.trainer import make_trainer
from backend_container.training.error import TrainingError
from backend_container.training.processes import Processes
from backend_container.training.state_tree import flatten, rebuild
from backend_container.training.training_config import example, make_config
from tests.backend_container.models.conftest import random_weights
from tests.backend_container.training_runs import make_shards

CPU = torch.device("cpu")
ASTRONAUT = FaceBox(left=178, top=68, right=272, bottom=188, score=1.0)


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    """A folder of weights whose faces differ: a mapping that spreads, and styles that matter."""
    folder = tmp_path_factory.mktemp("generator")
    weights = random_weights()
    files.save(folder, weights)
    return folder


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    writer = ShardWriter(tmp_path_factory.mktemp("shards"), 64)
    random = np.random.default_rng(0)
    for number in range(24):
        colour = random.integers(0, 256, (1, 1, 3))
        writer.add(f"{number}.png", np.broadcast_to(colour, (64, 64, 3)).astype(np.uint8), {})
    writer.finish()
    return FaceShards.open(writer.folder)


def config(generator, **options):
    small = {"backbone": "residual", "width": 8, "pyramid": 8, "features": 0.0, "batch": 4, "subspace": 8}
    return Config(weights=str(generator), **{**small, **options})


def trainer(generator, shards, **options):
    return make_trainer(config(generator, **options), shards, CPU, Processes())


def test_the_loss_falls(generator, shards):
    training = trainer(generator, shards)
    before = training.step()
    for _ in range(8):
        training.step()
    training._step = 0  # the first batch again
    after = training.step()
    assert after["pixels"] < 0.5 * before["pixels"]
    assert after["latents"] < before["latents"]


def test_an_exact_resume(generator, shards):
    whole, first = trainer(generator, shards), trainer(generator, shards)
    for _ in range(2):
        whole.step(), first.step()
    plain, tensors = flatten(first.state())
    again = trainer(generator, shards, seed=0)
    again.step()  # whatever it was before
    again.load(rebuild(plain, copy.deepcopy(tensors)))
    for _ in range(2):
        assert whole.step() == again.step()
    for name, tensor in whole.state()["encoder"].items():
        assert torch.equal(tensor, again.state()["encoder"][name]), name


def test_the_generator_stays_as_it_was(generator, shards):
    before = files.load(generator).generator.state_dict()
    training = trainer(generator, shards, rate=0.1)
    training.step()
    assert all(torch.equal(before[name], one) for name, one in training._generator.state_dict().items())


def test_what_it_leaves_is_an_engine(generator, shards, tmp_path, monkeypatch):
    monkeypatch.setattr(result, "AT_ONCE", 64)
    training = trainer(generator, shards)
    training.step()
    monkeypatch.setattr(result.write, "__defaults__", (64,))
    training.finish(tmp_path)
    engine = StyleGAN2Engine.load(tmp_path, "cpu")
    latent = engine.encode(skimage.data.astronaut(), ASTRONAUT)
    assert latent.shape == engine.latent_shape
    assert 1 <= engine.space.dimension <= 8
    assert "fitted" not in (tmp_path / "config.json").read_text()
    training.finish(tmp_path)  # after a kill it is called again


def test_the_subspace_is_that_of_encoded_faces(generator):
    weights = files.load(generator)
    settings = config(generator)
    pca = result.subspace(weights.generator, weights.encoder, settings, fitted=64)
    latents = np.concatenate(list(result.encoded(weights.generator, weights.encoder, settings, 64)))
    np.testing.assert_allclose(pca.mean, latents.mean(0), atol=1e-4)
    assert pca.project(latents).std(0, ddof=1) == pytest.approx(np.ones(pca.dimension), rel=0.05)


@pytest.mark.parametrize("part", ["features", "identity"])
def test_networks_that_judge(generator, shards, part):
    from backend_container.models.identity.loader import FILE, PACKAGE
    from backend_container.models.package_files import package_file

    package_file(PACKAGE, FILE)
    training = trainer(generator, shards, **{part: 1.0, "batch": 2})
    losses = training.step()
    assert losses[part] > 0
    assert training.step()[part] != losses[part]


@pytest.mark.parametrize("side", [64, 128])
def test_the_identity_that_is_lowered_is_the_embeddings_own(side):
    from backend_container.models.identity import load_identity
    from backend_container.training.encoder.losses import _chips

    face = FaceMesh().points(skimage.data.astronaut(), ASTRONAUT)
    frame = align(skimage.data.astronaut(), face, side)[0][None]
    identity = load_identity()
    chips = _chips(torch.from_numpy(frame).permute(0, 3, 1, 2) / 127.5 - 1)
    assert np.linalg.norm(identity.differentiable(chips).numpy() - identity.embed(frame)) < 0.02


def test_the_imagenet_backbone(generator, shards):
    training = trainer(generator, shards, backbone="lite0", batch=2)
    kept = training.state()["encoder"]["backbone.norm.running_mean"].clone()
    training.step()
    assert kept.abs().max() > 0.1  # ImageNet's
    assert torch.equal(training.state()["encoder"]["backbone.norm.running_mean"], kept)


def test_two_processes_draw_what_one_would_of_both_batches(generator, shards):
    alone = trainer(generator, shards, batch=8)
    two = [make_trainer(config(generator), shards, CPU, Processes(rank, 2)) for rank in (0, 1)]
    together = torch.stack([one._faces("z", 5, 2) for one in two], 1).reshape(4, *two[0]._weights.network.latent_shape)
    torch.testing.assert_close(alone._faces("z", 5, 4), together)


def test_a_sheet_of_samples(generator, shards):
    assert trainer(generator, shards).samples().shape == (4 * 64, 8 * 64, 3)


def test_shards_of_another_size_are_refused(generator, tmp_path):
    writer = ShardWriter(tmp_path / "small", 32)
    writer.add("one.png", np.zeros((32, 32, 3), np.uint8), {})
    writer.finish()
    with pytest.raises(ValueError, match="the shards have 32 pixels, the generator 64"):
        trainer(generator, FaceShards.open(writer.folder))


def test_a_state_of_other_data_is_refused(generator, shards):
    training = trainer(generator, shards)
    with pytest.raises(ValueError, match="made with 3 faces"):
        training.load({**training.state(), "faces": 3})


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "weights"),
        ({"weights": "w", "width": 12}, "multiple of 8"),
        ({"weights": "w", "pixels": 0, "features": 0, "latents": 0}, "must be above 0"),
        ({"weights": "w", "bakbone": "lite0"}, "no such setting: bakbone"),
    ],
)
def test_settings_that_cannot_be_are_refused(given, reason):
    with pytest.raises(TrainingError, match=reason):
        make_config(Config, given, "here")


def test_a_setting_that_is_needed_is_named_with_what_it_is():
    with pytest.raises(TrainingError, match="weights is needed: Folder of stylegan2 weights"):
        make_config(Config, {}, "encoder.toml")


def test_the_example_says_what_is_needed():
    assert "# weights = ...  (needed)" in example(Config)


def test_a_set_without_a_face_is_refused(generator, tmp_path):
    with pytest.raises(ValueError, match="the shards hold no face"):
        trainer(generator, FaceShards.open(make_shards(tmp_path / "none", faces=0)))
