"""Rows: calls to the daemon come twice, too late, or from somebody who may not make them (promises 3 and 6)."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from ligan import PROTOCOL
from ligan.identity import derive, load_secret
from ligan.tls.contexts import DAEMON, trusting
from ligan.tls.peer import Peer
from ligan.web.guard import JOB_HEADER, TOKEN_HEADER, bearer
from ligan.web.line import Line
from master_daemon.authority.file import read_authority
from master_daemon.cluster.fake_slurm import fault as faults
from tests.faults.house import House
from tests.faults.ledger import Row
from tests.faults.row import LONG, fault

_NO = (401, 403, 404, 409, 410)


def _call(house: House, row: Row, path: str, message: dict[str, Any], token: str | None = None) -> int:
    """One call as the job of `row` would make it; the status of the answer."""
    secret = load_secret(house.daemon.state_dir / "secret")
    true_token = derive(secret, row.role, row.nonce)
    headers = {TOKEN_HEADER: bearer(token or true_token), JOB_HEADER: row.nonce, "Content-Type": "application/json"}
    body = json.dumps(message).encode()
    fields = {"Host": "daemon", **headers, "Content-Length": str(len(body)), "Connection": "close"}
    head = f"POST /cluster/v1/{path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    line = Line("127.0.0.1", house.ledger.cluster_port(), 10, _daemon(house))
    try:
        return line.exchange(f"{head}\r\n".encode(), body).status
    finally:
        line.close()


def _daemon(house: House) -> Peer:
    authority = read_authority(house.daemon.state_dir)
    assert authority is not None, "jobs on other machines are spoken to over TLS"
    return Peer(trusting(authority.certificate), DAEMON)


@fault(quick=True)
def callbacks_doubled(house: House) -> None:
    """Every kind of report comes again: readiness, results, errors"""
    house.broken()
    row = house.backend()
    assert _call(house, row, "on-ready", {"phases": {}}) == 200
    for task_id, attempt in house.ledger.attempts("done")[:10]:
        for _ in range(2):
            again = _call(house, row, "on-result", {"task_id": task_id, "attempt": attempt, "images": []})
            assert again in _NO, f"a doubled result was answered with {again}"
        failed = {"task_id": task_id, "attempt": attempt, "problem": _problem()}
        assert _call(house, row, "on-error", failed) in _NO


@fault(task_s=LONG)
def callbacks_stale(house: House) -> None:
    """Results of attempts that another backend has taken over, and of attempts that never were"""
    old = house.backend()
    os.kill(house.pid_of(old), signal.SIGKILL)
    house.broken()
    house.wait_done(house.since)
    row = house.backend()
    for task_id, attempt in house.ledger.attempts("lost"):
        for number in (attempt, attempt + 7):
            stale = _call(house, row, "on-result", {"task_id": task_id, "attempt": number, "images": []})
            assert stale in _NO, f"a stale result was answered with {stale}"


@fault(task_s=LONG)
def callbacks_of_an_ended_generation(house: House) -> None:
    """A backend that was given up wakes and reports: its token is worth nothing any more"""
    old = house.backend()
    pid = house.pid_of(old)
    running = house.ledger.attempts(None)
    house.slurm.answers("scancel", faults.UNREACHABLE_CONTROLLER)
    house.freeze(pid)
    house.wait(
        lambda: old.nonce not in {row.nonce for row in house.ledger.rows()}, "the frozen backend to be given up", 150
    )
    os.kill(pid, signal.SIGCONT)
    house.broken()
    for path, message in {
        "heartbeat": {},
        "on-ready": {},
        "register": {"host": "127.0.0.1", "port": 9, "pid": 1, "job_id": None, "protocol": PROTOCOL},
    }.items():
        status = _call(house, old, path, message)
        assert status in _NO, f"{path} of an ended job was answered with {status}"
    for task_id, attempt in running:
        status = _call(house, old, "on-result", {"task_id": task_id, "attempt": attempt, "images": []})
        assert status in _NO, f"a result of an ended job was answered with {status}"
    house.wait(lambda: house.is_over(old), "the end of the backend that is refused")
    house.slurm.heal()


@fault(quick=True)
def impostor_registers(house: House) -> None:
    """Somebody without the token, and somebody with it at another's address, want to be the backend"""
    house.broken()
    row = house.backend()
    frontend = house.ledger.rows("frontend")[-1]
    elsewhere = {"host": "127.0.0.1", "port": frontend.port, "pid": 1, "job_id": None, "protocol": PROTOCOL}
    assert _call(house, row, "register", elsewhere, token="guessed") in _NO
    assert _call(house, row, "register", elsewhere) not in range(200, 300), "an address that cannot answer was taken"
    assert house.backend().port == row.port


def _problem() -> dict[str, object]:
    return {"type": "urn:ligan:problem:internal-error", "title": "x", "status": 500, "detail": "again"}
