"""A task's only door to the backend: its input faces, the engine, progress and cancelling."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_container import png
from backend_container.faces import choose
from backend_container.latent_cache import LatentCache
from backend_container.loading import Models
from backend_container.models.engine import Engine, Latents, Photo
from backend_container.progress import Progress
from ligan.problem import Problem
from ligan.wire.image import ImageRef, Origin

Latent = NDArray[np.float32]
"""One face in the engine's latent space, float32, shape engine.latent_shape."""
ENCODED = 10.0
"""Percent that are done once an input face is encoded: an encoding takes about as long as a face or two of a page."""


@dataclass(frozen=True, eq=False)
class Rendered:
    """One image of a result, with what made it."""

    image: Photo
    caption: str
    latent: Latent


class Context:
    """What one run of a task may see and do. Used from the model thread alone.

    Every method raises Problem("cancelled") once the task's cancelling was asked for, so a task that uses it often
    ends soon.
    """

    def __init__(
        self,
        models: Models,
        images: Iterable[ImageRef],
        fetch: Callable[[str], bytes],
        latents: LatentCache,
        progress: Progress,
        cancelled: threading.Event,
    ) -> None:
        self._models = models
        self._images = {image.image_id: image for image in images}
        self._fetch = fetch
        self._latents = latents
        self._progress = progress
        self._cancelled = cancelled

    @property
    def engine(self) -> Engine:
        return self._models.engine

    def latent(self, image_id: str) -> Latent:
        """The face of an input image: its own latent if a task made the image, else its encoding.

        Raises Problem (unknown-image, not-an-image, no-face, several-faces, unreachable) and ModelError
        (face-not-readable).
        """
        self.check_cancelled()
        image = self._image(image_id)
        latent = self._latents.get((image.sha256, image.origin, image.face), lambda: self._encode(image))
        self.progress(ENCODED)
        return latent

    def render(self, latents: Latents, captions: Sequence[str]) -> list[Rendered]:
        """Images of latents (n, *latent_shape) with n captions: one by one, for the sake of progress and cancelling."""
        begun, total = self._progress.percent, len(captions)
        rendered = []
        for n, (latent, caption) in enumerate(zip(latents, captions, strict=True), start=1):
            self.check_cancelled()
            rendered.append(Rendered(self.engine.synthesize(latent[np.newaxis])[0], caption, latent))
            self.progress(begun + (100 - begun) * n / total)
        return rendered

    def progress(self, percent: float) -> None:
        """So much is done, 0 to 100. Smaller values than before change nothing."""
        self.check_cancelled()
        self._progress.update(percent)

    def pause(self, seconds: float) -> None:
        """Wait, or end at once when cancelled."""
        self._cancelled.wait(seconds)
        self.check_cancelled()

    def check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise Problem("cancelled", "The task was cancelled while it ran; start it again if it is still wanted.")

    def _image(self, image_id: str) -> ImageRef:
        if image_id not in self._images:
            raise Problem("unknown-image", f"{image_id} is not among the images of this task.")
        return self._images[image_id]

    def _encode(self, image: ImageRef) -> Latent:
        data = self._fetch(image.sha256)
        carried = self._carried(data) if image.origin is Origin.TASK else None
        if carried is not None:
            return carried
        photo = png.decode(data)
        return self.engine.encode(photo, choose(self._models.faces(photo), image.face))

    def _carried(self, data: bytes) -> Latent | None:
        provenance = png.provenance(data)
        fits = provenance is not None and provenance.fits(self.engine, self._models.fingerprint)
        return provenance.latent if provenance is not None and fits else None
