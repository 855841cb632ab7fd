"""Train the finisher: `python -m backend_container.training.finisher --data DIR --out DIR`, after the appearance model.

It learns from pairs and from renders of nobody (`appearance_pairs`). Loss of a pair: L1, distance of features of an
ImageNet network, and a judge that tells it from a photo (`finisher_judges`). A render of nobody has no photo to be
compared with: it must fool the same judge, and keep its face. What it keeps is judged blurred, as a render is smoother
than any photo: a finisher that keeps each pixel may not make it sharp.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file
from torch import Tensor

from backend_container.models.appearance import mesh, weights
from backend_container.models.appearance.finisher import WIDTHS, Finisher
from backend_container.models.engine import Photos
from backend_container.models.weight_storage import unpacked
from backend_container.training.appearance import Recipe, fit, warped
from backend_container.training.appearance_faces import REAL, SYNTHETIC, read_faces
from backend_container.training.appearance_pairs import Pairs, fit_folds, learnt_detail, left_out_pairs, nobody
from backend_container.training.finisher_judges import MapJudge, believed, told_apart
from backend_container.training.in_a_sentence import in_a_sentence

log = logging.getLogger(__name__)

Features = Callable[[Tensor], list[Tensor]]
"""Images, shape (n, 3, h, w), 0 to 1, to feature maps of several depths."""
CHECKPOINT_SECONDS = 120
NOBODIES = 3000
"""Renders of nobody, drawn once."""
FAR = 0.1
"""How much a render of nobody shall keep of what lies far from its face."""
BLUR = 4
"""Side, in pixels, of the squares whose means say what a render of nobody keeps."""
WITHOUT, WITH = 0.3, 0.7
"""A pair's render has no details below the first and all of them above the second quantile; in between some."""


@dataclass(frozen=True)
class Plan:
    images: int = 20_000
    """Training images in all, renders of nobody not counted."""
    batch: int = 4
    nobodies: int = 4
    """Renders of nobody beside each batch of pairs."""
    rate: float = 4e-4
    judge_rate: float = 8e-4
    """Greater, as it starts from nothing (Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017)."""
    pixels: float = 2.0
    features: float = 2.0
    maps: tuple[int, ...] = (16, 24, 40, 112)
    """Channels of the feature maps that the judge sees: those of `lite0_features`."""
    judge: float = 0.3
    """Weight of fooling the judge: its gradient is then as large as that of the features."""
    kept: float = 10.0
    """Weight of how much a render of nobody changes in its face."""
    ema: float = 0.99
    seed: int = 0
    mixed: bool = True
    """Convolutions in bfloat16: twice as fast where the processor has AMX."""


@dataclass(frozen=True, eq=False)
class Lessons:
    """What a training sees."""

    pairs: Pairs
    nobody: Photos
    face: Tensor
    """How much each pixel says about the face, shape (1, 1, h, w)."""


