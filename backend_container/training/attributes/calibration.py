"""Makes logits mean what they say, on faces that the training left out (Platt 1999; Guo et al., ICML 2017).

The focal loss and the dropout leave probabilities too near the middle. What is fitted goes into the last layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend_container.models.attributes.layout import Head

ROUNDS = 50
PRIOR = 1e-3
"""Pull towards no change: an attribute that few faces have must not be fitted to one of them."""


def calibrate(
    heads: Sequence[Head],
    layers: Mapping[str, nn.Linear],
    logits: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
) -> None:
    """Scale and shift the outputs of `layers` in place, so that probabilities fit `wanted` best; `weights` are those of
    a head's classes, where they do not count as often as they occur.
    """
    for head in heads:
        scale, shift = _fit(head, logits[head.name], wanted[head.name], weights.get(head.name))
        layer = layers[head.name]
        with torch.no_grad():
            layer.weight.mul_(scale[:, None])
            layer.bias.mul_(scale).add_(shift)


def _fit(head: Head, logits: Tensor, wanted: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
    """Scales and shifts, shape (outputs,). Classes share one scale: their order must not change by a temperature."""
    outputs = len(head.outputs)
    slope = torch.zeros(outputs if head.kind == "binary" else 1, requires_grad=True)
    shift = torch.zeros(outputs, requires_grad=True)
    optimiser = torch.optim.LBFGS([slope, shift], max_iter=ROUNDS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        scaled = logits * slope.exp() + shift
        binary = head.kind == "binary"
        entropy = F.binary_cross_entropy_with_logits if binary else partial(F.cross_entropy, weight=weights)
        loss = entropy(scaled, wanted) + PRIOR * (slope.square().mean() + shift.square().mean())
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return slope.detach().exp().expand(outputs), shift.detach()
