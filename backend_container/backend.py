"""One backend's life once the daemon knows of it: serve, load, tell that it is ready, work."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from backend_container.desk import Desk
from backend_container.express import Express
from backend_container.outcome import outcome
from backend_container.phases import Phases
from backend_container.queue import TaskQueue, Ticket
from backend_container.reporter import Report, Reporter
from backend_container.server import application
from ligan.intervals import LAST_WORDS, STOP_GRACE
from ligan.job import Home, server_tls
from ligan.memory import settle, trim
from ligan.patience import patiently
from ligan.web.aside import Aside
from ligan.web.front import Front
from ligan.wire.event import EventName
from ligan.wire.job import Bootstrap, Heartbeat, Ready

if TYPE_CHECKING:
    from backend_container.tasks.registry import Registry
    from backend_container.worker import Worker

log = logging.getLogger(__name__)


class Backend:
    """The parts of one backend, put together; loading begins at once, in the background."""

    def __init__(self, bootstrap: Bootstrap, phases: Phases, leave: Callable[[int], object]) -> None:
        """`leave` ends the process with an exit code; it is called at most from a background thread."""
        self._bootstrap = bootstrap
        self._leave = leave
        self._phases = phases
        self._home = Home(bootstrap)
        self._reporter = Reporter(self._home.client, bootstrap.orphan_lease_s)
        model_thread = ThreadPoolExecutor(1, "model")
        self._loading = model_thread.submit(self._load)  # the thread's first work; tasks that come early wait behind it
        self._loading.add_done_callback(self._loaded)
        self._queue = TaskQueue(model_thread, self._perform, self._settle)

    def start(self, listener: socket.socket) -> None:
        """Serve and beat, in the background."""
        desk = Desk(_registry, self._queue, self._loading)
        app = application(desk)
        self._home.admit(app)
        tls = server_tls(self._bootstrap)
        server = Aside(Front(listener, app, Express(desk, self._home.token).order, tls=tls))
        server.start()
        self._home.beat(self._pulse, lambda: self._abandoned(server))

    def end(self) -> None:
        """Stop the running task for the next backend to go on with, let the last reports out, and leave with code 0."""
        self._queue.leave()
        if self._loading.done() and self._loading.exception() is None:
            self._loading.result().flush()
        self._queue.wait_settled(STOP_GRACE)
        self._reporter.drain(LAST_WORDS)
        self._leave(0)

    def _pulse(self) -> Heartbeat:
        trim()  # tasks leave holes in the heap, which would only ever grow
        return self._queue.pulse()

    def _load(self) -> Worker:
        from backend_container.loading import load  # imports NumPy, then torch and OpenCV
        from backend_container.weights_cache import with_weights
        from backend_container.worker import Worker

        bootstrap = with_weights(self._bootstrap, self._fetch_weights, self._phases)
        models = load(bootstrap, self._phases)
        return Worker(models, self._fetch, self._reporter.post, self._bootstrap.orphan_lease_s)

    def _loaded(self, loading: Future[Worker]) -> None:
        error = loading.exception()
        if error is not None:
            log.error("Loading failed", exc_info=error)
            log.error("The models cannot be loaded: %s", error)  # last, where the end of a job's log shows it
            self._leave(1)
            return
        settle()
        log.info("ready; seconds since the process began: %s", self._phases.ended)
        self._reporter.post(Report(f"/{EventName.ON_READY}", Ready(phases=self._phases.ended)))

    def _perform(self, ticket: Ticket) -> Report:
        return self._loading.result().perform(ticket)

    def _settle(self, ticket: Ticket, future: Future[Report]) -> None:
        report = outcome(ticket, future)
        if report is None:
            return
        if future.cancelled():  # on a thread of the server, which others wait for
            self._reporter.post(report)
        else:  # on the model thread
            self._reporter.send(report)

    def _fetch(self, sha256: str) -> bytes:
        return self._home.client.get_bytes(f"/artifacts/{sha256}")

    def _fetch_weights(self, sha256: str) -> bytes:
        call = partial(self._home.client.get_bytes, f"/weights/{sha256}")
        return patiently(call, self._bootstrap.orphan_lease_s)

    def _abandoned(self, server: Aside) -> None:
        log.warning("The daemon has no use for this job, or has been away for too long; the backend ends.")
        server.drain(LAST_WORDS)  # a daemon that misses the answer to its `/leave` asks the scheduler for our end
        self._leave(0)


def _registry() -> Registry:
    from backend_container.tasks import REGISTRY  # its tasks import NumPy

    return REGISTRY
