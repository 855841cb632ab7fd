"""Secrets: every one of the installation is learnt, and then looked for wherever somebody else could find it."""

from __future__ import annotations

import base64
import os
import re
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from ligan.identity import derive
from tests.attack.count import Count
from tests.attack.family import family
from tests.attack.house import House
from tests.attack.prey import Prey
from tests.attack.routes import DOCUMENTS, document, public_routes
from tests.master_daemon.accounts.person import PASSWORD, Person

_SOMEBODY = ("runuser", "-u", "nobody", "--")
"""Another user of the cluster."""


def learnt(house: House, prey: Prey) -> dict[str, str]:
    """Everything that gives access, by what it is."""
    secret = house.secret
    rows = house.ask("SELECT role, nonce, instance_id FROM jobs")
    found = {
        "secret": secret.hex(),
        "secret in base64": base64.b64encode(secret).decode().rstrip("="),
        "secret in base64 for URLs": base64.urlsafe_b64encode(secret).decode().rstrip("="),
        "secret as bytes": repr(secret)[2:-1],
        "operator's token": (house.daemon.state_dir / "operator-token").read_text().strip(),
        "password": PASSWORD,
        "cookie": prey.person.cookie,
        "API token": prey.token,
        "begun login": Person(house.url).get("/login").cookies["ligan_login"],
    }
    found |= {
        f"key of {name}": derive(secret, name) for name in ("gateway", "session-cookie", "login-cookie", "operator")
    }
    found |= {f"token of {role} {nonce}": house.token(role, nonce) for role, nonce, _ in rows}
    found |= {f"ID of {role} {nonce}": instance for role, nonce, instance in rows}
    found |= {
        f"session key {number}": key for number, (key,) in enumerate(house.ask("SELECT session_key FROM sessions"))
    }
    found |= {f"login {number}": key for number, (key,) in enumerate(house.ask("SELECT login_id FROM logins"))}
    found |= {
        f"session ID {number}": key for number, (key,) in enumerate(house.ask("SELECT session_id FROM session_ids"))
    }
    # A session's first backend has its ID, which its own page is told: that is looked for among the session IDs.
    return {what: value for what, value in found.items() if value and not (what[:2] == "ID" and value[:2] == "s-")}


def look(count: Count, where: str, text: str, secrets: Mapping[str, str], allowed: tuple[str, ...] = ()) -> None:
    """One look, for all of them; `allowed` are secrets that belong there."""
    found = [what for what, value in secrets.items() if value in text and not what.startswith(allowed or ("\0",))]
    count.attack(f"secrets in {where}", found)


@family()
def thefts(house: House, count: Count) -> None:
    """secrets in logs, answers, metrics, audit, command lines, environments; files and backups that others may read"""
    prey = house.prey("alice")
    secrets = learnt(house, prey)
    _answers(house, count, prey, secrets)
    backup = house.folder / "backup.tar"
    house.ligan("backup", str(backup))
    for path, text in house.logs():
        look(count, path.name, text, secrets)
        count.attack(f"a password's digest in {path.name}", "$argon2" in text)
    _processes(house, count, secrets)
    look(count, "the audit", repr(house.ask("SELECT * FROM audit")), secrets)
    stored = repr(house.ask("SELECT * FROM users")) + repr(house.ask("SELECT * FROM tokens"))
    look(count, "the tables of users and tokens", stored, {"password": PASSWORD, "API token": prey.token})
    for path in [house.daemon.state_dir, *house.daemon.state_dir.rglob("*"), backup]:
        mode = stat.S_IMODE(path.stat().st_mode)
        count.attack(f"{path} by others", mode & 0o077 and not path.is_symlink() and oct(mode))
    count.attack("the state folder's own files alone", not any(house.daemon.state_dir.rglob("*")))


