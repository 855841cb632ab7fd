import numpy as np
import pytest
import torch

from backend_container.models.engine import ModelError
from backend_container.models.face_chip import MEAN_FACE, USUAL, face_chips, to_chip
from backend_container.models.identity import distances, load_identity, loader
from backend_container.models.identity.dlib_file import read_parameters
from backend_container.models.package_files import package_file

# What dlib 20.0.1 itself answers for the chip below, its first eight numbers and its last
GOLDEN = np.array([-0.0762, 0.13011, 0.03134, -0.07447, -0.06255, -0.05795, -0.0533, -0.04322, 0.01771])


@pytest.fixture(scope="module")
def identity():
    try:
        return load_identity()
    except ModelError as error:
        pytest.skip(error.detail)


def ramps(side):
    rows, columns = np.mgrid[0:side, 0:side] * 150 // side
    return np.stack([rows, columns, (rows + columns) // 2], axis=-1).astype(np.uint8)


def test_a_chip_has_the_embedding_that_dlib_gives_it(identity):
    chip = torch.from_numpy(ramps(150)).permute(2, 0, 1)[None].float()
    vector = identity.differentiable(chip)[0].numpy()
    assert np.abs(vector[[*range(8), 127]] - GOLDEN).max() < 1e-3


def test_embeddings_do_not_depend_on_company_or_size(identity):
    small, large = (np.stack([ramps(side), ramps(side)[:, ::-1]]) for side in (128, 256))
    both = identity.embed(small)
    assert both.shape == (2, identity.dimension)
    assert both.dtype == np.float32
    assert np.abs(identity.embed(small[:1])[0] - both[0]).max() < 1e-5
    moved, apart = np.diagonal(distances(both, identity.embed(large))), distances(both, both)[0, 1]
    assert moved.max() < 0.1 < apart
    assert identity.embed(small[:0]).shape == (0, identity.dimension)


def test_a_damaged_file_is_refused_and_nothing_of_it_is_used(identity, tmp_path):
    data = bytearray(package_file(loader.PACKAGE, loader.FILE).read_bytes())
    data[len(data) // 2] ^= 1
    damaged = tmp_path / loader.FILE
    damaged.write_bytes(data)
    with pytest.raises(ModelError, match=r"damaged or of another model.*make setup"):
        read_parameters(damaged)


def test_without_its_carrier_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(loader, "PACKAGE", "no-such-carrier")
    with pytest.raises(ModelError, match="no-such-carrier is not installed"):
        load_identity()


def test_distances_are_euclidean():
    one, other = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)
    expected = np.linalg.norm(one[:, None] - other[None], axis=2)
    np.testing.assert_allclose(distances(one, other), expected, rtol=1e-4)
    np.testing.assert_allclose(np.diagonal(distances(one, one)), 0, atol=2e-3)


def test_a_face_turned_and_moved_gives_the_same_chip_points():
    angle, scale, shift = 0.3, 7.0, np.array([40.0, -12.0])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = to_chip(MEAN_FACE @ turn.T + shift, 150, 0.25)
    there = (MEAN_FACE @ turn.T + shift) @ found[:, :2].T + found[:, 2]
    np.testing.assert_allclose(there, (MEAN_FACE + 0.25) / 1.5 * 150, atol=1e-6)


def test_chips_keep_what_lies_between_the_eyes_in_the_middle():
    frame = np.zeros((128, 128, 3), np.uint8)
    x, y = USUAL[:4].mean(0).round().astype(int)
    frame[y - 3 : y + 4, x - 3 : x + 4] = 255
    (chip,) = face_chips(frame[None], 150, 0.25)
    rows, columns = np.nonzero(chip[..., 0] > 128)
    assert abs(columns.mean() - 74.5) < 2.5
    assert abs(rows.mean() - 150 * (0.221 + 0.25) / 1.5) < 2.5
