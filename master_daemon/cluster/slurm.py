"""What all ways to Slurm have in common: the logs of jobs, and a listing that is believed with care."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection

from master_daemon.cluster.listing import Live
from master_daemon.cluster.logs import LocalLogs, Logs
from master_daemon.cluster.manager import Listing
from master_daemon.cluster.site import SlurmSite


class SlurmManager(ABC):
    """A `manager.ResourceManager` that lacks `submit` and `cancel`. `clock` tells Unix time."""

    def __init__(self, site: SlurmSite, logs: Logs | None, clock: Callable[[], float], live: Live) -> None:
        self._site, self._clock = site, clock
        self._logs = logs or LocalLogs(site.log_dir)
        self._lock, self._live = threading.Lock(), live

    def listing(self) -> Listing | None:
        """As `ResourceManager.listing`. Ended jobs stay in it for the site's MinJobAge.

        An empty answer right after live jobs is don't-know once.
        """
        with self._lock:
            return self._live.take(self._ask())

    def read_log(self, nonce: str, tail_bytes: int = 4096) -> str:
        """As `ResourceManager.read_log`."""
        return self._logs.tail(nonce, tail_bytes)

    def forget_logs(self, tag: str, before: float, live: Collection[str]) -> None:
        """As `ResourceManager.forget_logs`."""
        self._logs.forget(tag, before, live)

    @abstractmethod
    def _ask(self) -> Listing | None:
        """The jobs that the scheduler has now; None where its answer is not to be believed."""
