"""Steps of a generator's training: resumed to the bit, shared by processes, and what they leave."""

from __future__ import annotations

import os
import random
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.distributed import TCPStore

from backend_container.datasets.shards import FaceShards
from backend_container.models.loader import load_engine
from backend_container.training.checkpoints import Checkpoints
from backend_container.training.generator import result
from backend_container.training.generator.config import Config
from backend_container.training.generator.trainer import GeneratorTrainer, make_trainer
from backend_container.training.processes import Processes
from backend_container.training.run import Outcome
from backend_container.training.state_tree import flatten
from backend_container.training.training_config import TrainingConfig, example, make_config
from tests.backend_container.training_runs import forked, make_shards, start, stored, train
from tests.ligan.stub import wait_until

TINY = {
    "resolution": 64,
    "latent": 16,
    "channel_base": 128,
    "channel_max": 4,
    "mapping_layers": 1,
    "batch": 4,
    "device": "cpu",
    "threads": 1,
    "path_every": 2,
    "r1_every": 2,
    "augment_images": 40,
    "augment_every": 2,
    "log_every": 1,
    "half": False,
}


_PATIENCE = 240.0


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    return make_shards(tmp_path_factory.mktemp("set") / "shards")


def trainer(shards: Path, processes: Processes | None = None, **settings) -> GeneratorTrainer:
    config = Config(**{**TINY, **settings})
    return make_trainer(config, FaceShards.open(shards), torch.device("cpu"), processes or Processes())


def same(one: dict, other: dict) -> bool:
    (tree, tensors), (other_tree, others) = flatten(one), flatten(other)
    return tree == other_tree and all(torch.equal(tensor, others[name]) for name, tensor in tensors.items())


@pytest.mark.parametrize("settings", [{}, {"augment": "diffaugment", "channels_last": False}, {"precision": "bf16"}])
def test_a_loaded_state_goes_on_to_the_bit(shards, settings):
    whole, part, resumed = (trainer(shards, **settings) for _ in range(3))
    for _ in range(4):
        whole.step()
    for _ in range(2):
        part.step()
    resumed.load(part.state())
    for _ in range(2):
        resumed.step()
    assert same(whole.state(), resumed.state())
    assert not same(whole.state(), part.state())


def test_killed_while_it_ends_it_leaves_the_same_files(shards, tmp_path):
    """What is loaded then takes no step more."""
    whole, resumed = trainer(shards), trainer(shards)
    whole.step()
    whole.finish(tmp_path / "whole")
    resumed.load(whole.state())
    resumed.finish(tmp_path / "resumed")
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "resumed" / path.name).read_bytes(), path.name


def test_a_loaded_state_tells_what_was_lost_before(shards):
    """Penalties are not computed at each step, and not told at each."""
    lazy = {"path_every": 8, "r1_every": 8, "augment_every": 8, "log_every": 9}
    whole, resumed = trainer(shards, **lazy), trainer(shards, **lazy)
    for _ in range(8):
        whole.step()
    resumed.load(deepcopy(whole.state()))
    told = resumed.step()
    assert told == whole.step()
    assert told.keys() == {"generator", "path", "discriminator", "r1", "r_t", "p"}


def test_killed_at_any_moment_it_writes_the_same_weights(shards, tmp_path):
    config = Config(**{**TINY, "steps": 6, "checkpoint_minutes": 1e-9})
    assert train(make_trainer, config, shards, tmp_path / "whole") == Outcome.DONE
    out, dice = tmp_path / "killed", random.Random(0)
    for _ in range(2):
        enough = dice.randint(2, 4)
        child = start(make_trainer, config, shards, out)
        wait_until(lambda: list((out / "checkpoints").glob(f"*{enough}.json")), "checkpoints", _PATIENCE)  # noqa: B023
        child.kill()
        child.join()
    last = start(make_trainer, config, shards, out)
    last.join(_PATIENCE)
    assert last.exitcode == Outcome.DONE
    for name in ("generator.safetensors", "encoder.safetensors", "pca.safetensors", "config.json"):
        assert (out / "weights" / name).read_bytes() == (tmp_path / "whole" / "weights" / name).read_bytes()
    assert stored(out).step == 6


def test_a_light_copy_is_enough_to_begin_from(shards, tmp_path):
    config = Config(**{**TINY, "steps": 2})
    train(make_trainer, config, shards, tmp_path / "there", light=tmp_path / "light")
    exact = (tmp_path / "there" / "checkpoints" / "00000002-0.safetensors").stat().st_size
    (copy,) = (tmp_path / "light").glob("*.safetensors")
    assert copy.stat().st_size < exact / 2
    train(make_trainer, config.model_copy(update={"steps": 3}), shards, tmp_path / "here", light=tmp_path / "light")
    assert stored(tmp_path / "here").state["images"] == 12
    tried = trainer(shards)
    tried.load(Checkpoints(tmp_path / "light").newest().state["trainer"])
    assert tried.state()["step"] == 3


def test_losses_are_told_and_p_adapts(shards):
    tried = trainer(shards, augment_target=-0.9)
    for _ in range(4):
        told = tried.step()
    assert told.keys() == {"generator", "path", "discriminator", "r1", "r_t", "p"}
    assert all(np.isfinite(list(told.values())))
    assert told["p"] > 0


