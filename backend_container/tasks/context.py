"""A task's only door to the backend: its input faces, the engine, progress, checkpoints and cancelling."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend_container import png
from backend_container.checkpoints import Checkpoints
from backend_container.faces import choose
from backend_container.latent_cache import LatentCache
from backend_container.loading import Models
from backend_container.models.engine import Engine, FaceBox, Latents, ModelError, Photo
from backend_container.models.looks import Looks
from backend_container.models.sampling import Growth
from backend_container.previews import Previews
from backend_container.progress import Progress
from backend_container.refiner import Ears, MethodName, Moved, Wish
from backend_container.screening import rules
from ligan.problem import Problem
from ligan.wire.image import Flag, ImageRef, Origin

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
    flags: tuple[Flag, ...] | None = None
    """What the screen found; None: nobody looked."""
    weights: RenderedBy | None = None
    """The refined weights that made it; None: the engine's own."""


@dataclass(frozen=True, eq=False)
class RenderedBy:
    """Refined weights: an artifact of the session."""

    sha256: str
    fingerprint: str
    data: bytes | None = None
    """New ones, to be stored."""


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
        previews: Previews | None = None,
        keep: threading.Event | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models = models
        self._images = {image.image_id: image for image in images}
        self._fetch = fetch
        self._latents = latents
        self._progress = progress
        self._cancelled = cancelled
        self._checkpoints = checkpoints
        self._resume_from = resume_from
        self._previews = previews
        self._keep = keep or threading.Event()
        self._now, self._began = now, now()
        self._moved: Moved | None = None
        self._rendered_by: RenderedBy | None = None
        self._files: dict[str, bytes] = {}
        self._faces: dict[str, tuple[Photo, FaceBox]] = {}

    @property
    def engine(self) -> Engine:
        """The engine; with refined weights once `latent` was asked for an image that they made."""
        return self._models.engine if self._moved is None else self._moved.engine

    @property
    def growth(self) -> Growth:
        """How pages of similar faces move away from theirs."""
        return self._models.growth

    def latent(self, image_id: str) -> Latent:
        """The face of an input image: its own latent if a task made the image, else its encoding.

        Raises Problem (unknown-image, not-an-image, no-face, several-faces, unreachable) and ModelError
        (face-not-readable).
        """
        self.check_cancelled()
        image = self._image(image_id)
        self._use_refined(image)
        by = self._rendered_by and self._rendered_by.sha256
        latent = self._latents.get((image.sha256, image.origin, image.face, by), lambda: self._encode(image))
        self.progress(ENCODED)
        return latent

    def looks(self, image_id: str) -> Looks | None:
        """What the screen's networks see of an input image's face, looked at once; None where no screen is installed.

        Raises Problem and ModelError as `latent`.
        """
        self.check_cancelled()
        if self._models.screen is None:
            return None
        image = self._image(image_id)
        return self._models.screen.remembered((image.sha256, image.origin, image.face), lambda: self._frame(image))

    def render(self, latents: Latents, captions: Sequence[str]) -> list[Rendered]:
        """Images of latents (n, *latent_shape) with n captions: one by one, for the sake of progress and cancelling."""
        begun, total = self._progress.percent, len(captions)
        rendered = []
        for n, (latent, caption) in enumerate(zip(latents, captions, strict=True), start=1):
            self.check_cancelled()
            image = self.engine.synthesize(latent[np.newaxis])[0]
            rendered.append(Rendered(image, caption, latent, weights=self._rendered_by))
            self.progress(begun + (100 - begun) * n / total)
        return rendered

    def screen(self, rendered: Sequence[Rendered], image_id: str | None = None) -> list[Rendered]:
        """The images with flags; `image_id` names the face that they shall be like, if they shall be like one.

        Where no screen is installed they stay without. Raises Problem and ModelError as `latent`.
        """
        screen = self._models.screen
        if screen is None or not rendered:
            return list(rendered)
        self.check_cancelled()
        suspect = None if image_id is None else self.looks(image_id)
        looks = screen.look(np.stack([one.image for one in rendered]))
        coordinates = self.engine.space.project(np.stack([one.latent for one in rendered]))
        unusual = rules.farther(coordinates, self._models.random_coordinates)
        found = rules.flags(looks, unusual, screen.double_below, suspect)
        return [replace(one, flags=flags) for one, flags in zip(rendered, found, strict=True)]

    def progress(self, percent: float) -> None:
        """So much is done, 0 to 100. Smaller values than before change nothing."""
        self.check_cancelled()
        self._progress.update(percent)
        self._checkpoints.send_due()

    def refine(
        self, image_id: str, method: MethodName, seconds: float, seed: int, captions: tuple[str, str]
    ) -> list[Rendered]:
        """The face of an input image as it was rendered before, and as it is with weights that were fitted to it for so
        many seconds, all attempts together. What it came to so far is shown, kept, and taken when that is wanted.

        Raises what `latent` raises, and ModelError (engine-unknown) where the engine cannot be refined.
        """
        refiner = self._models.refiner
        if refiner is None:
            raise ModelError("engine-unknown", f"The engine {self.engine.name} cannot be refined; choose another.")
        photo, face = self._face(self._image(image_id))
        wish = Wish(photo, face, method, seconds, self._began, self._now, seed, self.resume())
        won = refiner.refine(wish, Ears(self.progress, self._beside_start(), self.checkpoint, self._keep.is_set))
        by = won.weights and won.fingerprint and RenderedBy(png.sha256(won.weights), won.fingerprint, won.weights)
        before, after = captions
        return [
            Rendered(won.start, before, won.start_latent),
            Rendered(won.image, after, won.latent, weights=by or None),
        ]

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

    def _beside_start(self) -> Callable[[Photo], None]:
        """Shows a picture to the right of the first that it got."""
        first: list[Photo] = []

        def show(picture: Photo) -> None:
            first.append(picture) if not first else None
            if self._previews is not None:
                self._previews.show(np.concatenate([first[0], picture], axis=1))

        return show

    def _use_refined(self, image: ImageRef) -> None:
        """Render with the refined weights that made the image. The first such image of a task decides."""
        if image.weights is None or self._moved is not None or self._models.refiner is None:
            return
        try:
            moved = self._models.refiner.moved(image.weights, self._fetch(image.weights))
        except ModelError as error:
            log.warning("the refined weights %s are of no use, their image is encoded anew: %s", image.weights, error)
            return
        self._moved, self._rendered_by = moved, RenderedBy(image.weights, moved.fingerprint)

    def _image(self, image_id: str) -> ImageRef:
        if image_id not in self._images:
            raise Problem("unknown-image", f"{image_id} is not among the images of this task.")
        return self._images[image_id]

    def _encode(self, image: ImageRef) -> Latent:
        carried = self._carried(self._file(image)) if image.origin is Origin.TASK else None
        if carried is not None:
            return carried
        return self.engine.encode(*self._face(image))

    def _frame(self, image: ImageRef) -> Photo:
        """The face as the engine frames it: a task's image is framed already."""
        if image.origin is Origin.TASK:
            return png.decode(self._file(image))
        return self.engine.frame(*self._face(image))

    def _face(self, image: ImageRef) -> tuple[Photo, FaceBox]:
        """Found once, for its latent and its looks."""
        if image.image_id not in self._faces:
            photo = png.decode(self._file(image))
            self._faces[image.image_id] = photo, choose(self._models.faces(photo), image.face)
        return self._faces[image.image_id]

    def _file(self, image: ImageRef) -> bytes:
        if image.sha256 not in self._files:
            self._files[image.sha256] = self._fetch(image.sha256)
        return self._files[image.sha256]

    def _carried(self, data: bytes) -> Latent | None:
        provenance = png.provenance(data)
        fitting = [self._models.fingerprint, *([self._rendered_by.fingerprint] if self._rendered_by else [])]
        fits = provenance is not None and any(provenance.fits(self.engine, weights) for weights in fitting)
        return provenance.latent if provenance is not None and fits else None
