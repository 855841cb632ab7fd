"""Losses of attribute networks, and how their biases begin. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from backend_container.models.attributes.layout import Head


def focal(logits: Tensor, wanted: Tensor, gamma: float, alpha: float) -> Tensor:
    """Mean of -a (1 - p)^gamma log p, p being the probability of what is so, a = alpha for faces with the attribute.

    Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 5. `wanted` is 0 or 1, shape as `logits`.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    weight = alpha * wanted + (1 - alpha) * (1 - wanted)
    return (weight * (1 - torch.exp(-entropy)).pow(gamma) * entropy).mean()


def loss(
    heads: Sequence[Head],
    logits: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
    gamma: float,
    alpha: float,
    weights: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Of each head: focal where it has binary attributes, cross entropy where one of its classes is true, with the
    `weights` of its classes where there are any.
    """
    found = {}
    for head in heads:
        if head.kind == "binary":
            found[head.name] = focal(logits[head.name], wanted[head.name], gamma, alpha)
        else:
            found[head.name] = F.cross_entropy(logits[head.name], wanted[head.name], weights.get(head.name))
    return found


def class_weights(heads: Sequence[Head], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of each head whose classes exclude each other, shape (outputs,): with them all classes of these faces count
    alike. A class that no face is of weighs nothing.
    """
    counts = {
        head.name: torch.bincount(wanted[head.name], minlength=len(head.outputs)).float()
        for head in heads
        if head.kind == "classes"
    }
    return {name: torch.where(n > 0, n.sum() / (len(n) * n.clamp(min=1)), 0.0) for name, n in counts.items()}


def first_bias(head: Head, wanted: Tensor) -> Tensor:
    """The bias, shape (outputs,), with which an untrained head answers with the frequencies of its labels.

    So the first steps are not spent on learning that few people are bald (Lin et al., section 4.1). Rows are faces.
    """
    if head.kind == "binary":
        share = (wanted.sum(0) + 0.5) / (len(wanted) + 1)
        return torch.log(share / (1 - share))
    counts = torch.bincount(wanted, minlength=len(head.outputs)) + 0.5
    return torch.log(counts / counts.sum())
