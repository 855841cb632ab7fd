"""Losses of StyleGAN2: non-saturating logistic, R1, path length. Pure but for the graphs they build."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def generator_loss(fake: Tensor) -> Tensor:
    """Of D's logits of generated images, (n,): -log sigmoid (Goodfellow et al. 2014, section 3)."""
    return F.softplus(-fake).mean()


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Of D's logits of real and of generated images, (n,) each."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Mean squared length of D's gradient at real images (Mescheder et al. 2018, equation 9, without gamma / 2).

    `images` (n, 3, R, R) has to require gradients.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def path_lengths(images: Tensor, latents: Tensor, directions: Tensor) -> Tensor:
    """Length of J^T y for each image, (n,): how far an image moves for a step in W (StyleGAN2, section 3.2).

    `latents` (n, layers, latent) is the w+ of `images` (n, 3, R, R); `directions` is y, normally distributed.
    """
    height, width = images.shape[2:]
    projected = (images * directions).sum() / (height * width) ** 0.5
    (gradient,) = torch.autograd.grad(projected, latents, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()
