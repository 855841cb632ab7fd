"""Published weights that were damaged on their way: a sentence, whatever of them is wrong."""

import numpy as np
import pytest

from backend_container.models.engine import ModelError
from backend_container.models.stylegan2.published.reading import read_published


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of things that a damaged name makes of a tensor
def test_damage_anywhere_is_refused_in_a_sentence(published, tmp_path):
    path, _ = published
    whole, random = path.read_bytes(), np.random.default_rng(0)
    damaged = tmp_path / f"damaged{path.suffix}"
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
