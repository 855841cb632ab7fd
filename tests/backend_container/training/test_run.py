"""A run goes on from wherever it was ended, and gets to the same weights."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import time

import pytest
import torch

from backend_container.training import session
from backend_container.training.checkpoints import Checkpoints
from backend_container.training.error import TrainingError
from backend_container.training.processes import Processes, join
from backend_container.training.run import Outcome
from backend_container.training.state_tree import StateError, flatten
from tests.backend_container.training_runs import ToyConfig, ToyTrainer, make_shards, make_toy, start, train
from tests.ligan.stub import wait_until

QUICK = {"checkpoint_minutes": 1e-9, "log_every": 1, "device": "cpu", "threads": 1}
"""A checkpoint at every step."""


def weights(out):
    return (out / "weights" / "weights").read_bytes()


def steps_told(out):
    return [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines()]


def newest_step(out):
    return max((int(path.stem) for path in (out / "checkpoints").glob("*.json")), default=-1)


def test_a_run_that_is_killed_at_any_moment_gets_to_the_same_weights(shards, tmp_path):
    config = ToyConfig(steps=240, **QUICK)  # so many that a quick machine, too, does not end within a few looks
    assert train(make_toy, config, shards, tmp_path / "whole") == Outcome.DONE
    dice, out, kills = random.Random(3), tmp_path / "killed", 0
    while True:
        enough = newest_step(out) + dice.randint(5, 20)
        child = start(make_toy, config, shards, out)
        wait_until(lambda: newest_step(out) >= enough or not child.is_alive(), "some checkpoints more", 240)  # noqa: B023
        time.sleep(dice.uniform(0, 0.02))  # any moment: also within a write
        child.kill()
        child.join()
        if child.exitcode == 0:
            break
        kills += 1
    assert kills >= 3
    assert weights(out) == weights(tmp_path / "whole")
    assert steps_told(out) == list(range(1, 241))


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, Outcome.CONTINUE), (signal.SIGUSR1, Outcome.CONTINUE), (signal.SIGINT, Outcome.INTERRUPTED)],
)
def test_a_signal_ends_it_with_a_checkpoint(shards, tmp_path, number, code):
    config = ToyConfig(steps=10**6, device="cpu", threads=1, log_every=1)
    child = start(make_toy, config, shards, tmp_path)
    wait_until(lambda: (tmp_path / "log.jsonl").exists(), "a step")
    assert child.pid is not None
    os.kill(child.pid, number)
    child.join(20)
    assert child.exitcode == code
    assert newest_step(tmp_path) == steps_told(tmp_path)[-1]


def test_it_ends_before_its_time_limit(shards, tmp_path):
    config = ToyConfig(steps=10**7, device="cpu", threads=1)
    assert train(make_toy, config, shards, tmp_path, time_limit_s=3.5) == Outcome.CONTINUE
    first = newest_step(tmp_path)
    assert first > 0
    ends_at = str(time.time() + 3.5)
    assert train(make_toy, config, shards, tmp_path, SLURM_JOB_END_TIME=ends_at) == Outcome.CONTINUE
    assert newest_step(tmp_path) > first


def test_no_process_ends_before_the_first_has_saved(shards, tmp_path, monkeypatch):
    """torchrun ends all that are left when one ends with another code than 0."""

    class Met(Processes):
        def any(self, flag, device):
            meetings.append(newest_step(tmp_path))
            return flag

    meetings: list[int] = []
    monkeypatch.setattr(session, "join", lambda _environment: Met())
    config = ToyConfig(steps=9, device="cpu", threads=1)
    assert train(make_toy, config, shards, tmp_path, time_limit_s=0) == Outcome.CONTINUE
    assert meetings == [0, 0, 1]


def test_a_part_without_time_still_does_a_step(shards, tmp_path):
    config = ToyConfig(steps=2, device="cpu", threads=1)
    assert [train(make_toy, config, shards, tmp_path, time_limit_s=0) for _ in range(2)] == [75, 0]


def test_more_steps_go_on_from_the_last(shards, tmp_path):
    train(make_toy, ToyConfig(steps=7, **QUICK), shards, tmp_path / "more")
    train(make_toy, ToyConfig(steps=12, **QUICK), shards, tmp_path / "more")
    train(make_toy, ToyConfig(steps=12, **QUICK), shards, tmp_path / "whole")
    assert weights(tmp_path / "more") == weights(tmp_path / "whole")


class CardToy(ToyTrainer):
    def card(self, facts):
        return f"{facts.steps} {facts.images} {facts.losses}"


def test_a_run_that_was_killed_while_it_ended_writes_the_same_card(shards, tmp_path):
    """It takes no step any more, and so has no losses but those of the checkpoint."""
    config = ToyConfig(steps=3, **QUICK)
    cards = []
    for _ in range(2):
        train(lambda config, *_: CardToy(config), config, shards, tmp_path)
        cards.append((tmp_path / "weights" / "MODEL_CARD.md").read_text())
    assert "length" in cards[0]
    assert cards[0] == cards[1]


def test_a_card_tells_names_that_are_no_text(shards, tmp_path):
    class Named(ToyTrainer):
        def card(self, _facts):
            return "the set \udcff"

    train(lambda config, *_: Named(config), ToyConfig(steps=1, device="cpu"), shards, tmp_path)
    assert (tmp_path / "weights" / "MODEL_CARD.md").read_text() == "the set \\udcff"


def test_another_configuration_is_refused(shards, tmp_path):
    train(make_toy, ToyConfig(steps=1, device="cpu"), shards, tmp_path)
    with pytest.raises(TrainingError, match=r"scale was 1.0 and is 2.0"):
        train(make_toy, ToyConfig(steps=2, scale=2, device="cpu"), shards, tmp_path)


def test_other_faces_are_refused_however_many(shards, tmp_path):
    """Those of a set that is built again elsewhere are the same."""
    config = ToyConfig(steps=1, device="cpu")
    train(make_toy, config, shards, tmp_path / "run")
    again = make_shards(tmp_path / "again", faces=2)
    assert train(make_toy, config.model_copy(update={"steps": 2}), again, tmp_path / "run") == Outcome.DONE
    with pytest.raises(TrainingError, match="of other faces"):
        train(make_toy, config, make_shards(tmp_path / "other", faces=2, resolution=32), tmp_path / "run")


def test_a_folder_in_use_is_refused(shards, tmp_path):
    child = start(make_toy, ToyConfig(steps=10**6, device="cpu", log_every=1), shards, tmp_path)
    wait_until(lambda: (tmp_path / "log.jsonl").exists(), "a step")
    with pytest.raises(TrainingError, match="under way"):
        train(make_toy, ToyConfig(steps=1, device="cpu"), shards, tmp_path)
    child.kill()
    child.join()


def test_what_diverges_ends(shards, tmp_path):
    config = ToyConfig(steps=50, scale=float("inf"), **QUICK)
    with pytest.raises(TrainingError, match="diverged") as caught:
        train(make_toy, config, shards, tmp_path)
    assert caught.value.code == 1
    assert newest_step(tmp_path) == 0


class TestCheckpoints:
    @pytest.fixture
    def kept(self, tmp_path):
        checkpoints = Checkpoints(tmp_path, keep=2)
        trainer = ToyTrainer(ToyConfig())
        for step in range(4):
            trainer.step()
            checkpoints.save(step, {}, trainer.state())
        return checkpoints

    def test_the_newest_are_kept(self, kept, tmp_path):
        assert sorted(path.stem for path in tmp_path.glob("*.json")) == ["00000002", "00000003"]
        assert len(list(tmp_path.glob("*.safetensors"))) == 2

    @pytest.mark.parametrize("file", ["00000003.json", "00000003-0.safetensors"])
    @pytest.mark.parametrize(
        "damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: data[:-1] + b"!"]
    )
    def test_a_torn_one_is_passed_over(self, kept, tmp_path, caplog, file, damage):
        torn = tmp_path / file
        torn.write_bytes(damage(torn.read_bytes()))
        with caplog.at_level(logging.WARNING):
            assert kept.newest().step == 2
        assert "00000003.json is damaged" in caplog.text

    def test_none_that_is_whole_is_no_beginning(self, kept, tmp_path):
        for path in tmp_path.glob("*.safetensors"):
            path.write_bytes(b"")
        with pytest.raises(TrainingError, match="None of the 2 checkpoints"):
            kept.newest()

    def test_code_is_not_stored(self, tmp_path):
        with pytest.raises(StateError, match="optimiser is a function"):
            flatten({"optimiser": lambda: None})

    def test_parts_stay_small(self, tmp_path):
        state = {str(number): torch.full((1 << 20,), float(number)) for number in range(9)}
        checkpoints = Checkpoints(tmp_path)
        checkpoints.save(1, {}, state)
        sizes = [path.stat().st_size for path in tmp_path.glob("*.safetensors")]
        assert len(sizes) == 3
        assert max(sizes) < 16 << 20
        found = checkpoints.newest().state
        assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


def test_a_world_without_ranks_is_refused_in_a_sentence():
    """A batch job's variables, or what is left of a shell's."""
    with pytest.raises(
        TrainingError, match="WORLD_SIZE is 4 without RANK, MASTER_ADDR, MASTER_PORT: begin by torchrun"
    ):
        join({"WORLD_SIZE": "4"})
    assert join({"WORLD_SIZE": "1"}).size == 1
