"""A user's own file of a network's published weights: safetensors, or torch.save's; nothing of it is executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from backend_container.models.engine import ModelError
from backend_container.models.torch_refusal import UNREADABLE, refusal

_COUNTER = "num_batches_tracked"
"""Of batch normalisation: no weight, and not in every file."""


def load_state(network: nn.Module, path: Path, kind: str, unused: Mapping[str, tuple[int, ...]] | None = None) -> None:
    """Give a network, built on any device (`meta` too), the tensors of a file, as 32 bit floats on the CPU.

    `kind` names the weights in sentences; `unused` are tensors that the file must have beside the network's own.
    Raises ModelError: `weights-missing` when the file cannot be opened; `weights-mismatch` when it is of another kind
    or its tensors are not exactly those, by name and shape; `weights-damaged` when a number is not finite.
    """
    state = {name: tensor for name, tensor in read_state(path, kind).items() if not name.endswith(_COUNTER)}
    own = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items() if not name.endswith(_COUNTER)}
    _check_shapes(state, own | dict(unused or {}), path, kind)
    if unfit := [name for name, tensor in state.items() if not torch.isfinite(tensor).all()]:
        detail = f"{path.name} is damaged: {unfit[0]} holds numbers that are not finite. Get the {kind} again."
        raise ModelError("weights-damaged", detail)
    floats = {name: state[name].float() for name in own}
    network.load_state_dict(floats, strict=False, assign=True)  # all but the counters, as was checked above


def _check_shapes(state: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]], path: Path, kind: str) -> None:
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    if wrong := sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)):
        first = f"{wrong[0]}: {found.get(wrong[0], 'absent')} in place of {expected.get(wrong[0], 'none')}"
        raise mismatch(path, kind, f"{len(wrong)} tensors differ, the first {first}")


def read_state(path: Path, kind: str) -> dict[str, Tensor]:
    """The tensors of a file by name. Raises ModelError: `weights-missing`, or `weights-mismatch` as `mismatch`."""
    try:
        stored = _parsed(path)
    except OSError as error:
        detail = f"The {kind} cannot be read from {path}: {error.strerror or error}. Name the file with its whole path."
        raise ModelError("weights-missing", detail) from error
    except (SafetensorError, *UNREADABLE) as error:
        raise mismatch(path, kind, f"it does not read as tensors alone: {refusal(error)}") from error
    if not isinstance(stored, dict) or not all(_fits(tensor) for tensor in stored.values()):
        raise mismatch(path, kind, "it holds something else than named tensors")
    return {str(name): tensor for name, tensor in stored.items()}


def _parsed(path: Path) -> object:
    """By torch's own loader, told to make tensors and plain data only, unless the file is called .safetensors."""
    if path.suffix == ".safetensors":
        return load_file(path)
    stored: object = torch.load(path, map_location="cpu", weights_only=True)
    return stored


def _fits(tensor: object) -> bool:
    return isinstance(tensor, Tensor) and tensor.layout is torch.strided and not tensor.is_quantized


def mismatch(path: Path, kind: str, reason: str) -> ModelError:
    """What is said of a file that is not the one that was wanted."""
    return ModelError("weights-mismatch", f"{path.name} is not the {kind} ({reason}). Name that file.")
