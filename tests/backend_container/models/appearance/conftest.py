"""The weights that belong to the package, and tiny ones."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from backend_container.models.appearance import weights as files
from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.detail import Detail
from backend_container.models.appearance.engine import AppearanceEngine
from backend_container.models.appearance.finisher import Finisher
from backend_container.models.appearance.population import Population
from backend_container.models.detector import FaceDetector
from backend_container.models.loader import WEIGHTS


@pytest.fixture(scope="module")
def shipped():
    return files.load(WEIGHTS / "appearance")


@pytest.fixture(scope="module")
def engine(shipped):
    return AppearanceEngine(shipped)


@pytest.fixture(scope="module")
def detector():
    return FaceDetector()


@pytest.fixture(scope="module")
def tiny(shipped):
    """The real mesh with two shape and three texture components, two details and four people, and a small finisher
    that does something.
    """
    model = shipped.model
    few = replace(
        model,
        shape_basis=model.shape_basis[:2],
        texture_basis=model.texture_basis[:3],
        loadings=np.diag(np.float32([3, 2, 9, 7, 5])),
        detail=Detail(model.mean_shape, np.int32([[0, 1], [2, 3]]), np.float32([0.02, 0.01])),
    )
    faces, hair = np.random.default_rng(0).standard_normal((2, 4, 5)).astype(np.float32)
    people = Population(faces, hair, np.int32([0, 0, 1, 1]))
    torch.manual_seed(0)
    finisher = Finisher((4, 6))
    torch.nn.init.normal_(finisher.leave.weight)
    return files.Weights(few, people, finisher.eval(), (4, 6))


@pytest.fixture
def gradient():
    """A smooth picture, no two pixels of which are alike, 0 to 1."""
    rows, columns = np.mgrid[:SIZE, :SIZE] / SIZE
    return np.stack([rows, columns, (rows + columns) / 2], axis=-1).astype(np.float32)
