"""The model benchmark's rows, small; those of a GPU on a CPU that is told to have a memory and to need waiting for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from backend_container.models.engine import ModelError
from backend_container.models.stylegan2.config import NetworkConfig
from tests.backend_container.refine.painter import Painter, clock

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import models  # noqa: E402
from _device import CPU, Device  # noqa: E402
from _refine_time import refine_time  # noqa: E402
from _training_steps import VARIANTS, training  # noqa: E402

TINY = NetworkConfig(resolution=64, latent=16, channel_base=64, channel_max=4, mapping_layers=1)


@pytest.fixture
def gpu():
    """A stand-in, and how often it was waited for."""
    waits = []
    return Device("cpu", lambda: waits.append(1), lambda: 3 * 2**20), waits


def test_the_generators_row_waits_for_the_device_and_tells_its_memory(gpu):
    device, waits = gpu
    figures = models.generator(TINY, 4, device)
    assert {"convolutions_ms", "network_ms", "engine_ms", "engine_over_convolutions"} < figures.keys()
    assert figures["engine_ms"]["n"] == 2
    assert figures["peak_mib"] == 3
    assert len(waits) == 12


def test_the_trainings_row_compares_precisions_in_turn(gpu):
    device, waits = gpu
    figures = training(TINY, 2, 1, VARIANTS["cuda"], device)
    assert figures.keys() == {"eager_fp32", "fp32", "bf16", "fp16", "peak_mib"}
    assert len(waits) == 8
    assert figures["bf16"]["images_per_s"] > 0
    assert figures["bf16"]["step_ms_n"] == 1


def test_a_cpu_has_no_memory_of_its_own():
    figures = training(TINY, 2, 1, VARIANTS["cpu"], CPU)
    assert figures.keys() == {"fp32", "bf16"}


def test_a_refinement_is_timed_until_the_error_is_reached():
    painter = Painter()
    figures = refine_time(painter, painter.target(), goal=0.05, limit_s=100.0, now=clock())
    assert figures.keys() == {"pivotal", "alternation"}
    for found in figures.values():
        assert found["mse"] <= 0.05 < found["mse_start"]
        assert 0 < found["seconds"] < 100


def test_a_refinement_that_does_not_reach_it_says_so():
    painter = Painter()
    figures = refine_time(painter, painter.target(), goal=0.0, limit_s=3.0, now=clock())
    assert [found["seconds"] for found in figures.values()] == [None, None]
    assert all(found["steps"] > 0 for found in figures.values())


def rows(monkeypatch, capsys, **measures):
    """What the script prints with other measures in place of its own."""
    monkeypatch.setattr(models, "ROWS", measures)
    monkeypatch.setattr(models.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["models.py", "--json", "--only", "page"])
    models.main()
    return json.loads(capsys.readouterr().out)


def test_only_the_wanted_rows_are_measured(monkeypatch, capsys):
    def never(arguments, device):
        pytest.fail("this row was not asked for")

    told = rows(monkeypatch, capsys, page=lambda arguments, device: {"on": device.name}, refine=never)
    assert told["cpu"] == {"page": {"on": "cpu"}}
    assert told["gpu"].startswith("skipped")


def test_a_row_whose_model_part_is_missing_is_skipped_with_its_reason(monkeypatch, capsys):
    def missing():
        raise ModelError("model-part-missing", "the detector is not installed")

    told = rows(monkeypatch, capsys, page=lambda arguments, device: models.skipped(missing))
    assert told["cpu"]["page"] == "skipped: the detector is not installed"
