"""A trial's life once the daemon knows of it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

from ligan.intervals import LAST_WORDS, TRIAL_LOG
from ligan.job import Home
from ligan.job_server import job_server
from ligan.problem import Problem
from ligan.trial.command import Command, code_of
from ligan.trial.folder import FolderError, clear, fetch, put_back
from ligan.trial.line import Line
from ligan.trial.output import Output
from ligan.trial.returning import send_home
from ligan.web.app import make_app
from ligan.wire.job import Bootstrap, Heartbeat
from ligan.wire.trial import TrialOrder, TrialResult

log = logging.getLogger("ligan.trial")
FAILED = 125
"""Exit code where it is not the command's own."""
_LOOK = 0.05


def run(bootstrap: Bootstrap, listener: socket.socket, folder: Path) -> NoReturn:
    """Run the trial in `folder`, which is its own; the process ends with the command's exit code."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    home = Home(bootstrap)
    app = make_app(__name__, "Trial", "A developer's test job.", 1 << 16)
    home.admit(app)
    job_server(bootstrap, listener, app, threads=2).start()
    home.beat(lambda: _alive(folder), ended.set)
    code = FAILED
    try:
        code = Trial(Line(home.client, bootstrap.orphan_lease_s), folder, ended).run()
    except Problem as problem:
        log.error("%s", problem)
    clear(folder)
    sys.stderr.flush()
    os._exit(code)


def _alive(folder: Path) -> Heartbeat:
    os.utime(folder)  # or the next trial on this node would take it for a leftover
    return Heartbeat(busy=True)


class Trial:
    """One command, once. `ended` is set when the job is told to end."""

    def __init__(self, line: Line, folder: Path, ended: threading.Event) -> None:
        self._line = line
        self._ended = ended
        self._work, self._out, self._temporary = folder / "work", folder / "out", folder / "tmp"
        self._path = folder / "output"
        self._output = Output(self._path, line)
        self._over = threading.Event()

    def run(self) -> int:
        """All of it. Returns the command's exit code. Raises Problem when the daemon refuses or stays away."""
        self._line.ready()
        order = self._line.order()
        self._output.begins = order.log_begins
        try:
            fetch(self._line, order.folder, self._work)
            self._make_folders()
            put_back(self._line, order.carried, self._work, self._out)
            code = self._command(order)
        except (FolderError, OSError) as error:
            self._output.say(f"[LiGAN] {error}")
            code = FAILED if isinstance(error, FolderError) else code_of(error)
        self._report(order, code)
        return code

    def _make_folders(self) -> None:
        for folder in (self._out, self._temporary):
            folder.mkdir(mode=0o700)

    def _command(self, order: TrialOrder) -> int:
        command = Command(order.command, self._work, self._path, self._environment(order))
        following = threading.Thread(target=self._follow, name="log", daemon=True)
        following.start()
        while (code := command.poll()) is None:
            if self._ended.is_set():
                command.stop()
            time.sleep(_LOOK)
        self._over.set()
        following.join()
        return code

    def _follow(self) -> None:
        """Send what is there, while the command runs; a daemon that is away gets it later."""
        while not self._over.is_set():
            more = False
            try:
                more = self._output.send()
            except Problem as problem:
                log.warning("log: %s", problem)
            if not more:
                self._over.wait(TRIAL_LOG)

    def _report(self, order: TrialOrder, code: int) -> None:
        told = self._ended.is_set()
        if told:  # the resource manager does not wait for long
            self._line.patience_s = min(self._line.patience_s, LAST_WORDS)
        self._output.send_all()
        returned = send_home(self._line, self._out, self._work, order.returns, order.return_bytes)
        result = TrialResult(exit_code=code, told=told, files=returned.files, left_out=returned.left_out)
        self._line.end(result)

    def _environment(self, order: TrialOrder) -> dict[str, str]:
        """The job's own, with where things are, `ligan` and its Python among them. Output is wanted as it comes."""
        own = {"LIGAN_OUT": self._out, "LIGAN_JOB": order.trial_id, "TMPDIR": self._temporary, "PWD": self._work}
        words = {name: str(value) for name, value in own.items()}
        words["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])
        if order.ends_at is not None:
            words["LIGAN_ENDS_AT"] = f"{order.ends_at:.0f}"
        home = os.environ.get("HOME", "")
        if not os.access(home, os.W_OK):  # as in a container
            words["HOME"] = words["TMPDIR"]
        return {**os.environ, "PYTHONUNBUFFERED": "1", **words}
