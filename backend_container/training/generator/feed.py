"""Photos for each step, read one step ahead."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from backend_container.datasets.shards import FaceShards
from backend_container.training import draws
from backend_container.training.processes import Processes


class Feed:
    """`batch` photos for each process and step: shuffled epochs, every other photo mirrored where that is wanted."""

    def __init__(
        self, shards: FaceShards, batch: int, seed: int, mirror: bool, device: torch.device, processes: Processes
    ) -> None:
        self._shards, self._batch, self._seed, self._mirror = shards, batch, seed, mirror
        self._device, self._processes = device, processes
        self._reader = ThreadPoolExecutor(1, "feed")
        self._next: tuple[int, Future[Tensor]] | None = None

    def photos(self, step: int) -> Tensor:
        """Of this process at that step: (batch, 3, R, R) on the device, RGB in -1 to 1."""
        found = self._next[1] if self._next and self._next[0] == step else self._reader.submit(self._read, step)
        self._next = (step + 1, self._reader.submit(self._read, step + 1))
        photos = found.result().to(self._device, non_blocking=True)
        return photos.permute(0, 3, 1, 2).float() / 127.5 - 1

    def _read(self, step: int) -> Tensor:
        together = self._batch * self._processes.size
        places = draws.indices(len(self._shards), self._seed, step * together, together)
        flips = torch.rand(together, generator=draws.generator(self._seed, "mirror", step)) < 0.5
        mine = slice(self._processes.rank, None, self._processes.size)
        photos = torch.from_numpy(self._shards.photos(places[mine]))
        if self._mirror:
            photos = torch.where(flips[mine, None, None, None], photos.flip(2), photos)
        return photos.pin_memory() if self._device.type == "cuda" else photos
