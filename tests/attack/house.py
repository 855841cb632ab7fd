"""The system under attack: `ligan up` with accounts, people who have something to lose, and jobs that run."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import requests
from pydantic import SecretStr

from ligan.identity import derive
from ligan.web.client import Client
from ligan.web.guard import TOKEN_HEADER, bearer
from ligan.wire.account import AccountRole, AdminUser, NewUser
from master_daemon.api.operator_token import TOKEN_FILE
from master_daemon.operator_command.line import PREFIX
from tests.attack.count import Count
from tests.attack.prey import Prey
from tests.faults.daemon import DaemonProcess, ligan_argv
from tests.ligan.stub import wait_until
from tests.master_daemon.accounts.person import PASSWORD, Person
from tests.site_file import Table, write_site

UNLIMITED: Table = {
    "accounts": {"mode": "local"},
    "backend": {"engine": "fake"},
    "limits": {
        "requests_per_minute": 0,
        "anonymous_per_minute": 0,
        "uploads_per_minute": 0,
        "logins_per_minute": 1_000_000,
        "sessions": 0,
        "open_tasks": 0,
    },
}
"""Attackers shall meet the walls, not the limits before them; families about limits set their own."""
PEOPLE = {
    "alice": AccountRole.USER,
    "bob": AccountRole.USER,
    "dora": AccountRole.DEVELOPER,
    "olga": AccountRole.OPERATOR,
}
_SERVERS = ("master_daemon", "frontend_server", "backend_container", "ligan", "tests.attack")
_FAULT = re.compile(r"Traceback \(most recent call last\)|a request failed|failed unexpectedly|Segmentation fault")


class House:
    """A family's only argument. Alice and Bob are users, Dora a developer, Olga an operator."""

    def __init__(
        self,
        folder: Path,
        settings: Table,
        effort: float = 1.0,
        *,
        site: Table | None = None,
        ligan: Sequence[str] = (),
    ) -> None:
        """`effort`: share of the whole work that long families do. `site`, `ligan`: of a cluster."""
        self.folder = folder
        self._ligan = tuple(ligan) or ligan_argv()
        cache = {"backend": {"weights_cache": str(folder / "cache")}}
        written = write_site(folder / "site.toml", UNLIMITED, cache, site or {}, settings)
        self.daemon = DaemonProcess(written, folder / "state", folder / "daemon.log", self._ligan, {})
        self.people: dict[str, Person] = {}
        self._effort = effort
        self._servers: dict[int, psutil.Process] = {}

    # ---- its life

    def move_in(self) -> None:
        """Start the daemon, make the users, and let them in."""
        self.daemon.start()
        token = (self.daemon.state_dir / TOKEN_FILE).read_text().strip()
        operator = Client(self.url + PREFIX, {TOKEN_HEADER: bearer(token)})  # each `ligan` would be a second of imports
        for name, role in PEOPLE.items():
            operator.post("/users", NewUser(name=name, password=SecretStr(PASSWORD), role=role), AdminUser)
            self.people[name] = Person(self.url).enter(name)
        self.watch()

    def move_out(self) -> None:
        """Everything ends, whatever happened before."""
        for person in self.people.values():
            person.http.close()
        if not self.daemon.is_dead():
            self.daemon.stop()

    def watch(self) -> None:
        """From now on these processes must live."""
        daemon = psutil.Process(self.daemon.pid)
        found = [daemon, *(child for child in daemon.children(recursive=True) if _is_server(child))]
        self._servers = {process.pid: process for process in found}

    def unwatch(self, pid: int) -> None:
        """It may end: an attack is about what follows."""
        self._servers.pop(pid, None)

    def inspect(self, count: Count) -> None:
        """After the attacks: processes, logs and answers are as they should be."""
        for process in self._servers.values():
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                count.crash(f"the process {process.pid} is gone")
        for path, text in self.logs():
            for found in _FAULT.finditer(text):
                count.crash(f"{path.name}: {text[max(0, found.start() - 100) : found.end() + 500]}")
        try:
            if Person(self.url).get("/login").status_code >= 500:
                count.crash("the login page fails")
        except requests.RequestException as error:
            count.crash(f"nobody answers: {error}")

    # ---- for families

    def many(self, number: int) -> int:
        """Of a long family's attacks, as many as this run makes."""
        return max(1, round(number * self._effort))

    @property
    def url(self) -> str:
        return self.daemon.url

    @property
    def public(self) -> tuple[str, int]:
        """The public port."""
        return "127.0.0.1", self.daemon.port

    @property
    def cluster(self) -> tuple[str, int]:
        """Where the jobs call the daemon."""
        return "127.0.0.1", int(self.ask("SELECT value FROM meta WHERE key = 'cluster_port'")[0][0])

    def ligan(self, *words: str) -> str:
        """The operators' command."""
        argv = [*self._ligan, *words, "--state-dir", str(self.daemon.state_dir)]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """The daemon's database, beside the daemon: what a thief could have learnt."""
        path = self.daemon.state_dir / "ligan.sqlite"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as database:
            return database.execute(query, values).fetchall()

    @property
    def secret(self) -> bytes:
        return (self.daemon.state_dir / "secret").read_bytes()

    def token(self, role: str, nonce: str) -> str:
        """A job's, as a thief of it has it."""
        return derive(self.secret, role, nonce)

    def logs(self) -> list[tuple[Path, str]]:
        """What the daemon and its jobs wrote."""
        jobs = [path for path in self.daemon.state_dir.rglob("*") if path.is_file() and _is_log(path)]
        return [(path, path.read_text(errors="replace")) for path in (self.daemon.log, *jobs)]

    def servers(self, module: str) -> list[psutil.Process]:
        """The daemon's jobs that run a module."""
        children = psutil.Process(self.daemon.pid).children(recursive=True)
        return [child for child in children if child.is_running() and _runs(child, module)]

    def prey(self, name: str = "alice", images: bool = True) -> Prey:
        """All that a person has, once they have it: a backend, a photo, results, an API token."""
        prey = Prey(self.people[name])
        prey.settle(images)
        self.watch()
        return prey

    def wait(self, condition: Any, why: str, timeout_s: float = 30.0) -> None:
        wait_until(condition, why, timeout_s)

    def forget(self) -> None:
        """Its folder too."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _is_log(path: Path) -> bool:
    return path.name == "log" or path.suffix in (".log", ".out", ".err")


def _is_server(process: psutil.Process) -> bool:
    return any(_runs(process, module) for module in _SERVERS)


def _runs(process: psutil.Process, module: str) -> bool:
    try:
        line = process.cmdline()
    except psutil.Error:
        return False
    return bool(line) and "python" in Path(line[0]).name and module in " ".join(line)
