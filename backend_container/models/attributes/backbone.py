"""The convolutional part of an attribute network, a setting: ImageNet's features, an identity embedding's, or both."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from backend_container.models.attributes.efficientnet import SCALES, EfficientNet, features_of
from backend_container.models.attributes.identity_maps import IdentityMaps
from backend_container.models.engine import ModelError
from backend_container.models.features.lite0 import DEVIATION, MEAN, Lite0
from backend_container.models.features.state_file import mismatch, read_state

LITE0, IDENTITY = "lite0", "identity"
PUBLISHED = (LITE0, IDENTITY, f"{IDENTITY}+{LITE0}")
"""Those whose weights packages carry."""
BACKBONES = (*PUBLISHED, *(f"efficientnet_{variant}" for variant in SCALES))
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Backbone(nn.Module):
    """Images of aligned faces (n, 3, side, side), 0 to 1, to the maps of each of its networks, (n, channels, h, w)."""

    def __init__(self, name: str) -> None:
        """Raises ModelError: `engine-unknown` on another name than BACKBONES, `model-part-missing`."""
        super().__init__()
        if name not in BACKBONES:
            raise ModelError("engine-unknown", f"There is no backbone {name!r}; choose one of: {', '.join(BACKBONES)}.")
        self.name = name
        parts = [IdentityMaps() if part == IDENTITY else ImageNetMaps(part) for part in name.split("+")]
        self.parts = nn.ModuleList(parts)
        self.dimension = sum(part.dimension for part in parts)
        """Channels of all maps together."""

    def forward(self, images: Tensor) -> list[Tensor]:
        return [part(images) for part in self.parts]

    @property
    def stored(self) -> nn.Module:
        """What is written of a backbone that has learnt."""
        networks = [part.get_submodule("network") for part in self.parts]
        return networks[0] if len(networks) == 1 else nn.ModuleList(networks)


class ImageNetMaps(nn.Module):
    """Images (n, 3, side, side), 0 to 1, to maps (n, dimension, side / 32, side / 32)."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, name: str) -> None:
        """Raises ModelError (model-part-missing) without lite0."""
        super().__init__()
        lite0 = name == LITE0
        self.network: nn.Module = Lite0.load().network if lite0 else EfficientNet(name.removeprefix("efficientnet_"))
        self.dimension = Lite0.dimension if lite0 else int(self.network.dimension)
        mean, deviation = ((MEAN,) * 3, (DEVIATION,) * 3) if lite0 else (IMAGENET_MEAN, IMAGENET_DEVIATION)
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        standardised = (images - self.mean) / self.deviation
        # The package's own forward pools and classifies
        maps = getattr(self.network, "extract_features", self.network)
        found: Tensor = maps(standardised)
        return found


def load_backbone(name: str, weights: Path | None) -> Backbone:
    """A backbone with the weights of its packages, or of the user's file in torchvision's layout.

    Raises ModelError: as `Backbone`; `weights-missing` or `weights-mismatch` when there is no file, or another's.
    """
    backbone = Backbone(name)
    if name in PUBLISHED:
        return backbone
    if weights is None:
        detail = f"{name} needs weights: set backbone_weights to a .pth or .safetensors file of torchvision's layout."
        raise ModelError("weights-missing", detail)
    kind = f"state dictionary of torchvision's {name}"
    try:
        backbone.stored.load_state_dict(features_of(read_state(weights, kind)))
    except RuntimeError as error:
        raise mismatch(weights, kind, "its tensors are others") from error
    return backbone
