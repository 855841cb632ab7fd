"""The appearance engine, differentiable: what a refinement of it may move is the finisher."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend_container.models.appearance import mesh
from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.backdrop import GREY, brightness, wall
from backend_container.models.appearance.engine import AppearanceEngine
from backend_container.models.appearance.finisher import Finisher, fixed_noise
from backend_container.models.appearance.grain import Grain, nobody
from backend_container.models.appearance.model import AppearanceModel
from backend_container.models.appearance.planes import BLUE, GREEN, HALF, LUMA, RED
from backend_container.models.appearance.warp import triangle_of_pixels
from backend_container.models.engine import Engine, FaceBox, Photo
from backend_container.models.landmarks import FaceMesh
from backend_container.refine.moving import add
from backend_container.refine.refinable import Delta
from backend_container.refine.target import Target, target_of

FLAT = 1e-3
"""Twice the area, in pixels, below which a triangle counts as flat: its map's gradient would be wild."""


class AppearanceGenerator(nn.Module):
    """Latents (n, D + K + M) to images (n, 3, SIZE, SIZE), -1 to 1: what the engine does, in torch.

    Which triangle covers a pixel is taken as it is; where in the triangle the pixel lies has a gradient. Grain and what
    is wall are taken as they are, too.
    """

    loadings: Tensor
    shape_basis: Tensor
    texture_basis: Tensor
    detail_basis: Tensor
    mean_shape: Tensor
    mean_texture: Tensor
    triangles: Tensor
    pixels: Tensor
    noise: Tensor

    def __init__(self, model: AppearanceModel, finisher: Finisher, grain: Grain) -> None:
        super().__init__()
        self._model, self._grain = model, grain
        rows, columns = np.mgrid[:SIZE, :SIZE].astype(np.float32)
        fixed = {
            "loadings": model.loadings,
            "shape_basis": model.shape_basis,
            "texture_basis": model.texture_basis,
            "detail_basis": model.detail.basis,
            "mean_shape": model.mean_shape,
            "mean_texture": model.mean_texture,
            "triangles": model.triangles.astype(np.int64),
            "pixels": np.stack([columns, rows], axis=-1),
        }
        for name, array in fixed.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array)))
        self.register_buffer("noise", fixed_noise(SIZE, SIZE))
        self.finisher = finisher

    def forward(self, latents: Tensor) -> Tensor:
        finished = self.finisher(self.renders(latents), self.noise.expand(len(latents), -1, -1, -1))
        return 2 * torch.stack([self._shown(*one) for one in zip(finished, latents.detach(), strict=True)]) - 1

    def _shown(self, finished: Tensor, latent: Tensor) -> Tensor:
        """A finished render, (3, SIZE, SIZE), with its grain, before an even wall."""
        photo, numbers = finished.detach().permute(1, 2, 0).cpu().numpy(), latent.cpu().numpy()
        worn = numbers[self._model.dimension :]
        if not worn.any():
            return finished
        grained = self._grain.on(photo, worn, self._model.places(numbers))
        behind, outline = (torch.from_numpy(part).to(finished.device) for part in wall(grained))
        lent = torch.from_numpy(np.ascontiguousarray((grained - photo).transpose(2, 0, 1))).to(finished.device)
        shown = finished + lent
        share = torch.where(outline, brightness(shown.amin(0)).clamp(0, 1), behind.float())
        return shown + nobody(worn) * share * (float(GREY) - shown)

    def renders(self, latents: Tensor) -> Tensor:
        """What the finisher gets, (n, 3, SIZE, SIZE), 0 to 1."""
        sizes = [len(self.loadings), len(self.loadings) + len(self.detail_basis)]
        latents, details, _ = latents.tensor_split(sizes, dim=1)
        shape, texture = (latents @ self.loadings).tensor_split([len(self.shape_basis)], dim=1)
        vertices = _close_lips(self.mean_shape + (shape @ self.shape_basis).reshape(len(latents), -1, 2))
        textures = _images(self.mean_texture + texture @ self.texture_basis, details @ self.detail_basis)
        places = torch.stack([self._source(row) for row in vertices]) * (2 / (SIZE - 1)) - 1
        warped = F.grid_sample(textures, places, padding_mode="border", align_corners=True)
        return warped.clamp(0, 1)

    def _source(self, vertices: Tensor) -> Tensor:
        """Where each pixel comes from on the mean shape, (SIZE, SIZE, 2)."""
        corners = vertices[self.triangles]
        numbers = triangle_of_pixels(corners.detach().cpu().double().numpy(), SIZE, SIZE)
        number = torch.from_numpy(numbers.astype(np.int64)).to(vertices.device)
        first, second = (corners[:, 1] - corners[:, 0])[number], (corners[:, 2] - corners[:, 0])[number]
        offset = self.pixels - corners[:, 0][number]
        area = _cross(first, second)
        area = torch.where(area.abs() < FLAT, torch.inf, area)
        along, across = _cross(offset, second) / area, _cross(first, offset) / area
        a, b, c = self.mean_shape[self.triangles][number].unbind(2)
        return a + along[..., None] * (b - a) + across[..., None] * (c - a)


