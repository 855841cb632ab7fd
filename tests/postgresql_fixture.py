"""A private PostgreSQL server for the tests that want one: on a socket in a folder of its own, begun once for all."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
import pytest

from tests.apt import apt_get

_USER = "ligan"


@dataclass
class PostgreSQL:
    """A running server."""

    programs: Path
    folder: Path
    runner: tuple[str, ...]
    fsync: str
    """`off`: it need not survive a power cut. `on`: as a site's."""
    numbers: Iterator[int] = field(default_factory=count)

    def run(self, program: str, *arguments: str) -> None:
        """One of PostgreSQL's programs, as the user whose server it is. Raises CalledProcessError."""
        command = (*self.runner, str(self.programs / program), "-D", str(self.folder / "data"), *arguments)
        # Not a pipe: the server would inherit it, and keep it open.
        with (self.folder / "output").open("ab") as output:
            subprocess.run(command, cwd="/", check=True, stdout=output, stderr=output, timeout=60)

    def start(self) -> None:
        sockets = f"-c listen_addresses= -c unix_socket_directories={self.folder}"
        options = f"{sockets} -c fsync={self.fsync} -c max_connections=60"
        self.run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """At once, under the feet of all who are connected."""
        self.run("pg_ctl", "-w", "-m", "fast", "stop")

    def execute(self, sql: str) -> None:
        with psycopg.connect(host=str(self.folder), user=_USER, dbname="postgres", autocommit=True) as connection:
            connection.execute(sql.encode())

    def new_database(self, options: str = "") -> str:
        """A fresh database's URL, as it would stand in a site file. `options` of CREATE DATABASE."""
        name = f"test{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
        return f"postgresql://{_USER}@/{name}?host={self.folder}"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    with postgresql() as server:
        if server is None:
            pytest.skip("PostgreSQL is not installed and could not be: needs root and apt")
        yield server


@contextmanager
def postgresql(fsync: str = "off") -> Iterator[PostgreSQL | None]:
    """A fresh server, None where there is none to be had."""
    programs = _programs()
    if programs is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="ligan-pg-", dir="/tmp"))
    try:
        server = PostgreSQL(programs, folder, _runner(folder), fsync)
        server.run("initdb", "-A", "trust", "-U", _USER, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        server.start()
        yield server
        server.run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def postgresql_url(postgresql_server: PostgreSQL) -> Iterator[str]:
    """A fresh database."""
    url = postgresql_server.new_database()
    yield url
    name = url.removeprefix(f"postgresql://{_USER}@/").partition("?")[0]
    postgresql_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _programs() -> Path | None:
    """Debian's folder of the newest version, installed when it is missing and can be."""
    found = _newest()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get") is not None:
        apt_get("install", "postgresql", timeout=240)
    return found or _newest()


def _newest() -> Path | None:
    on_path = shutil.which("initdb")
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    return versions[-1].parent if versions else Path(on_path).resolve().parent if on_path else None


def _runner(folder: Path) -> tuple[str, ...]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return ()
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ("runuser", "-u", user.pw_name, "--")