def test_without_regularisation_it_trains_too(shards):
    told = trainer(shards, path_every=0, r1_every=0, augment="none").step()
    assert told.keys() == {"generator", "discriminator"}


def test_a_judge_learns_to_tell(shards):
    """It soon knows photos from what a generator makes that hardly moves."""
    tried = trainer(shards, rate=0.02, augment="none", path_every=0, r1_every=0, batch=8)
    first = tried.step()["discriminator"]
    assert any(tried.step()["discriminator"] < first - 0.2 for _ in range(40))


def _run_process(rank: int, port: int, shards: Path, batch: int, out: Path) -> None:
    ranks = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "TORCHELASTIC_RESTART_COUNT": "0"}
    os.environ.update(ranks, MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), TORCHELASTIC_USE_AGENT_STORE="True")
    torch.set_num_threads(1)
    config = Config(**{**TINY, "batch": batch, "noise": "constant", "steps": 3, "precision": "fp32"})
    code = train(make_trainer, config, shards, out, **os.environ)
    os._exit(int(code))


def test_two_processes_do_what_one_does_with_twice_the_batch(shards, tmp_path):
    store = TCPStore("127.0.0.1", 0, 2, is_master=True, wait_for_workers=False)  # as torchrun: no port is given up
    children = [
        forked.Process(target=_run_process, args=(rank, store.port, shards, 4, tmp_path / "two")) for rank in range(2)
    ]
    for child in children:
        child.start()
    one = Config(**{**TINY, "batch": 8, "noise": "constant", "steps": 3})
    assert train(make_trainer, one, shards, tmp_path / "one") == Outcome.DONE
    for child in children:
        child.join(_PATIENCE)
        assert child.exitcode == Outcome.DONE
    alone = load_file(tmp_path / "one" / "weights" / "generator.safetensors")
    together = load_file(tmp_path / "two" / "weights" / "generator.safetensors")
    for name, tensor in alone.items():
        torch.testing.assert_close(
            together[name], tensor, atol=2e-4, rtol=1e-3, msg=lambda text, name=name: f"{name}: {text}"
        )
    assert stored(tmp_path / "one").state["images"] == stored(tmp_path / "two").state["images"] == 24


def test_the_engine_loads_what_it_leaves(shards, tmp_path):
    tried = trainer(shards, half=True)
    tried.step()
    tried.finish(tmp_path)
    engine = load_engine("stylegan2", tmp_path, "cpu")
    photos = engine.synthesize(engine.sample(0, 2))
    assert photos.shape == (2, 64, 64, 3)
    assert (tmp_path / "samples.png").stat().st_size > 1000
    assert tried.samples().shape == (4 * 64, 8 * 64, 3)


def test_it_leaves_a_sheet_in_a_folder_whose_name_is_no_text(shards, tmp_path):
    trainer(shards).finish(tmp_path / "\udcff")
    assert (tmp_path / "\udcff" / "samples.png").read_bytes().startswith(b"\x89PNG")


def test_the_subspace_of_repeated_w_is_that_of_w_plus():
    w = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32) * np.arange(1, 7, dtype=np.float32)
    quick = result.repeated(result.LatentPCA.fit(w, 3), layers=4)
    direct = result.LatentPCA.fit(np.repeat(w[:, None], 4, axis=1), 3)
    np.testing.assert_allclose(quick.deviations, direct.deviations, rtol=1e-4)
    np.testing.assert_allclose(np.abs(quick.components), np.abs(direct.components), atol=1e-4)


def test_faces_of_another_size_are_refused(shards):
    with pytest.raises(ValueError, match="have 64 pixels and the settings say 128"):
        trainer(shards, resolution=128)


def test_a_checkpoint_of_other_faces_is_refused(shards, tmp_path):
    state = trainer(make_shards(tmp_path / "fewer", faces=5)).state()
    with pytest.raises(ValueError, match="5 faces"):
        trainer(shards).load(state)


class TestSettings:
    def test_the_example_is_the_defaults(self):
        import tomllib

        assert Config(**tomllib.loads(example(Config))) == Config()
        assert example(Config).count("# ") == len(Config.model_fields)

    def test_an_unknown_key_is_answered_with_the_valid_ones(self):
        with pytest.raises(Exception, match=r"no such setting: bach \(there are: augment, .*batch.*\)"):
            make_config(Config, {"bach": 3}, "x.toml")

    def test_what_cannot_be_is_named(self):
        with pytest.raises(Exception, match=r"x.toml: rate: .*greater than 0"):
            make_config(Config, {"rate": 0}, "x.toml")
        with pytest.raises(Exception, match="cuda_graphs needs compile"):
            make_config(Config, {"cuda_graphs": True}, "x.toml")
        with pytest.raises(Exception, match="resolution must be one of"):
            make_config(Config, {"resolution": 100}, "x.toml")

    def test_every_setting_is_described(self):
        assert all(field.description for field in {**TrainingConfig.model_fields, **Config.model_fields}.values())
