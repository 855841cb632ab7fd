"""What the other two servers can do, asked of themselves in processes of their own: no import crosses the houses."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Any

from ligan.wire.task import TaskKinds
from master_daemon.forms import Forms

_TIMEOUT = 120.0  # cold disks; half a second otherwise


class Descriptions:
    """Starts asking at once; an answer is waited for when it is first needed."""

    def __init__(self, python: Sequence[str]) -> None:
        pool = ThreadPoolExecutor(2, thread_name_prefix="describe")
        self._backend = pool.submit(_describe, [*python, "-m", "backend_container.describe"])
        self._frontend = pool.submit(_describe, [*python, "-m", "frontend_server.describe"])
        pool.shutdown(wait=False)

    @cached_property
    def kinds(self) -> TaskKinds:
        """The registry of tasks."""
        return TaskKinds.model_validate(_answer(self._backend)["kinds"])

    @cached_property
    def forms(self) -> Forms:
        """What each kind takes."""
        return Forms(self.kinds)

    def kinds_if_known(self) -> TaskKinds | None:
        """The registry, without waiting for it; None while it is not known, or cannot be."""
        known = self._backend.done() and self._backend.exception() is None
        return self.kinds if known else None

    def openapi(self, role: str) -> dict[str, Any]:
        """The OpenAPI document of `backend` or `frontend`."""
        document: dict[str, Any] = _answer(self._backend if role == "backend" else self._frontend)["openapi"]
        return document


def _answer(asked: Future[dict[str, Any]]) -> dict[str, Any]:
    return asked.result(timeout=_TIMEOUT)


def _describe(command: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed with {done.returncode}: {done.stderr.decode()[-2000:]}")
    description: dict[str, Any] = json.loads(done.stdout)
    return description