def _answers(house: House, count: Count, prey: Prey, secrets: Mapping[str, str]) -> None:
    """Every route, by each role; her own session ID is told to herself, and nobody's to anybody."""
    for name in ("alice", "bob", "olga"):
        person = house.people[name]
        for route in public_routes(house):
            if route.changes or route.path == "/api/v1/events":
                continue
            path = route.filled(
                {"name": prey.task_id, "image_id": prey.result_id, "task_id": prey.task_id, "nonce": "x"}
            )
            answer = person.api("GET", path.removeprefix("/api/v1"))
            own = (f"session ID {number}" for number, key in _numbered(secrets) if key in _own_ids(house, name))
            look(count, f"{route} by {name}", answer.text + str(answer.headers), secrets, tuple(own))
        for path in ("/metrics", "/", "/docs", "/operator", "/login", *(f"/{server}-api-docs" for server in DOCUMENTS)):
            answer = person.get(path)
            headers = {key: value for key, value in answer.headers.items() if key != "Set-Cookie"}
            look(count, f"{path} for {name}", answer.text + str(headers), secrets)
    for server in DOCUMENTS:
        look(count, f"the document of {server}", str(document(house, server)), secrets)
    for path in ("/api/v1/tasks/t-x", "/api/v1/images/%00", "/api/v1/admin/explain/x", "/cluster/v1/kinds", "/nowhere"):
        look(count, f"the refusal of {path}", prey.person.get(path).text, secrets)


def _numbered(secrets: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    return ((int(what.rpartition(" ")[2]), value) for what, value in secrets.items() if what.startswith("session ID "))


def _own_ids(house: House, name: str) -> set[str]:
    owned = "session_ids NATURAL JOIN sessions JOIN users ON users.user_id = sessions.user"
    query = f"SELECT session_id FROM {owned} WHERE users.name = ?"  # noqa: S608 (names of ours)
    return {str(row[0]) for row in house.ask(query, name)}


def _processes(house: House, count: Count, secrets: Mapping[str, str]) -> None:
    """Command lines, which everybody may read, and environments, which go into dumps. proc(5)."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            for what in ("cmdline", "environ"):
                try:
                    text = (entry / what).read_text(errors="replace")
                except OSError:
                    continue
                look(count, f"{what} of a process", text, secrets)


@family(on="Slurm")
def thefts_on_slurm(house: House, count: Count) -> None:
    """secrets in job scripts, `scontrol show job`, squeue, accounting, spool folders, job logs, on real Slurm"""
    prey = house.prey("alice")
    secrets = learnt(house, prey)
    ours = house.ask("SELECT job_id FROM jobs WHERE state = 'READY'")
    count.attack("no job of ours: nothing was proved", len(ours) < 2)
    for (job_id,) in ours:
        for argv in (
            ("scontrol", "show", "job", "-dd", str(job_id)),
            ("squeue", "--job", str(job_id), "--Format=all:2000"),
            ("squeue", "--job", str(job_id), "--json"),
            ("sacct", "--job", str(job_id), "--parsable2", "--format=ALL"),
            ("scontrol", "show", "step", str(job_id)),
            ("scontrol", "listpids", str(job_id)),
        ):
            done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
            look(count, " ".join(argv[:3]), done.stdout + done.stderr, secrets)
        script = ("scontrol", "write", "batch_script", str(job_id), "-")  # it holds the job's document
        done = subprocess.run((*_SOMEBODY, *script), capture_output=True, text=True, timeout=30)
        look(count, "the batch script, asked for by another user", done.stdout + done.stderr, secrets)
    for path, text in house.logs():
        look(count, path.name, text, secrets)
    _processes(house, count, secrets)
    _spool(count, secrets)
    for path in [house.daemon.state_dir, *house.daemon.state_dir.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        count.attack(f"{path} by others", mode & 0o077 and not path.is_symlink() and oct(mode))


def _spool(count: Count, secrets: Mapping[str, str]) -> None:
    """What slurmctld and slurmd keep of jobs, and their logs, as other users can read it."""
    told = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, timeout=30).stdout
    folders = re.findall(
        r"^(?:StateSaveLocation|SlurmdSpoolDir|SlurmctldLogFile|SlurmdLogFile)\s*=\s*(\S+)", told, re.MULTILINE
    )
    roots = {Path(folder.partition("%")[0]) for folder in folders if folder.startswith("/")}
    files = {
        path for root in roots for path in (root.rglob("*") if root.is_dir() else root.parent.glob(f"{root.name}*"))
    }
    count.attack("no spool folder was found: nothing was proved", not files)
    for path in files:
        if path.is_file():
            read = subprocess.run((*_SOMEBODY, "cat", str(path)), capture_output=True, timeout=30)
            look(count, f"{path}, read by another user", read.stdout.decode("latin-1"), secrets)
