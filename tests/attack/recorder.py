"""A frontend in the real one's place, which notes every byte that reaches it and answers what it was asked.

`python -m tests.attack.recorder FOLDER …` reads the job's document as any job does; what follows is not run.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

from ligan.doorbell import announce
from ligan.job import Home, parse_bootstrap
from ligan.web.app import make_app
from ligan.web.serving import listen
from ligan.wire.job import Done, Heartbeat, Ready
from tests.faults.daemon import ROOT
from tests.site_file import Table

_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]


def recorded_site(folder: Path) -> Table:
    """Settings by which it is started."""
    notes = folder / "recorder"
    notes.mkdir()
    words = [sys.executable, "-m", "tests.attack.recorder", str(notes)]
    return {"frontend": {"prefix": ["env", f"PYTHONPATH={ROOT}", *words]}}


class Notes:
    """What the recorder wrote."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "recorder"

    def seen(self) -> list[dict[str, Any]]:
        """Requests as its application had them: method, target, headers, length."""
        path = self._folder / "seen"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def lines(self) -> list[bytes]:
        """All bytes of each connection."""
        return [path.read_bytes() for path in self._folder.glob("line-*")]


def main() -> None:
    folder = Path(sys.argv[1])
    home = Home(parse_bootstrap(sys.stdin.read(), "frontend"))
    app = _echo(folder)
    home.admit(app)
    inner = listen(app, "127.0.0.1", threads=16)
    inner.start()
    outer = socket.create_server(("127.0.0.1", 0), backlog=512)
    threading.Thread(target=_accept, args=(outer, inner.port, folder), daemon=True).start()
    announce(json.loads(home.bootstrap.model_dump_json()), outer.getsockname()[1])
    home.client.post("/on-ready", Ready(), Done)
    ended = threading.Event()
    home.beat(Heartbeat, ended.set)
    ended.wait()


def _echo(folder: Path) -> Flask:
    app = make_app("frontend", "Frontend", "Recorded.", 26 * 1024 * 1024)
    lock = threading.Lock()

    def echo(**_path: str) -> Response:
        said = {
            "method": request.method,
            "target": request.environ["REQUEST_URI"],
            "headers": list(request.headers.items()),
            "length": len(request.get_data()),
        }
        with lock, (folder / "seen").open("a") as file:
            file.write(json.dumps(said) + "\n")
        return Response(json.dumps(said), mimetype="application/json")

    app.add_url_rule("/", view_func=echo, methods=_METHODS)
    app.add_url_rule("/<path:path>", view_func=echo, methods=_METHODS, endpoint="rest")
    return app


def _accept(outer: socket.socket, port: int, folder: Path) -> None:
    number = 0
    while True:
        line, _ = outer.accept()
        number += 1
        inner = socket.create_connection(("127.0.0.1", port))
        for one in (line, inner):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for source, sink, notes in ((line, inner, folder / f"line-{number}"), (inner, line, None)):
            threading.Thread(target=_carry, args=(source, sink, notes), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket, notes: Path | None) -> None:
    try:
        while data := source.recv(65536):
            if notes is not None:
                with notes.open("ab") as file:
                    file.write(data)
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:  # either side has closed
        for each in (source, sink):
            each.close()


if __name__ == "__main__":
    main()
