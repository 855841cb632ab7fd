"""A task's only door to the backend: its input faces, the engine, progress, checkpoints and cancelling."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_container import png
from backend_container.checkpoints import Checkpoints
from backend_container.faces import choose
from backend_container.latent_cache import LatentCache
from backend_container.loading import Models
from backend_container.models.engine import Engine, Latents, Photo
from backend_container.progress import Progress
from ligan.problem import Problem
from ligan.wire.image import ImageRef, Origin

log = logging.getLogger(__name__)
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

    Every method but those of checkpoints raises Problem("cancelled") once the task shall stop, so a task that uses it
    often ends soon. It shall stop when its person cancels it, and when its backend has to go: then another goes on.
    """

    def __init__(
        self,
        models: Models,
        images: Iterable[ImageRef],
        fetch: Callable[[str], bytes],
        latents: LatentCache,
        progress: Progress,
        cancelled: threading.Event,
        checkpoints: Checkpoints,
        resume_from: str | None = None,
    ) -> None:
        self._models = models
        self._images = {image.image_id: image for image in images}
        self._fetch = fetch
        self._latents = latents
        self._progress = progress
        self._cancelled = cancelled
        self._checkpoints = checkpoints
        self._resume_from = resume_from

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
        self._checkpoints.send_due()

    def resume(self) -> bytes | None:
        """What an earlier attempt of this task gave to `checkpoint` last; None: begin at the beginning.

        Raises Problem: unreachable.
        """
        self.check_cancelled()
        kept = self._kept()
        if kept is not None:
            self._progress.resumed()
        return kept

    def checkpoint(self, data: bytes) -> None:
        """Keep how far the task is, in the task's own form, for an attempt on another backend to go on from.

        Costs next to nothing: the newest is sent now and then, and at last when the backend has to go. Keep it before
        `progress` is told, which may be where the task stops. Raises ValueError above `ligan.intervals.MAX_CHECKPOINT`.
        """
        self._checkpoints.keep(data)

    @property
    def checkpoint_due(self) -> bool:
        """Whether a checkpoint would be sent now; for tasks whose state takes long to write."""
        return self._checkpoints.due

    def pause(self, seconds: float) -> None:
        """Wait, or end at once when cancelled."""
        self._cancelled.wait(seconds)
        self.check_cancelled()

    def check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise Problem("cancelled", "The task was cancelled while it ran; start it again if it is still wanted.")

    def _kept(self) -> bytes | None:
        if self._resume_from is None:
            return None
        try:
            return self._fetch(self._resume_from)
        except Problem as problem:
            if problem.slug != "unknown-image":
                raise
            log.warning("the checkpoint %s is gone; the task begins at the beginning", self._resume_from)
            return None

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
