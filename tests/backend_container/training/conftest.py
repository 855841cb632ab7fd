"""Made-up people to fit the appearance model to, and shards of two faces for trainings that are toys."""

import json
import tarfile

import cv2
import numpy as np
import pytest

from backend_container.datasets.aligned_faces import AlignedFaces
from backend_container.models.appearance import mesh, weights
from backend_container.models.appearance.align import SIZE
from backend_container.models.loader import WEIGHTS
from backend_container.training import appearance, appearance_faces
from backend_container.training.appearance import Recipe
from tests.backend_container.training_runs import make_shards

PEOPLE = 12


@pytest.fixture(scope="session")
def aligned():
    """Renders of the shipped model as if they were photos, with landmarks of a random shape each."""
    model = weights.load(WEIGHTS / "appearance").model
    latents = 0.7 * np.random.default_rng(0).standard_normal((PEOPLE, model.dimension)).astype(np.float32)
    latents[:, model.components :] = 0
    points = np.full((PEOPLE, 468, 2), SIZE / 2, np.float32)
    shapes = latents[:, : model.components] @ model.loadings[:, : len(model.shape_basis)] @ model.shape_basis
    points[:, list(mesh.LANDMARKS)] = (model.mean_shape + shapes.reshape(PEOPLE, -1, 2))[:, : len(mesh.LANDMARKS)]
    frames = np.stack([(model.render(latent) * 255).astype(np.uint8) for latent in latents])
    labels = [
        {"file": f"{n}.png", "id": f"person-{n}", "eth": "some", "gender": "male" if n % 3 else "female"}
        for n in range(PEOPLE)
    ]
    return AlignedFaces(frames, points, labels)


@pytest.fixture(scope="session")
def faces(aligned):
    """They, prepared for fitting."""
    return appearance_faces.prepare(aligned, synthetic=False)


@pytest.fixture(scope="session")
def flat(faces):
    """They, warped onto the mean shape."""
    return appearance.warped(faces)


@pytest.fixture(scope="session")
def fitted(flat):
    """A small appearance model of theirs."""
    return appearance.fit(flat, Recipe(shape_components=3, texture_components=8))


@pytest.fixture(scope="session")
def on_disk(aligned, tmp_path_factory):
    """The folder of their set, `made_up`."""
    directory = tmp_path_factory.mktemp("set")
    with tarfile.open(directory / "made_up.tar", "w") as tar:
        for label, frame in zip(aligned.labels, aligned.frames, strict=True):
            cv2.imwrite(str(directory / label["file"]), frame[..., ::-1])
            tar.add(directory / label["file"], arcname=f"made_up/{label['file']}")
    (directory / "made_up.json").write_text(json.dumps(aligned.labels))
    np.savez(directory / "made_up_mesh468.npz", p=aligned.points)
    return directory


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """A data set that is no one's but the module's."""
    return make_shards(tmp_path_factory.mktemp("set") / "shards", faces=2)
