"""The discriminator: a residual network (StyleGAN2, section 4.1 and figure 7c)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from backend_container.models.stylegan2.config import NetworkConfig
from backend_container.models.stylegan2.layers import Conv2d, Linear, activate

GROUP = 4
"""Images at most whose spread the minibatch layer compares."""


def minibatch_deviation(x: Tensor) -> Tensor:
    """x with one more map: the mean standard deviation of its group, so that a lack of variety shows.

    Progressive GAN, section 3. A group is of `GROUP` images, or of fewer where that does not divide the batch; image i
    belongs to group i mod groups.
    """
    n, channels, height, width = x.shape
    wide = x.to(torch.promote_types(x.dtype, torch.float32))  # 1e-8 is 0 in 16 bits
    grouped = wide.reshape(math.gcd(n, GROUP), -1, channels, height, width)
    deviation = (grouped.var(dim=0, correction=0) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    repeated = deviation.repeat(len(grouped))[:, None, None, None]
    return torch.cat([x, repeated.expand(-1, 1, height, width)], dim=1)


class Block(nn.Module):
    """Two convolutions, the second halving, beside a halving 1x1 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = Conv2d(inputs, inputs, 3)
        self.second = Conv2d(inputs, outputs, 3, down=True)
        self.skip = Conv2d(inputs, outputs, 1, bias=False, down=True)

    def forward(self, x: Tensor) -> Tensor:
        long = activate(self.second(activate(self.first(x))))
        short: Tensor = self.skip(x)
        return (long + short) / math.sqrt(2)


class Discriminator(nn.Module):
    """Images (n, 3, resolution, resolution), RGB in -1 to 1, to a logit each, (n,): high for real ones."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        falling = config.resolutions[:0:-1]
        last = config.channels(4)
        self.from_rgb = Conv2d(3, config.channels(config.resolution), 1)
        self.blocks = nn.Sequential(*(Block(config.channels(r), config.channels(r // 2)) for r in falling))
        self.conv = Conv2d(last + 1, last, 3)
        self.dense = Linear(last * 4 * 4, last, active=True)
        self.logit = Linear(last, 1)

    def forward(self, images: Tensor) -> Tensor:
        x = minibatch_deviation(self.blocks(activate(self.from_rgb(images))))
        logits: Tensor = self.logit(self.dense(activate(self.conv(x)).flatten(1)))
        return logits.squeeze(1)
