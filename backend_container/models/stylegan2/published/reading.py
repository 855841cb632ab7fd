"""A published file as a generator of ours."""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.serialization import safe_globals

from backend_container.models.engine import ModelError
from backend_container.models.stylegan2.config import NetworkConfig
from backend_container.models.stylegan2.generator import Generator
from backend_container.models.stylegan2.published import ada, rosinality
from backend_container.models.stylegan2.published.inert_pickle import PickleRefusedError, read_pickle
from backend_container.models.stylegan2.published.named import Named, network_of, ours
from backend_container.models.torch_refusal import UNREADABLE, refusal

AVERAGED = 10_000
"""z whose mean w takes the place of one that the file lacks."""


def read_published(path: Path) -> tuple[NetworkConfig, Generator]:
    """The averaged generator of NVIDIA's stylegan2-ada-pytorch (.pkl) or rosinality's stylegan2-pytorch (.pt).

    Nothing of the file is executed. Raises ModelError: `weights-missing` when it cannot be opened, `weights-mismatch`
    when it is of another kind, or holds what weights never hold.
    """
    try:
        named = _reader(path)(path)
        config = network_of(named)
        return config, _filled(config, ours(named))
    except OSError as error:
        raise ModelError("weights-missing", f"{path} cannot be read: {error.strerror or error}.") from error
    except zipfile.BadZipFile as error:
        raise ModelError("weights-mismatch", f"{path.name} cannot be imported. It is a damaged archive.") from error
    except PickleRefusedError as error:
        raise ModelError("weights-mismatch", f"{path.name} cannot be imported. {error}") from error


def _reader(path: Path) -> Callable[[Path], Named]:
    """By what the file is, not by what it is called: torch.save's archives, its older format, or a plain pickle."""
    with path.open("rb") as file:
        head = file.read(32)
    return _of_torch if zipfile.is_zipfile(path) or _MAGIC in head else _of_pickle


_MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
"""With which torch.save's older format begins, after its pickle's head."""


def _of_pickle(path: Path) -> Named:
    with path.open("rb") as file:
        pickled = read_pickle(file)
    if isinstance(pickled, tuple):
        raise PickleRefusedError(
            "It is a pickle of the TensorFlow version. Convert it by legacy.py of NVIDIA's stylegan2-ada-pytorch first."
        )
    return ada.generator_tensors(pickled)


def _of_torch(path: Path) -> Named:
    """torch's own loader, told to make tensors and plain data only."""
    try:
        with safe_globals([argparse.Namespace]):  # rosinality's train.py stores its arguments beside the networks
            stored = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise PickleRefusedError(f"torch does not read it as weights alone: {refusal(error)}.") from error
    state = stored.get("g_ema", stored) if isinstance(stored, dict) else {}
    if not isinstance(state, dict) or not rosinality.is_rosinality(state):
        raise PickleRefusedError("It holds no generator `g_ema` as rosinality's stylegan2-pytorch stores one.")
    average = stored.get("latent_avg")
    return rosinality.generator_tensors(_arrays(state), None if average is None else _array(average))


def _arrays(state: Mapping[str, Any]) -> Named:
    return {str(name): _array(tensor) for name, tensor in state.items()}


def _array(tensor: object) -> np.ndarray[Any, np.dtype[np.float32]]:
    if not isinstance(tensor, Tensor) or tensor.is_sparse:
        raise PickleRefusedError("Its generator holds something that is no tensor.")
    return np.asarray(tensor.detach().float().numpy(), np.float32)


def _filled(config: NetworkConfig, tensors: Named) -> Generator:
    generator = Generator(config).eval().requires_grad_(False)
    expected = {name: tuple(tensor.shape) for name, tensor in generator.state_dict().items()}
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if wrong := sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)):
        here, there = expected.get(wrong[0], "none"), found.get(wrong[0], "none")
        raise PickleRefusedError(f"{len(wrong)} tensors do not fit, the first {wrong[0]}: {there} instead of {here}.")
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise PickleRefusedError("It holds numbers that are not finite.")
    generator.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    if not generator.mapping.average.any():
        _average(generator)
    return generator


@torch.inference_mode()
def _average(generator: Generator) -> None:
    """As the authors' own `mean_latent` does."""
    z = torch.randn(AVERAGED, len(generator.mapping.average), generator=torch.Generator().manual_seed(0))
    generator.mapping.average.copy_(generator.mapping(z).mean(0))
