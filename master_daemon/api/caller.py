"""Who calls the daemon's API: the gateway on behalf of a session, or one of the daemon's own jobs."""

from __future__ import annotations

from flask import request

from ligan.identity import derive, matches
from ligan.problem import Problem
from ligan.web.guard import FRONTEND_HEADER, JOB_HEADER, SESSION_HEADER, TOKEN_HEADER, bearer
from ligan.wire.job import Role
from master_daemon.observe import logs
from master_daemon.parts import Parts
from master_daemon.state import jobs, sessions
from master_daemon.state.jobs import Job
from master_daemon.supervisor.seats import is_session

GATEWAY_HEADER = "X-Ligan-Gateway"


def gateway_token(secret: bytes) -> str:
    """What the gateway shows, so that nobody on the cluster can pose as it."""
    return derive(secret, "gateway")


def check_gateway(parts: Parts) -> None:
    if not matches(request.headers.get(GATEWAY_HEADER, ""), gateway_token(parts.secret)):
        raise Problem("not-authorised", "This address is reached through the public port only.")


def calling_session(parts: Parts) -> tuple[str, str]:
    """(session ID, session key) of the page behind the gateway. Raises Problem `no-session`."""
    session_id = request.headers.get(SESSION_HEADER, "")
    if not session_id:
        raise Problem("no-session", "Open the start page first: its answer sets the session's cookie.")
    with parts.database.read() as connection:
        return session_id, sessions.key_of(connection, session_id)


def calling_job(parts: Parts, *roles: Role) -> Job:
    """The live job that calls, one of `roles` if any are given. Raises Problem `not-authorised`."""
    with parts.database.read() as connection:
        return _admit(parts, jobs.find(connection, request.headers.get(JOB_HEADER, "")), *roles)


def _admit(parts: Parts, job: Job | None, *roles: Role) -> Job:
    if job is None or not matches(request.headers.get(TOKEN_HEADER, ""), bearer(parts.launcher.token(job))):
        raise Problem("not-authorised", "This address is for jobs that the daemon started.")
    logs.note(job=job.nonce, session_key=job.seat if is_session(job.seat) else "")
    if not job.live or (roles and job.role not in roles):
        raise Problem("not-authorised", f"This {job.role} job may not call that, or has been ended: {job.reason}")
    return job


def calling_backend(parts: Parts) -> Job:
    """The backend that calls, a session's own or a shared one."""
    return calling_job(parts, "backend", "cpu")


def calling_frontend(parts: Parts) -> Job:
    """The frontend, which must also know its frontend ID (thesis, section 4.2.1)."""
    serving = parts.supervisor.frontend
    known = serving is not None and request.headers.get(JOB_HEADER) == serving.nonce
    job = _admit(parts, serving, "frontend") if known else calling_job(parts, "frontend")
    if not matches(request.headers.get(FRONTEND_HEADER, ""), job.instance_id):
        raise Problem("not-authorised", "The frontend ID is not the current one.")
    return job
