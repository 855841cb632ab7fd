"""Published weights that were damaged on their way: a sentence, whatever of them is wrong."""

import numpy as np
import pytest
from published_files import nvidia_pickle, random_tensors, rosinality_file

from backend_container.models.engine import ModelError
from backend_container.models.stylegan2.published.reading import read_published


@pytest.fixture(params=["nvidia", "rosinality", "rosinality, older format"])
def published(request, tmp_path, monkeypatch):
    if request.param == "nvidia":
        return nvidia_pickle(tmp_path / "network.pkl", random_tensors(), monkeypatch)
    return rosinality_file(tmp_path / "550000.pt", random_tensors(), older="older" in request.param)


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of things that a damaged name makes of a tensor
def test_damage_anywhere_is_refused_in_a_sentence(published, tmp_path):
    whole, random = published.read_bytes(), np.random.default_rng(0)
    damaged = tmp_path / f"damaged{published.suffix}"
    refused = 0
    for _ in range(150):
        data = bytearray(whole)
        for place in random.integers(0, min(len(whole), 6000), 3):
            data[place] = random.integers(256)
        damaged.write_bytes(data)
        try:
            read_published(damaged)  # a changed number may go unnoticed
        except ModelError:
            refused += 1
    assert refused > 50


def test_a_length_beyond_all_memory_is_refused(tmp_path):
    (tmp_path / "long.pkl").write_bytes(b"\x80\x04\x8e" + (2**62).to_bytes(8, "little") + b".")
    with pytest.raises(ModelError, match="no whole pickle"):
        read_published(tmp_path / "long.pkl")
