import hashlib
import json
from typing import Literal

import numpy as np
import pytest
from safetensors.numpy import save as format_tensors
from torch import nn

from backend_container.models.engine import ModelError
from backend_container.models.weight_files import CONFIG, Manifest, WeightFiles, float16, float32, module_tensors
from backend_container.models.weight_storage import SCALE, int8, unpacked


class Sizes(Manifest):
    format: Literal[3] = 3
    width: int


PART = "part.safetensors"


@pytest.fixture
def files(tmp_path):
    return WeightFiles(tmp_path / "folder", "test weights", "Make some.")


def arrays():
    rng = np.random.default_rng(0)
    return {"a": rng.standard_normal((3, 4)).astype(np.float32), "b": np.float32(2).reshape(())}


def test_what_was_written_is_read(files):
    files.write(Sizes(width=7), {PART: arrays()}, float32)
    manifest = files.manifest(Sizes)
    assert manifest.width == 7
    blob = (files.folder / PART).read_bytes()
    assert manifest.files == {PART: hashlib.sha256(blob).hexdigest()}
    read = files.tensors(PART, manifest)
    assert {name: (tensor.shape, tensor.dtype) for name, tensor in read.items()} == {
        "a": ((3, 4), np.float32),
        "b": ((), np.float32),
    }
    assert all(np.array_equal(read[name], tensor) for name, tensor in arrays().items())


def test_nothing_is_written_of_numbers_that_16_bits_cannot_hold(files):
    with pytest.raises(ValueError, match="not finite as 16 bit floats: a"):
        files.write(Sizes(width=1), {PART: {"a": np.full(2, 1e6, np.float32)}}, float16)
    assert not files.folder.exists()


def test_a_file_in_place_of_the_folder(files):
    files.folder.write_text("a file")
    with pytest.raises(ModelError, match=r"no test weights: .*config\.json cannot be read .*Make some\."):
        files.manifest(Sizes)


@pytest.mark.parametrize("name", [CONFIG, PART])
def test_a_file_that_is_not_there(files, name):
    files.write(Sizes(width=1), {PART: arrays()}, float32)
    (files.folder / name).unlink()
    with pytest.raises(ModelError, match=rf"no test weights: .*{name} is not there\. Make some\.") as caught:
        files.tensors(PART, files.manifest(Sizes))
    assert caught.value.slug == "weights-missing"


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (format_tensors({"a": np.array([np.nan], np.float32)}), "not finite"),
        (b"\x80\x04N.", "cannot be read as safetensors"),
    ],
)
def test_damage_that_the_sum_does_not_show(files, blob, reason):
    files.write(Sizes(width=1), {PART: arrays()}, float32)
    (files.folder / PART).write_bytes(blob)
    manifest = files.manifest(Sizes).model_copy(update={"files": {PART: hashlib.sha256(blob).hexdigest()}})
    with pytest.raises(ModelError, match=reason) as caught:
        files.tensors(PART, manifest)
    assert caught.value.slug == "weights-damaged"


def test_a_changed_file_is_damaged(files):
    files.write(Sizes(width=1), {PART: arrays()}, float32)
    (files.folder / PART).write_bytes(b"x")
    with pytest.raises(ModelError, match="its 1 bytes are not those that") as caught:
        files.tensors(PART, files.manifest(Sizes))
    assert caught.value.slug == "weights-damaged"


@pytest.mark.parametrize("change", [{"format": 4}, {"width": "wide"}, {"more": 1}])
def test_another_format_is_refused(files, change):
    files.write(Sizes(width=1), {PART: arrays()}, float32)
    config = files.folder / CONFIG
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    with pytest.raises(ModelError, match=f"not one that this version reads .*{next(iter(change))}") as caught:
        files.manifest(Sizes)
    assert caught.value.slug == "weights-mismatch"


def test_a_network_is_filled_by_exactly_its_tensors(files):
    source, target = nn.Linear(4, 3), nn.Linear(4, 3)
    tensors = module_tensors(source)
    files.fill(target, PART, float16(tensors))
    assert np.allclose(target.weight.detach(), source.weight.detach(), atol=1e-3)
    with pytest.raises(ModelError, match=r"1 tensors differ, the first weight: \(3, 4\) in place of \(3, 5\)"):
        files.fill(nn.Linear(5, 3), PART, tensors)
    with pytest.raises(ModelError, match="not finite floats"):
        files.fill(target, PART, {name: tensor.astype(np.int32) for name, tensor in tensors.items()})


def test_int8_keeps_rows_to_half_a_step():
    rng = np.random.default_rng(0)
    rows = (rng.standard_normal((8, 1024)) * np.logspace(-3, 3, 8)[:, None]).astype(np.float32)
    small = np.arange(4, dtype=np.int64)
    packed = int8()({"rows": rows, "exact": small})
    assert packed["rows"].dtype == np.int8
    back = unpacked(packed)
    assert (np.abs(back["rows"] - rows) <= packed["rows" + SCALE][:, None] * 0.501).all()
    assert back["exact"].dtype == np.int64
    assert int8(exact=("rows",))({"rows": rows})["rows"].dtype == np.float32


def test_int8_without_its_scale_is_refused():
    with pytest.raises(ValueError, match="a is int8 without a scale"):
        unpacked({"a": np.zeros((3, 4), np.int8), "a" + SCALE: np.ones(4, np.float32)})
