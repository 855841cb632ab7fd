"""Pages of the fake engine, whose faces are colours, by an identity that is the colour."""

import json

import numpy as np
import pytest

from backend_container.datasets.shards import ShardWriter
from backend_container.loading import fingerprint
from backend_container.models.fake import FakeEngine
from backend_container.models.page_growth import FILE, read_growth
from backend_container.training import page_calibration
from backend_container.training.page_calibration import calibrate, main, suspects_of


class Colour:
    name, dimension, same_person_below = "colour", 3, 0.6

    def embed(self, photos):
        return photos[:, 16, 16].astype(np.float32) / 32


def faces(count=12):
    colours = np.random.default_rng(0).integers(100, 156, (count, 1, 1, 3), dtype=np.uint8)
    return np.broadcast_to(colours, (count, 32, 32, 3)).copy()


def test_calibrated_pages_rise_in_equal_steps():
    table = calibrate(FakeEngine(), Colour(), faces(), "abc")
    assert (table.suspects, table.identity, table.weights) == (12, "colour", "abc")
    assert list(table.radii) == sorted(table.radii)
    assert table.distances[0] == pytest.approx(0.6, abs=0.15)
    assert table.distances[-1] > table.distances[0] + 0.25
    assert np.corrcoef(table.distances, np.arange(len(table.distances)))[0, 1] > 0.95
    assert len(table.rises) == len(table.radii) - 1


def test_faces_that_cannot_be_encoded_are_left_out(monkeypatch):
    monkeypatch.setattr(page_calibration, "MARGIN", 0.45)  # boxes of three pixels: too small for the fake engine
    with pytest.raises(ValueError, match="none of the 2 photos"):
        suspects_of(FakeEngine(), Colour(), faces(2))


def test_the_command_writes_the_table_beside_the_weights(tmp_path, monkeypatch):
    writer = ShardWriter(tmp_path / "shards", 32)
    for number, face in enumerate(faces(4)):
        writer.add(f"{number}.png", face, {})
    writer.finish()
    monkeypatch.setattr(page_calibration, "load_engine", lambda *_: FakeEngine())
    monkeypatch.setattr(page_calibration, "load_identity", Colour)
    main(["--weights", str(tmp_path), "--photos", str(tmp_path / "shards"), "--suspects", "3"])
    table = json.loads((tmp_path / FILE).read_text())
    assert table["suspects"] == 3
    assert read_growth(tmp_path, fingerprint(tmp_path)).measured == tuple(table["radii"])