class Trainer:
    """Everything that a checkpoint holds: the networks, the running average, both optimisers, the images seen."""

    def __init__(self, plan: Plan, widths: tuple[int, ...] = WIDTHS, start: Path | None = None) -> None:
        """`start`: a file of weights whose finisher has the same widths."""
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.finisher, self.average = Finisher(widths), Finisher(widths)
        self.judge = MapJudge(plan.maps)
        if start is not None:
            state = {name: torch.from_numpy(tensor) for name, tensor in unpacked(load_file(start)).items()}
            self.finisher.load_state_dict(state)
        self.average.load_state_dict(self.finisher.state_dict())
        self.optimisers = [
            torch.optim.Adam(self.finisher.parameters(), lr=plan.rate, betas=(0.5, 0.99)),
            torch.optim.Adam(self.judge.parameters(), lr=plan.judge_rate, betas=(0.5, 0.99)),
        ]
        self.seen = 0

    def step(self, lessons: Lessons, features: Features) -> dict[str, float]:
        """One batch. It is drawn by the seed and the images seen, so a resumed training goes on as an unbroken one."""
        stream = np.random.default_rng((self.plan.seed, self.seen))
        renders, photos = _pairs(lessons.pairs, self.plan.batch, stream)
        nobody = _planes(lessons.nobody[stream.integers(len(lessons.nobody), size=self.plan.nobodies)])
        generator = torch.Generator().manual_seed(self.plan.seed * 1_000_003 + self.seen)
        given = torch.cat([renders, nobody])
        noise = torch.randn(len(given), 1, *given.shape[2:], generator=generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.plan.mixed):
            losses = self._learn(given, photos, self.finisher(given, noise).float(), features, lessons.face)
        self._follow()
        self.seen += len(photos)
        return losses

    def _learn(
        self, given: Tensor, photos: Tensor, finished: Tensor, features: Features, face: Tensor
    ) -> dict[str, float]:
        """The judge first, then the finisher by what it has learnt; maps are computed once for both."""
        plan, count = self.plan, len(photos)
        with torch.no_grad():
            wanted = [found.float() for found in features(photos)]
        found = [one.float() for one in features(finished)]
        told = self._teach_judge(wanted, [one.detach() for one in found])
        pixels = F.l1_loss(finished[:count], photos)
        depths = relative_distance([one[:count] for one in found], wanted)
        fooled = believed(self.judge(found))
        kept = kept_loss(given[count:], finished[count:], face)
        self._descend(0, plan.pixels * pixels + plan.features * depths + plan.judge * fooled + plan.kept * kept)
        return {"judge": told, "l1": pixels.item(), "features": depths.item(), "kept": kept.item()}

    def _teach_judge(self, photos: list[Tensor], finished: list[Tensor]) -> float:
        self.judge.observe(photos)
        return self._descend(1, told_apart(self.judge(photos), self.judge(finished)))

    def _descend(self, which: int, loss: Tensor) -> float:
        self.optimisers[which].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimisers[which].step()
        return loss.item()

    @torch.no_grad()
    def _follow(self) -> None:
        for slow, fast in zip(self.average.parameters(), self.finisher.parameters(), strict=True):
            slow.lerp_(fast, 1 - self.plan.ema)

    @property
    def _networks(self) -> tuple[torch.nn.Module, ...]:
        return self.finisher, self.average, self.judge

    def save(self, path: Path) -> None:
        draft = path.with_suffix(".draft")
        networks = [network.state_dict() for network in self._networks]
        optimisers = [optimiser.state_dict() for optimiser in self.optimisers]
        torch.save({"networks": networks, "optimisers": optimisers, "seen": self.seen}, draft)
        draft.replace(path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint of `save`, if there is one."""
        if not path.exists():
            return
        stored = torch.load(path, weights_only=True)
        for network, state in zip(self._networks, stored["networks"], strict=True):
            network.load_state_dict(state)
        for optimiser, state in zip(self.optimisers, stored["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        self.seen = int(stored["seen"])


def relative_distance(found: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """L1 distance of feature maps in units of the wanted ones' mean size, averaged over depths."""
    pairs = zip(found, wanted, strict=True)
    return torch.stack([(a - b).abs().mean() / b.abs().mean().clamp_min(1e-6) for a, b in pairs]).mean()


def kept_loss(given: Tensor, finished: Tensor, face: Tensor) -> Tensor:
    """How much the faces of renders (n, 3, h, w) change when both are blurred, 0 to 1; 0 without any.

    `face`: how much each pixel counts, shape (1, 1, h, w).
    """
    if not len(given):
        return torch.zeros(())
    changed = F.avg_pool2d(finished - given, BLUR).abs()
    return (changed * F.avg_pool2d(face, BLUR)).mean()


def lite0_features() -> Features:
    """Maps of EfficientNet-lite0; a training-only part. Raises ModelError (model-part-missing) without its packages."""
    from backend_container.models.features.lite0 import Lite0

    network = Lite0.load()
    return lambda images: network.maps(2 * images - 1)


def train(trainer: Trainer, lessons: Lessons, features: Features, checkpoint: Path) -> Finisher:
    """The averaged finisher after all the plan's images; goes on from the checkpoint file when it is there."""
    trainer.resume(checkpoint)
    plan = trainer.plan
    start, first, saved = time.monotonic(), trainer.seen, time.monotonic()
    while trainer.seen < plan.images:
        losses = trainer.step(lessons, features)
        now = time.monotonic()
        if trainer.seen % (plan.batch * 25) == 0:
            _report(trainer.seen, plan.images, (trainer.seen - first) / (now - start), losses)
        if now - saved > CHECKPOINT_SECONDS:
            trainer.save(checkpoint)
            saved = now
    trainer.save(checkpoint)
    return trainer.average.eval()


def prepare_lessons(
    data: Path, sets: list[str], fitted: weights.Weights, seed: int = 0
) -> tuple[Lessons, weights.Weights]:
    """What the finisher of these weights learns from, and the weights with the details of people left out."""
    faces, _ = read_faces(data, sets)
    sizes = len(fitted.model.shape_basis), len(fitted.model.texture_basis)
    recipe, flat = Recipe(*sizes, noise=fitted.model.noise), warped(faces)
    folds = fit_folds(flat, faces.people, recipe)
    detail = learnt_detail(folds, faces)
    pairs = left_out_pairs(folds, detail, faces)
    model = replace(fitted.model, detail=detail)
    strangers = nobody(model, fitted.population, fit(flat, recipe).latents, faces.weights, NOBODIES, seed)
    face = torch.from_numpy(mesh.face_weights(model.mean_shape, FAR))[None, None]
    return Lessons(pairs, strangers, face), replace(fitted, model=model)


def _report(seen: int, wanted: int, speed: float, losses: dict[str, float]) -> None:
    shown = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
    log.info("%d of %d images, %.1f images/s, %.0f s left: %s", seen, wanted, speed, (wanted - seen) / speed, shown)


def _pairs(pairs: Pairs, count: int, stream: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Renders with some of their details and photos, half of them mirrored, drawn so that groups count alike."""
    rows = stream.choice(len(pairs.photos), count, p=pairs.weights / pairs.weights.sum(dtype=np.float64))
    share = np.clip((stream.random(count) - WITHOUT) / (WITH - WITHOUT), 0, 1)[:, None, None, None]
    mixed = (1 - share) * pairs.plain[rows] + share * pairs.detailed[rows]
    mirror = torch.from_numpy(stream.random(count) < 0.5)[:, None, None, None]
    return tuple(torch.where(mirror, x.flip(3), x) for x in (_planes(mixed), _planes(pairs.photos[rows])))  # type: ignore[return-value]


def _planes(images: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Tensor:
    """Images, 0 to 255, shape (n, h, w, 3), as tensors, 0 to 1, shape (n, 3, h, w)."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)) / 255


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Learn the details of an appearance model and train its finisher.")
    parser.add_argument("--data", type=Path, required=True, help="directory of aligned sets")
    parser.add_argument("--sets", nargs="+", default=[REAL, SYNTHETIC], help="names of the sets in it")
    parser.add_argument("--out", type=Path, required=True, help="weights directory; details and finisher are replaced")
    parser.add_argument("--checkpoint", type=Path, required=True, help="file to go on from and to save to")
    parser.add_argument("--start", type=Path, help="a finisher.safetensors to start from")
    parser.add_argument("--images", type=int, default=Plan.images)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(options.threads)
    with in_a_sentence():
        features, trainer = lite0_features(), Trainer(Plan(images=options.images), start=options.start)
        lessons, fitted = prepare_lessons(options.data, options.sets, weights.load(options.out))
        weights.save(options.out, replace(fitted, finisher=train(trainer, lessons, features, options.checkpoint)))


if __name__ == "__main__":
    main()
