"""The model side of a backend: performs tickets with the models, and looks for faces on uploads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from functools import partial

from backend_container import png
from backend_container.checkpoints import Checkpoints
from backend_container.faces import box, choose
from backend_container.latent_cache import LatentCache
from backend_container.loading import Models
from backend_container.models.engine import ModelError, Photo
from backend_container.previews import Previews
from backend_container.progress import Progress, Reading
from backend_container.queue import Stop, Ticket
from backend_container.reporter import Report
from backend_container.tasks.context import Context, Rendered
from ligan.patience import patiently
from ligan.problem import CATALOGUE, Problem
from ligan.wire.event import EventName
from ligan.wire.image import Face, FaceState, Look
from ligan.wire.job import ReportedCheckpoint, ReportedImage, ReportedPreview, ReportedProgress, ReportedResult

_LINGER = 0.02
"""Seconds that progress waits: nobody sees a bar for so long, and a task that ends meanwhile costs one report."""


class Worker:
    """One for a backend, once its models are loaded."""

    def __init__(
        self, models: Models, fetch: Callable[[str], bytes], post: Callable[[Report], None], patience_s: float
    ) -> None:
        """`fetch` returns an artifact's bytes by its sha256 or raises Problem; `post` does not wait for the network."""
        self._models = models
        self._fetch = fetch
        self._post = post
        self._patience_s = patience_s
        self._latents = LatentCache()
        self._checkpoints: Checkpoints | None = None
        self._running = threading.Lock()
        self._erased: deque[frozenset[str]] = deque()

    def perform(self, ticket: Ticket) -> Report:
        """Run the task, on the model thread; progress and checkpoints are posted on the way, the result is returned.

        Raises Problem, and whatever a task raises that nobody foresaw.
        """
        try:
            return self._result(ticket, self._run(ticket))
        except ModelError as error:
            raise _problem(error) from error

    def done(self, ticket: Ticket) -> bool:
        """Run a light task, on any thread. False where it failed or has images: `perform` does it, and tells of it."""
        try:
            return not ticket.work.run(self._context(ticket, Progress(_untold), Checkpoints(_untold, ticket.cancelled)))
        except (Problem, ModelError):
            return False

    def flush(self) -> None:
        """Post what the running task kept last, from any thread: it may be too deep in a network to stop in time."""
        if self._checkpoints is not None:
            self._checkpoints.flush()

    def forget(self, artifacts: Collection[str]) -> None:
        """Drop what was made of artifacts that were erased, from any thread: when no task runs."""
        self._erased.append(frozenset(artifacts))
        self._forget_if_idle()

    def look(self, look: Look) -> Face:
        """Which face of a photo tasks would use; from any thread.

        Raises Problem: no-face, several-faces, not-an-image, or what fetching the photo raises.
        """
        faces = self._models.faces(png.decode(self._fetch(look.sha256)))
        return Face(state=FaceState.FOUND, box=box(choose(faces, look.face)), count=len(faces))

    def _forget_if_idle(self) -> None:
        if self._running.acquire(blocking=False):
            try:
                self._forget_all()
            finally:
                self._running.release()

    def _forget_all(self) -> None:
        while self._erased:
            names = self._erased.popleft()
            self._latents.forget(names)
            for cache in (self._models.screen, self._models.refiner):
                if cache is not None:
                    cache.forget(names)

    def _run(self, ticket: Ticket) -> list[Rendered]:
        try:
            with self._running:
                self._forget_all()
                return self._run_alone(ticket)
        finally:
            self._forget_if_idle()

    def _run_alone(self, ticket: Ticket) -> list[Rendered]:
        self._checkpoints = checkpoints = Checkpoints(partial(self._kept, ticket), ticket.cancelled)
        try:
            return self._rendered(ticket, checkpoints)
        finally:
            self._checkpoints = None
            if ticket.stop is not None:
                checkpoints.flush()

    def _rendered(self, ticket: Ticket, checkpoints: Checkpoints) -> list[Rendered]:
        context = self._context(ticket, Progress(partial(self._progressed, ticket)), checkpoints)
        context.progress(0)
        rendered = ticket.work.run(context)
        context.progress(100)
        return rendered

    def _context(self, ticket: Ticket, progress: Progress, checkpoints: Checkpoints) -> Context:
        return Context(
            self._models,
            ticket.order.images,
            lambda sha256: patiently(partial(self._fetch, sha256), self._patience_s),
            self._latents,
            progress,
            ticket.cancelled,
            checkpoints,
            ticket.order.checkpoint,
            Previews(partial(self._previewed, ticket)),
            ticket.keep,
        )

    def _progressed(self, ticket: Ticket, reading: Reading) -> None:
        ticket.percent, ticket.eta_s = reading.percent, reading.eta_s
        message = ReportedProgress(
            task_id=ticket.order.task_id,
            attempt=ticket.order.attempt,
            seq=reading.seq,
            percent=reading.percent,
            eta_s=reading.eta_s,
        )
        # An order may leave the daemon just before it dies, and its task with it: nobody waits for that one
        stop = partial(ticket.end, Stop.TAKEN_BACK)
        report = Report(f"/{EventName.ON_PROGRESS}", message, supersedes=ticket.key, linger_s=_LINGER, when_stale=stop)
        self._post(report)

    def _kept(self, ticket: Ticket, seq: int, data: bytes) -> None:
        if ticket.stop is Stop.CANCELLED:
            return  # nobody will go on with it
        sha256 = png.sha256(data)
        message = ReportedCheckpoint(task_id=ticket.order.task_id, attempt=ticket.order.attempt, seq=seq, sha256=sha256)
        self._post(Report("/on-checkpoint", message, {sha256: data}, supersedes=("checkpoint", ticket.key)))

    def _previewed(self, ticket: Ticket, seq: int, picture: Photo) -> None:
        file = png.plain(picture)
        sha256, (height, width) = png.sha256(file), picture.shape[:2]
        of = {"task_id": ticket.order.task_id, "attempt": ticket.order.attempt}
        message = ReportedPreview(**of, seq=seq, sha256=sha256, width=width, height=height)
        self._post(Report("/on-preview", message, {sha256: file}, supersedes=("preview", ticket.key)))

    def _result(self, ticket: Ticket, rendered: Sequence[Rendered]) -> Report:
        files = [png.encode(one.image, self._provenance(ticket, one)) for one in rendered]
        names = [png.sha256(file) for file in files]
        message = ReportedResult(
            task_id=ticket.order.task_id,
            attempt=ticket.order.attempt,
            images=[_image(name, one) for name, one in zip(names, rendered, strict=True)],
        )
        artifacts = dict(zip(names, files, strict=True)) | _new_weights(rendered)
        return Report(f"/{EventName.ON_RESULT}", message, artifacts, supersedes=ticket.key)

    def _provenance(self, ticket: Ticket, rendered: Rendered) -> png.Provenance:
        return png.Provenance(
            engine=self._models.engine.name,
            weights=self._models.fingerprint if rendered.weights is None else rendered.weights.fingerprint,
            kind=ticket.order.kind,
            params=ticket.work.params.settings(),
            latent=rendered.latent,
        )


def _untold(*_: object) -> None:
    """Nobody asks how far a task is that is done at once."""


def _image(sha256: str, rendered: Rendered) -> ReportedImage:
    height, width = rendered.image.shape[:2]
    flags = None if rendered.flags is None else list(rendered.flags)
    weights = rendered.weights and rendered.weights.sha256
    return ReportedImage(
        sha256=sha256, width=width, height=height, caption=rendered.caption, flags=flags, weights=weights
    )


def _new_weights(rendered: Sequence[Rendered]) -> dict[str, bytes]:
    """Artifacts that come with the images."""
    made = [one.weights for one in rendered if one.weights is not None]
    return {by.sha256: by.data for by in made if by.data is not None}


def _problem(error: ModelError) -> Problem:
    slug = error.slug if error.slug in CATALOGUE else "internal-error"
    return Problem(slug, error.detail)