def _images(textures: Tensor, details: Tensor) -> Tensor:
    """`planes.to_image` of textures (n, COUNT) with a luma to add (n, LUMA), as (n, 3, SIZE, SIZE)."""
    luma = (textures[:, :LUMA] + details).reshape(-1, 1, SIZE, SIZE)
    colour = F.interpolate(textures[:, LUMA:].reshape(-1, 2, HALF, HALF), scale_factor=2, mode="bilinear")
    blue, red = (luma + colour).tensor_split(2, dim=1)
    return torch.cat([red, (luma - RED * red - BLUE * blue) / GREEN, blue], dim=1)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _close_lips(vertices: Tensor) -> Tensor:
    """`mesh.close_lips` of (n, N, 2)."""
    upper, lower = vertices[:, mesh.UPPER_LIP], vertices[:, mesh.LOWER_LIP]
    crossed = (upper[..., 1] > lower[..., 1])[..., None]
    middle = (upper + lower) / 2
    closed = vertices.clone()
    closed[:, mesh.UPPER_LIP] = torch.where(crossed, middle, upper)
    closed[:, mesh.LOWER_LIP] = torch.where(crossed, middle, lower)
    return closed


class Head(nn.Module):
    """The alternation's encoder for this engine: its own projection, corrected by a small network that starts at 0.

    The engine encodes by least squares, which has no weights to move; the thesis's encoder is a network.
    """

    latent: Tensor

    def __init__(self, latent: Tensor, width: int = 16) -> None:
        super().__init__()
        sizes = [(3, width), (width, 2 * width), (2 * width, 4 * width), (4 * width, 4 * width)]
        steps = [layer for a, b in sizes for layer in (nn.Conv2d(a, b, 3, stride=2, padding=1), nn.LeakyReLU(0.2))]
        self.features = nn.Sequential(*steps, nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.style = nn.Linear(16 * sizes[-1][1], latent.numel())
        nn.init.zeros_(self.style.weight)
        nn.init.zeros_(self.style.bias)
        self.register_buffer("latent", latent)

    def forward(self, pixels: Tensor) -> Tensor:
        correction: Tensor = self.style(self.features(pixels))
        return self.latent + correction.reshape(-1, *self.latent.shape)


class AppearanceRefinable:
    """A `Refinable`."""

    def __init__(self, engine: Engine) -> None:
        """Raises TypeError for another engine."""
        if not isinstance(engine, AppearanceEngine):
            raise TypeError(f"this refines the appearance engine, not {type(engine).__name__}")
        self._engine = engine
        self._weights = engine.weights
        self._device = next(self._weights.finisher.parameters()).device
        self._mesh = FaceMesh()

    @property
    def engine(self) -> Engine:
        return self._engine

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """The finisher alone: a change of the average texture, tried too, goes into every neighbour's picture."""
        return {"finisher": tuple(f"finisher.{name}" for name, _ in self._weights.finisher.named_parameters())}

    def target(self, photo: Photo, face: FaceBox) -> Target:
        return target_of(self._engine, self._mesh, photo, face, self._device)

    def generator(self) -> AppearanceGenerator:
        generator = AppearanceGenerator(self._weights.model, deepcopy(self._weights.finisher), self._weights.grain)
        return generator.to(self._device).eval().requires_grad_(True)

    def encoder(self, target: Target) -> Head:
        with torch.random.fork_rng(devices=[]):  # the same head each time, and nobody else's numbers change
            torch.manual_seed(0)
            return Head(torch.from_numpy(target.latent)).to(self._device)

    def moved(self, delta: Delta) -> AppearanceEngine:
        generator = self.generator()
        add(dict(generator.named_parameters()), delta)
        weights = replace(self._weights, finisher=generator.finisher)
        return AppearanceEngine(weights, str(self._device))
