"""The models in figures, on this CPU and on a GPU where there is one, each beside its floor or a peer in the same run.

- page: 16 faces like a photo seen for the first time, with detection, encoding and screen (goal: p95 of 1 s or less);
- generator: a stylegan2 image as the engine makes it, beside the network as it is trained and its bare convolutions
  (goal: 1.3 times those);
- training: steps of generator and discriminator, all regularisers included, in 32 bits and in mixed precision;
- refine: until the photo is rendered to within an error, by each method.

    python benchmarks/models.py [--json] [--only page generator training refine] [--width half] [--threads 1]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from _device import CPU, GPU, Device
from _refine_time import refine_time
from _report import ROOT, Figures, machine, parser_of, show, summary
from _training_steps import VARIANTS, training

from backend_container.models.sampling import Page

sys.path.insert(0, str(ROOT))

import skimage.data

from backend_container import threads
from backend_container.faces import foreground
from backend_container.models.detector import FaceDetector
from backend_container.models.engine import ModelError
from backend_container.models.loader import load_engine
from backend_container.models.stylegan2.config import WIDTHS, NetworkConfig
from backend_container.models.stylegan2.frozen import FrozenSynthesis
from backend_container.models.stylegan2.generator import Generator
from backend_container.refine.refinable import refinable_of
from backend_container.screening.face_screen import load_screen

PAGE = 16
NO_GPU = "skipped: torch sees no GPU here"


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--only", nargs="+", choices=sorted(ROWS), default=list(ROWS), help="rows; default: all")
    parser.add_argument("--pages", type=int, default=20)
    parser.add_argument("--images", type=int, default=30)
    parser.add_argument("--width", choices=sorted(WIDTHS), default="half", help="of the generator's row")
    parser.add_argument("--training-width", choices=sorted(WIDTHS), default="eighth")
    parser.add_argument("--batch", type=int, default=8, help="images of a training step")
    parser.add_argument("--steps", type=int, default=16, help="of training; a multiple of 16 has every regulariser")
    parser.add_argument("--goal", type=float, default=0.01, help="mean squared error that a refinement is to reach")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds after which a refinement ends without it")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    use_threads_as_a_backend_does()
    torch.set_num_threads(arguments.threads)
    figures = {
        "machine": machine(),
        "threads": arguments.threads,
        "cpu": {name: ROWS[name](arguments, CPU) for name in arguments.only},
        "gpu": {name: ROWS[name](arguments, GPU) for name in arguments.only} if torch.cuda.is_available() else NO_GPU,
    }
    show(figures, arguments.json)


def use_threads_as_a_backend_does() -> None:
    """Libraries read how when they are imported, which has happened: begin again, told beforehand."""
    if not threads.told():
        threads.tell()
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606


def page_row(arguments: argparse.Namespace, device: Device) -> Figures | str:
    return skipped(lambda: page(arguments.pages, device))


def generator_row(arguments: argparse.Namespace, device: Device) -> Figures | str:
    return generator(WIDTHS[arguments.width], arguments.images, device)


def training_row(arguments: argparse.Namespace, device: Device) -> Figures | str:
    network = WIDTHS[arguments.training_width]
    return training(network, arguments.batch, arguments.steps, VARIANTS[device.name], device)


def refine_row(arguments: argparse.Namespace, device: Device) -> Figures | str:
    return skipped(lambda: refinement(arguments.goal, arguments.limit, device))


ROWS: dict[str, Callable[[argparse.Namespace, Device], Figures | str]] = {
    "page": page_row,
    "generator": generator_row,
    "training": training_row,
    "refine": refine_row,
}


def skipped(measure: Callable[[], Figures]) -> Figures | str:
    """Its figures, or why there are none: a model part that is not installed."""
    try:
        return measure()
    except ModelError as error:
        return f"skipped: {error.detail}"


def refinement(goal: float, limit_s: float, device: Device) -> Figures:
    """The packaged appearance engine, for a photo that it was not made of."""
    photo = skimage.data.astronaut()
    refinable = refinable_of(load_engine("appearance", device=device.name))
    return refine_time(refinable, refinable.target(photo, foreground(FaceDetector().find(photo))[0]), goal, limit_s)


def page(count: int, device: Device) -> Figures:
    """Detection, encoding, 16 neighbours by the packaged appearance engine and the screen, page after page, in ms."""
    engine, detector, screen = load_engine("appearance", device=device.name), FaceDetector(), load_screen()
    photo = skimage.data.astronaut()

    def one(number: int) -> None:
        face = foreground(detector.find(photo))[0]
        suspect = None if screen is None else screen.look(engine.frame(photo, face)[np.newaxis])
        fillers = engine.neighbours(engine.encode(photo, face), Page(number, PAGE, number), suspect=suspect)
        images = engine.synthesize(fillers)
        if screen is not None:
            screen.look(images)

    one(1)
    return summary([device.timed(lambda number=number: one(number)) for number in range(1, count + 1)])


def generator(config: NetworkConfig, count: int, device: Device) -> Figures:
    """One image as the engine makes it, as the network does, and the convolutions alone; in turn, in milliseconds."""
    torch.manual_seed(0)
    network = Generator(config).eval().requires_grad_(False).to(device.name)
    latents = torch.randn(1, *config.latent_shape, device=device.name)
    frozen = FrozenSynthesis(network.synthesis)
    works: dict[str, Callable[[], object]] = {
        "convolutions": bare(config, device.name),
        "network": lambda: network.synthesis(latents),
        "engine": lambda: frozen(latents[0]),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(count):
        for name, work in works.items():
            times[name].append(inferred(work, device))
    middle = {name: statistics.median(found[2:]) for name, found in times.items()}
    over = {
        f"{name}_over_convolutions": round(middle[name] / middle["convolutions"], 2) for name in ("network", "engine")
    }
    return {f"{name}_ms": summary(found[2:]) for name, found in times.items()} | over | device.memory()


@torch.inference_mode()
def inferred(work: Callable[[], object], device: Device) -> float:
    """Milliseconds, without gradients."""
    return device.timed(work)


def bare(config: NetworkConfig, device: str) -> Callable[[], None]:
    """The network's convolutions of its own sizes, channels last, of weights without styles; nothing between them."""
    works: list[Callable[[], object]] = []
    for resolution in config.resolutions:
        inputs, outputs = config.channels(max(resolution // 2, 4)), config.channels(resolution)
        if resolution > 4:
            works.append(doubling(maps(inputs, resolution // 2, device), weights(inputs, outputs, 3, device)))
        x = maps(outputs, resolution, device)
        works += [plain(x, weights(outputs, outputs, 3, device)), plain(x, weights(3, outputs, 1, device))]

    def run() -> None:
        for work in works:
            work()

    return run


def maps(channels: int, side: int, device: str) -> torch.Tensor:
    return torch.randn(1, channels, side, side, device=device).contiguous(memory_format=torch.channels_last)


def weights(first: int, second: int, side: int, device: str) -> torch.Tensor:
    return torch.randn(first, second, side, side, device=device)


def plain(x: torch.Tensor, weight: torch.Tensor) -> Callable[[], object]:
    weight = weight.contiguous(memory_format=torch.channels_last)
    return lambda: F.conv2d(x, weight, padding=weight.shape[-1] // 2)


def doubling(x: torch.Tensor, weight: torch.Tensor) -> Callable[[], object]:
    return lambda: F.conv_transpose2d(x, weight, stride=2)


if __name__ == "__main__":
    main()
