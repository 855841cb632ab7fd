"""Pages of the fake engine, whose faces are colours, by an identity that is the colour."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from backend_container.datasets.shards import ShardWriter
from backend_container.loading import fingerprint
from backend_container.models.fake import FakeEngine
from backend_container.models.looks import Looks
from backend_container.models.page_growth import FILE, read_table
from backend_container.training import page_calibration
from backend_container.training.measured_notes import Notes
from backend_container.training.page_calibration import NOTES, Ruler, calibrate, main, suspects_of


class Colour:
    name, dimension, same_person_below = "colour", 3, 0.6

    def embed(self, photos):
        return photos[:, 16, 16].astype(np.float32) / 32


def look(photos):
    one = np.ones(len(photos), np.float32)
    return Looks(Colour().embed(photos), 0.5 * one, 30 * one, one > 0)


class Coarse(Colour):
    same_person_below = 2.0


def faces(count=12):
    colours = np.random.default_rng(0).integers(100, 156, (count, 1, 1, 3), dtype=np.uint8)
    return np.broadcast_to(colours, (count, 32, 32, 3)).copy()


def test_calibrated_pages_rise_in_equal_steps():
    table = calibrate(FakeEngine(), Colour(), look, faces(), "abc")
    assert (table.suspects, table.identity, table.weights) == (12, "colour", "abc")
    assert list(table.radii) == sorted(table.radii)
    assert table.distances[-1] > table.distances[0] + 0.25
    assert np.corrcoef(table.distances, np.arange(len(table.distances)))[0, 1] > 0.95
    assert len(table.rises) == len(table.radii) - 1


def test_far_pages_have_fewer_doubles():
    table = calibrate(FakeEngine(), Coarse(), look, faces(), "abc")
    assert table.double_below == pytest.approx(0.53 * Coarse.same_person_below, abs=1e-3)
    assert 1 >= table.doubles[0] > table.doubles[-1]
    assert len(table.doubles) == len(table.radii)


def test_faces_that_cannot_be_encoded_are_left_out(monkeypatch):
    monkeypatch.setattr(page_calibration, "MARGIN", 0.45)  # boxes of three pixels: too small for the fake engine
    with pytest.raises(ValueError, match="none of the 2 photos"):
        suspects_of(FakeEngine(), look, faces(2))


@pytest.fixture
def fakes(monkeypatch):
    for name, fake in {
        "load_engine": lambda *_: FakeEngine(),
        "load_identity": Colour,
        "load_screen": lambda: SimpleNamespace(look=look),
    }.items():
        monkeypatch.setattr(page_calibration, name, fake)


@pytest.mark.usefixtures("fakes")
def test_the_command_writes_the_table_beside_the_weights(tmp_path):
    writer = ShardWriter(tmp_path / "shards", 32)
    for number, face in enumerate(faces(4)):
        writer.add(f"{number}.png", face, {})
    writer.finish()
    main(["--weights", str(tmp_path), "--photos", str(tmp_path / "shards"), "--suspects", "3"])
    table = json.loads((tmp_path / FILE).read_text())
    assert table["suspects"] == 3
    assert read_table(tmp_path, fingerprint(tmp_path)).growth.measured == tuple(table["radii"])
    assert not (tmp_path / NOTES).exists()


class Off(FakeEngine):
    """Reconstructs suspects 1, 2, ... that many levels of 32 too bright."""

    def synthesize(self, latents):
        photos = super().synthesize(latents).astype(np.int16)
        return (photos + 4 * np.arange(len(photos))[:, None, None, None]).astype(np.uint8)


def test_a_filler_is_a_double_when_it_is_as_near_as_the_suspects_own_reconstruction():
    suspects = suspects_of(FakeEngine(), look, faces(5))
    assert Ruler(Off(), Colour(), suspects).double_below() == pytest.approx(2 * 4 / 32 * np.sqrt(3), abs=0.06)


def test_a_perfect_engine_has_doubles_too():
    suspects = suspects_of(FakeEngine(), look, faces(5))
    assert Ruler(FakeEngine(), Colour(), suspects).double_below() == pytest.approx(0.53 * Colour.same_person_below)


def elsewhere(photos):
    return replace(look(photos), identities=look(photos).identities + 1)


def test_a_double_is_never_farther_than_the_same_person():
    suspects = suspects_of(FakeEngine(), elsewhere, faces(5))
    assert Ruler(FakeEngine(), Colour(), suspects).double_below() == pytest.approx(Colour.same_person_below)


class StoppedError(Exception):
    pass


class StopsAfter(FakeEngine):
    def __init__(self, pages):
        super().__init__()
        self.left = pages

    def synthesize(self, latents):
        if not self.left:
            raise StoppedError
        self.left -= 1
        return super().synthesize(latents)


def test_a_calibration_that_was_stopped_goes_on_where_it_was(tmp_path):
    whole = calibrate(FakeEngine(), Colour(), look, faces(3), "abc")
    with pytest.raises(StoppedError):
        calibrate(StopsAfter(1 + 3 * 8 + 8 + 3), Colour(), look, faces(3), "abc", Notes(tmp_path / NOTES, "m"))
    rest = StopsAfter(1 + 2 * 8)  # reconstructions, and the pages of the two suspects that are not whole
    assert calibrate(rest, Colour(), look, faces(3), "abc", Notes(tmp_path / NOTES, "m")) == whole


def test_notes_of_another_measurement_are_dropped(tmp_path):
    Notes(tmp_path / "notes", "one").get("a", lambda: [[1.0]])
    assert Notes(tmp_path / "notes", "one").get("a", lambda: [[2.0]]) == [[1.0]]
    assert Notes(tmp_path / "notes", "other").get("a", lambda: [[2.0]]) == [[2.0]]


def test_damaged_notes_are_begun_anew(tmp_path):
    (tmp_path / "notes").write_text("{")
    assert Notes(tmp_path / "notes", "one").get("a", lambda: [[2.0]]) == [[2.0]]


def test_what_is_no_data_set_is_told_in_a_sentence(tmp_path):
    with pytest.raises(SystemExit, match="holds no finished data set"):
        main(["--photos", str(tmp_path)])


@pytest.mark.usefixtures("fakes")
def test_what_cannot_be_measured_is_told_in_a_sentence(tmp_path):
    words = ["--weights", str(tmp_path), "--photos", str(tmp_path / "shards")]
    ShardWriter(tmp_path / "shards", 32).finish()
    with pytest.raises(SystemExit, match="can encode none of the 0 photos"):
        main(words)
    (tmp_path / NOTES).mkdir()  # in the place of a folder that is not ours to write
    with pytest.raises(SystemExit, match=r"pages\.part: Is a directory"):
        main(words)
