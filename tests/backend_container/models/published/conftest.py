"""A published file of each kind."""

import pytest

from tests.backend_container.models.published.published_files import nvidia_pickle, random_tensors, rosinality_file


@pytest.fixture(params=["nvidia", "rosinality", "rosinality, older format"])
def published(request, tmp_path, monkeypatch):
    """A file, and the tensors in it."""
    tensors = random_tensors()
    if request.param == "nvidia":
        return nvidia_pickle(tmp_path / "network.pkl", tensors, monkeypatch), tensors
    return rosinality_file(tmp_path / "550000.pt", tensors, older="older" in request.param), tensors
