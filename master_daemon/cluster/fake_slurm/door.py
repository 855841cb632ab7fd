"""Where a fake cluster's executables knock: one line of JSON and three file descriptors in, one line of JSON out."""

from __future__ import annotations

import json
import os
import shutil
import socket
import socketserver
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

import master_daemon
from master_daemon.cluster.fake_slurm.call import Call
from master_daemon.cluster.fake_slurm.client import GIVES_BACK, SOCKET
from master_daemon.cluster.fake_slurm.fault import Answer

_EXECUTABLE = """#!{python} -SE
import sys
sys.path.insert(0, {root!r})
from master_daemon.cluster.fake_slurm.client import main
sys.exit(main({folder!r}, {command!r}))
"""
_MESSAGE = 1 << 20  # bytes of one call: an environment, at most what the kernel gives a process


class Waiter(Enum):
    """A command that waits for its answer."""

    WAITS = auto()
    GONE = auto()
    """It was killed."""
    GIVES_BACK = auto()
    """srun was told to end."""


class Line:
    """The connection of a command that waits for its answer."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def watch(self, wait_s: float) -> Waiter:
        """What the command does; looks for so long."""
        self._connection.settimeout(wait_s)
        try:
            return Waiter.GIVES_BACK if self._connection.recv(1) == GIVES_BACK else Waiter.GONE
        except TimeoutError:
            return Waiter.WAITS
        except ConnectionError:
            return Waiter.GONE


Reply = Callable[[Call, Line], Answer | None]
"""None: nobody is there to read an answer."""


class Door(socketserver.ThreadingUnixStreamServer):
    """Answers each call in a thread of its own."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path, reply: Reply) -> None:
        (folder / SOCKET).unlink(missing_ok=True)
        super().__init__(str(folder / SOCKET), _Handler)
        self.reply = reply


class _Handler(socketserver.BaseRequestHandler):
    server: Door

    def handle(self) -> None:
        connection: socket.socket = self.request
        call, descriptors = _received(connection)
        try:
            answer = self.server.reply(call, Line(connection))
            if answer is not None:
                text = {"stdout": answer.stdout, "stderr": answer.stderr, "code": answer.code}
                with suppress(BrokenPipeError):
                    connection.sendall(json.dumps(text).encode() + b"\n")
        finally:
            for descriptor in descriptors:
                os.close(descriptor)


def _received(connection: socket.socket) -> tuple[Call, list[int]]:
    said, descriptors, _, _ = socket.recv_fds(connection, _MESSAGE, 3)
    while not said.endswith(b"\n"):
        said += connection.recv(_MESSAGE)
    fields: Mapping[str, object] = json.loads(said)
    return _call(**fields, streams=tuple(descriptors)), descriptors  # type: ignore[arg-type]  # our own client's


def _call(*, arguments: list[str], folder: str, **others: object) -> Call:
    return Call(arguments=tuple(arguments), folder=Path(folder), **others)  # type: ignore[arg-type]


def write_executables(folder: Path, names: Iterable[str]) -> None:
    """One for each name in `folder`/bin, and no others."""
    bin_folder = folder / "bin"
    shutil.rmtree(bin_folder, ignore_errors=True)
    bin_folder.mkdir(parents=True)
    root = str(Path(master_daemon.__file__).parents[1])
    python = Path(sys.executable).resolve()  # of the machine: a checkout's path may have spaces, a line #! none
    for command in names:
        executable = bin_folder / command
        text = _EXECUTABLE.format(python=python, root=root, folder=str(folder), command=command)
        executable.write_text(text)
        executable.chmod(0o755)
