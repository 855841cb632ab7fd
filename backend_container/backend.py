"""One backend's life: listen, register, load, tell that it is ready, work."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from backend_container.desk import Desk
from backend_container.outcome import outcome
from backend_container.phases import Phases
from backend_container.queue import TaskQueue, Ticket
from backend_container.reporter import Report, Reporter
from backend_container.server import application
from ligan.job import Home
from ligan.web.serving import listen
from ligan.wire.event import EventName
from ligan.wire.job import Bootstrap, Ready

if TYPE_CHECKING:
    from backend_container.tasks.registry import Registry
    from backend_container.worker import Worker

log = logging.getLogger(__name__)
_LAST_WORDS = 1.0
"""Seconds that reports on their way get when the backend is told to end."""


class Backend:
    """The parts of one backend, put together. Nothing that takes long is imported before it is registered."""

    def __init__(self, bootstrap: Bootstrap, leave: Callable[[int], object]) -> None:
        """`leave` ends the process with an exit code; it is called at most from a background thread."""
        self._bootstrap = bootstrap
        self._leave = leave
        self._phases = Phases()
        self._home = Home(bootstrap)
        self._reporter = Reporter(self._home.client, bootstrap.orphan_lease_s)
        self._registered = threading.Event()
        model_thread = ThreadPoolExecutor(1, "model")
        self._loading = model_thread.submit(self._load)  # the thread's first work; tasks that come early wait behind it
        self._loading.add_done_callback(self._loaded)
        self._queue = TaskQueue(model_thread, self._perform, self._settle)

    def start(self) -> None:
        """Listen and register; loading then goes on in the background. Raises SystemExit when the daemon refuses."""
        app = application(Desk(_registry, self._queue, self._loading))
        self._home.admit(app)
        server = listen(app, self._bootstrap.bind_host)
        server.start()
        self._phases.end("start")
        self._home.register(server)
        self._phases.end("register")
        self._registered.set()
        self._home.beat(self._queue.pulse, self._abandoned)

    def end(self) -> None:
        """Let the last reports out, for a moment, and leave with code 0."""
        self._reporter.drain(_LAST_WORDS)
        self._leave(0)

    def _load(self) -> Worker:
        self._registered.wait()
        from backend_container.loading import load  # imports NumPy, then torch and OpenCV
        from backend_container.worker import Worker

        models = load(self._bootstrap, self._phases)
        return Worker(models, self._fetch, self._reporter.post, self._bootstrap.orphan_lease_s)

    def _loaded(self, loading: Future[Worker]) -> None:
        error = loading.exception()
        if error is not None:
            log.error("Loading failed", exc_info=error)
            log.error("The models cannot be loaded: %s", error)  # last, where the end of a job's log shows it
            self._leave(1)
            return
        log.info("ready; seconds since the process began: %s", self._phases.ended)
        self._reporter.post(Report(f"/{EventName.ON_READY}", Ready(phases=self._phases.ended)))

    def _perform(self, ticket: Ticket) -> Report:
        return self._loading.result().perform(ticket)

    def _settle(self, ticket: Ticket, future: Future[Report]) -> None:
        self._reporter.post(outcome(ticket, future))

    def _fetch(self, sha256: str) -> bytes:
        return self._home.client.get_bytes(f"/artifacts/{sha256}")

    def _abandoned(self) -> None:
        log.warning("The daemon refuses this job or has been away for too long; the backend ends.")
        self._leave(0)


def _registry() -> Registry:
    from backend_container.tasks import REGISTRY  # its tasks import NumPy

    return REGISTRY
