"""What networks will see of fillers, learnt by looking at some; with the package's weights."""

from dataclasses import replace

import numpy as np
import pytest

from backend_container.models.appearance import weights
from backend_container.models.appearance.engine import AppearanceEngine
from backend_container.models.loader import WEIGHTS
from backend_container.models.looks import Looks
from backend_container.training import appearance_foresight
from backend_container.training.appearance_foresight import EACH, Seen, looked_at, main


class Brightness:
    """A screen to which a face is its brightness."""

    double_below = 0.1

    def look(self, frames):
        bright = frames[:, 48:96, 40:88].mean((1, 2)).astype(np.float32) / 255
        one = np.ones(len(frames), np.float32)
        return Looks(bright, 0.25 * one, 40 * one, one > 0)


def test_an_affine_map_is_found_again():
    random = np.random.default_rng(0)
    components, onto = random.standard_normal((500, 6)), random.standard_normal((6, 4))
    found = components @ onto + 3
    foresight = Seen(np.float32(components), np.float32(found)).fitted(ridge=1e-6)
    assert np.allclose(foresight.of(np.float32(components[:5])), found[:5], atol=1e-3)


def test_the_command_makes_weights_that_foresee(tmp_path, monkeypatch):
    shipped = weights.load(WEIGHTS / "appearance")
    weights.save(tmp_path, replace(shipped, foresight=None))
    monkeypatch.setattr(appearance_foresight, "load_screen", Brightness)
    main(["--out", str(tmp_path), "--suspects", "3"])
    made = weights.load(tmp_path)
    seen = looked_at(AppearanceEngine(replace(made, foresight=None)), Brightness(), 3)
    assert seen.components.shape == (3 * EACH, made.model.components)
    foreseen = made.foresight.of(seen.components)
    assert np.abs(foreseen - seen.found)[:, :3].mean() < 0.5 * seen.found[:, :3].std()
    assert foreseen[:, -1] == pytest.approx(40, abs=0.1)


def test_without_the_screens_networks_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(appearance_foresight, "load_screen", lambda: None)
    with pytest.raises(SystemExit, match="make setup"):
        main(["--out", str(WEIGHTS / "appearance")])
