"""Attribute networks: a backbone, pooled; dense layers; heads (thesis, figures 3.8 and 3.9)."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from backend_container.models.attributes.layout import Head

POOLINGS = {"max": 1, "max+mean": 2}
"""Pooled numbers for each map."""


class NetworkConfig(BaseModel):
    """Everything that decides a network's shape."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backbone: str = "lite0"
    side: int = Field(128, ge=32, le=512, multiple_of=32)
    """Height and width of the images, in pixels."""
    pooling: Literal["max", "max+mean"] = "max+mean"
    """Global; the thesis has the maximum. With the mean beside it lite0's 1280 maps give the 2560 numbers of B7."""
    hidden: tuple[int, ...] = ()
    """Widths of the dense layers; (2048, 2048) in the thesis's FairFace model."""
    rank: int | None = Field(None, ge=1)
    """Each dense layer as a product of two narrow ones, so many numbers wide; None: whole."""
    dropout: float = Field(0.5, ge=0, lt=1)
    heads: tuple[Head, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _heads_differ(self) -> NetworkConfig:
        names = [attribute.name for head in self.heads for attribute in head.attributes()]
        if len(set(names)) != len(names) or len({head.name for head in self.heads}) != len(self.heads):
            raise ValueError("two heads or attributes have the same name")
        return self


class HeadNetwork(nn.Module):
    """What comes after the backbone: pooled features to logits, and the style before them."""

    def __init__(self, config: NetworkConfig, features: int) -> None:
        super().__init__()
        self.features = features
        widths = (features, *config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.hidden = nn.ModuleList(_dense(before, after, config.rank) for before, after in pairwise(widths))
        self.heads = nn.ModuleDict({head.name: nn.Linear(widths[-1], len(head.outputs)) for head in config.heads})

    def style(self, pooled: Tensor) -> Tensor:
        """Shape (n, the last dense layer's width, or the pooled features'): thesis, section 3.3.4."""
        x: Tensor = self.dropout(pooled)
        for layer in self.hidden:
            x = F.relu(layer(x))
        return x

    def forward(self, pooled: Tensor) -> dict[str, Tensor]:
        """Logits by head, each of shape (n, its outputs)."""
        style = self.style(pooled)
        return {name: head(style) for name, head in self.heads.items()}


def pool(maps: Tensor, pooling: str) -> Tensor:
    """Maps (n, c, h, w) to (n, c) or (n, 2 c)."""
    largest = maps.amax((2, 3))
    return largest if pooling == "max" else torch.cat([largest, maps.mean((2, 3))], 1)


def _dense(before: int, after: int, rank: int | None) -> nn.Module:
    if rank is None:
        return nn.Linear(before, after)
    return nn.Sequential(nn.Linear(before, rank, bias=False), nn.Linear(rank, after))
