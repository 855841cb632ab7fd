"""Who calls the daemon's API: the gateway on behalf of a session, or one of the daemon's own jobs."""

from __future__ import annotations

from typing import NamedTuple

from flask import request
from sqlalchemy import Connection

from ligan.identity import derive, matches
from ligan.problem import Problem
from ligan.web.guard import FRONTEND_HEADER, JOB_HEADER, TOKEN_HEADER, bearer, session_id
from ligan.wire.job import Role
from master_daemon.observe import logs
from master_daemon.parts import Parts
from master_daemon.state import jobs, sessions
from master_daemon.state.jobs import Job
from master_daemon.supervisor.seats import is_session

GATEWAY_HEADER = "X-Ligan-Gateway"
_STRANGER = "This address is for jobs that the daemon started."
BACKENDS: tuple[Role, ...] = ("backend", "cpu")
"""A session's own backends, and shared ones."""


class Claim(NamedTuple):
    """Which job a caller says it is, and what shall prove it."""

    nonce: str
    authorization: str
    """Value of the header."""


def gateway_token(secret: bytes) -> str:
    """What the gateway shows, so that nobody on the cluster can pose as it."""
    return derive(secret, "gateway")


def check_gateway(parts: Parts) -> None:
    if not matches(request.headers.get(GATEWAY_HEADER, ""), gateway_token(parts.secret)):
        raise Problem("not-authorised", "This address is reached through the public port only.")


def calling_session(parts: Parts) -> tuple[str, str]:
    """(session ID, session key) of the page behind the gateway. Raises Problem `no-session`."""
    asking = session_id()
    with parts.database.read() as connection:
        return asking, sessions.key_of(connection, asking)


def claim() -> Claim:
    """What the caller's headers say."""
    return Claim(request.headers.get(JOB_HEADER, ""), request.headers.get(TOKEN_HEADER, ""))


def calling_job(parts: Parts, *roles: Role) -> Job:
    """The live job that calls, one of `roles` if any are given. Raises Problem `not-authorised`."""
    with parts.database.read() as connection:
        return admit(parts, connection, claim(), *roles)


def admit(parts: Parts, connection: Connection, claimed: Claim, *roles: Role) -> Job:
    """The live job that the claim is of, one of `roles` if any are given. Raises Problem `not-authorised`."""
    return _admit(parts, jobs.find(connection, claimed.nonce), claimed, *roles)


def _admit(parts: Parts, job: Job | None, claimed: Claim, *roles: Role) -> Job:
    if job is None or not matches(claimed.authorization, bearer(parts.launcher.token(job))):
        raise Problem("not-authorised", _STRANGER)
    logs.note(job=job.nonce, session_key=job.seat if is_session(job.seat) else "")
    if not job.live or (roles and job.role not in roles):
        raise Problem("not-authorised", f"This {job.role} job may not call that, or has been ended: {job.reason}")
    return job


def check_token(parts: Parts, claimed: Claim, *roles: Role) -> None:
    """Raises Problem `not-authorised` where the claim cannot be a job's of `roles`, ended or not.

    It asks no database: a stranger does not take a writer's turn.
    """
    tokens = (derive(parts.secret, role, claimed.nonce) for role in roles)
    if not any(matches(claimed.authorization, bearer(token)) for token in tokens):
        raise Problem("not-authorised", _STRANGER)


def calling_backend(parts: Parts) -> Job:
    """The backend that calls, a session's own or a shared one."""
    return calling_job(parts, *BACKENDS)


def calling_frontend(parts: Parts) -> Job:
    """The frontend, which must also know its frontend ID (thesis, section 4.2.1)."""
    return admit_frontend(parts, claim(), frontend_id())


def frontend_id() -> str:
    """What the caller's header says."""
    return request.headers.get(FRONTEND_HEADER, "")


def admit_frontend(parts: Parts, claimed: Claim, instance_id: str) -> Job:
    """The frontend that the claim and the frontend ID are of. Raises Problem `not-authorised`."""
    job = parts.supervisor.frontend
    if job is None or claimed.nonce != job.nonce:
        with parts.database.read() as connection:
            job = jobs.find(connection, claimed.nonce)
    job = _admit(parts, job, claimed, "frontend")
    if not matches(instance_id, job.instance_id):
        raise Problem("not-authorised", "The frontend ID is not the current one.")
    return job
