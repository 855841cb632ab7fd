"""Attribute networks: a backbone, pooled; dense layers; heads (thesis, figures 3.8 and 3.9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from backend_container.models.attributes.layout import WIDEST, Head

POOLINGS = {"max": 1, "max+mean": 2}
"""Pooled numbers for each map."""
LEAST_DEVIATION = 1e-3
"""Added to deviations, so that a feature that never varied cannot shout."""


class NetworkConfig(BaseModel):
    """Everything that decides a network's shape."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backbone: str = "lite0"
    side: int = Field(128, ge=32, le=512, multiple_of=32)
    """Height and width of the images, in pixels."""
    pooling: Literal["max", "max+mean"] = "max+mean"
    """Global; the thesis has the maximum. With the mean beside it lite0's 1280 maps give the 2560 numbers of B7."""
    hidden: tuple[Annotated[int, Field(ge=1, le=WIDEST)], ...] = ()
    """Widths of the dense layers; (2048, 2048) in the thesis's FairFace model."""
    rank: int | None = Field(None, ge=1, le=WIDEST)
    """Each dense layer as a product of two narrow ones, so many numbers wide; None: whole."""
    standardise: bool = False
    """Pooled numbers less their mean, by their deviation, over faces of the training."""
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

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: NetworkConfig, features: int) -> None:
        super().__init__()
        self.features = features
        widths = (features, *config.hidden)
        self.standardises = config.standardise
        if config.standardise:
            self.register_buffer("mean", torch.zeros(features))
            self.register_buffer("deviation", torch.ones(features))
        self.dropout = nn.Dropout(config.dropout)
        self.hidden = nn.ModuleList(_dense(before, after, config.rank) for before, after in pairwise(widths))
        self.heads = nn.ModuleDict({head.name: nn.Linear(widths[-1], len(head.outputs)) for head in config.heads})

    @torch.no_grad()
    def observe(self, pooled: Tensor) -> None:
        """Take mean and deviation of features (n, features), where they are used. What hardly varies stays small."""
        if self.standardises:
            self.mean.copy_(pooled.mean(0))
            self.deviation.copy_(pooled.std(0, correction=0) + LEAST_DEVIATION)

    def style(self, pooled: Tensor) -> Tensor:
        """Shape (n, the last dense layer's width, or the pooled features'): thesis, section 3.3.4."""
        x: Tensor = self.dropout((pooled - self.mean) / self.deviation if self.standardises else pooled)
        for layer in self.hidden:
            x = F.relu(layer(x))
        return x

    def forward(self, pooled: Tensor) -> dict[str, Tensor]:
        """Logits by head, each of shape (n, its outputs)."""
        style = self.style(pooled)
        return {name: head(style) for name, head in self.heads.items()}


def pool(maps: Sequence[Tensor], pooling: str) -> Tensor:
    """Maps, each (n, c, h, w), to (n, sum of c) or (n, sum of 2 c)."""
    return torch.cat([pooled for one in maps for pooled in _pooled(one, pooling)], 1)


def _pooled(maps: Tensor, pooling: str) -> Iterator[Tensor]:
    yield maps.amax((2, 3))
    if pooling == "max+mean":
        yield maps.mean((2, 3))


def _dense(before: int, after: int, rank: int | None) -> nn.Module:
    if rank is None:
        return nn.Linear(before, after)
    return nn.Sequential(nn.Linear(before, rank, bias=False), nn.Linear(rank, after))
