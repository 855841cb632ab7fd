"""The stylegan2 engine, differentiable: what a refinement of it may move are synthesis network and encoder."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

from torch import Tensor, nn

from backend_container.models.engine import Engine, FaceBox, Photo
from backend_container.models.landmarks import FaceMesh
from backend_container.models.stylegan2.encoder import Encoder
from backend_container.models.stylegan2.engine import StyleGAN2Engine
from backend_container.models.stylegan2.synthesis import Synthesis
from backend_container.refine.moving import add
from backend_container.refine.refinable import Delta
from backend_container.refine.target import Target, target_of


class Renderer(nn.Module):
    """w+ to images, with the noise pattern of the weights; parameters have the names of the synthesis network."""

    def __init__(self, synthesis: Synthesis) -> None:
        super().__init__()
        self.synthesis = synthesis

    def forward(self, latents: Tensor) -> Tensor:
        images: Tensor = self.synthesis(latents)
        return images


class StyleGAN2Refinable:
    """A `Refinable`."""

    def __init__(self, engine: Engine) -> None:
        """Raises TypeError for another engine."""
        if not isinstance(engine, StyleGAN2Engine):
            raise TypeError(f"this refines the stylegan2 engine, not {type(engine).__name__}")
        self._engine = engine
        self._weights = engine.weights
        self._device = next(self._weights.generator.parameters()).device
        self._mesh = FaceMesh()

    @property
    def engine(self) -> Engine:
        return self._engine

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """One group for each resolution, the finest first: there a photo differs from what the generator can do, and
        there the generator has the fewest weights. The styles' affine maps stay, for the latents' meaning rests on
        them.
        """
        blocks = reversed(list(enumerate(self._weights.generator.synthesis.blocks)))
        return {f"{4 << number}px": tuple(_movable(number, block)) for number, block in blocks}

    def target(self, photo: Photo, face: FaceBox) -> Target:
        return target_of(self._engine, self._mesh, photo, face, self._device)

    def generator(self) -> Renderer:
        return Renderer(deepcopy(self._weights.generator.synthesis)).eval().requires_grad_(True)

    def encoder(self, target: Target) -> Encoder:
        del target  # the encoder gives its latent anyway
        return deepcopy(self._weights.encoder).eval()

    def moved(self, delta: Delta) -> StyleGAN2Engine:
        generator = deepcopy(self._weights.generator)
        add(dict(generator.named_parameters()), delta)
        return StyleGAN2Engine(replace(self._weights, generator=generator), str(self._device))


def _movable(number: int, block: nn.Module) -> list[str]:
    names = (name for name, _ in block.named_parameters() if ".affine." not in name)
    return [f"synthesis.blocks.{number}.{name}" for name in names]
