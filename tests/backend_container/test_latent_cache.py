import numpy as np
import pytest

from backend_container.latent_cache import LatentCache


def counted(made, value):
    def make():
        made.append(value)
        return np.array([value], np.float32)

    return make


def test_a_latent_is_made_once():
    cache, made = LatentCache(), []
    assert [cache.get("a", counted(made, n)).tolist() for n in (1, 2)] == [[1], [1]]
    assert made == [1]


def test_the_least_recently_used_goes_first():
    cache, made = LatentCache(capacity=2), []
    for name in ("a", "b", "a", "c", "a", "b"):
        cache.get(name, counted(made, ord(name)))
    assert bytes(made) == b"abcb"


def test_what_could_not_be_made_is_not_kept():
    cache, made = LatentCache(), []

    def fail():
        raise ValueError("no face")

    with pytest.raises(ValueError, match="no face"):
        cache.get("a", fail)
    assert cache.get("a", counted(made, 5)).tolist() == [5]
