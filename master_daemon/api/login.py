"""The login pages: plain HTML forms that work without JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, render_template, request, send_from_directory

from ligan.problem import Problem
from master_daemon.accounts import pending as pendings
from master_daemon.accounts.area import LOGIN, LOGOUT
from master_daemon.accounts.caller import By, Caller
from master_daemon.accounts.pending import Pending, local_path, same
from master_daemon.accounts.provider import CALLBACK
from master_daemon.api.user_caller import caller
from master_daemon.observe import announcement
from master_daemon.parts import Parts
from master_daemon.state.users import User
from master_daemon.tunnel.cookie import clear_cookie, set_cookie

PENDING_HEADER = "X-Ligan-Login-Cookie"
"""From the gateway: the cookie of a login that has begun; no other cookie reaches Flask."""
_FOLDER = Path(__file__).parent / "login_page"
_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
_STALE = "The page was open for too long, or the browser takes no cookies. Try again."


def login_pages(parts: Parts) -> Blueprint:
    """/login and /logout."""
    pages = Blueprint("login", __name__, template_folder=str(_FOLDER))
    pages.after_request(_protect)
    for method, path, view in _VIEWS:
        pages.add_url_rule(path, view.__name__, partial(view, parts), methods=[method])
    return pages


def _page(parts: Parts) -> Response:
    who = caller(parts)
    path = local_path(request.args.get("next", "/"))
    if who.by is not By.STRANGER or parts.settings.accounts.mode == "header":
        return _see_other(path)
    return _form(parts, who, path, "You are logged out." if "out" in request.args else "")


def _log_in(parts: Parts) -> Response:
    who = caller(parts)
    path = local_path(request.form.get("next", "/"))
    name = request.form.get("name", "").strip().lower()
    try:
        user = _by_password(parts, who, name)
    except Problem as problem:
        return _form(parts, who, path, problem.document.detail, problem, name)
    return _logged_in(parts, who, user, path)


def _start(parts: Parts) -> Response:
    """To the provider."""
    who, provider = caller(parts), parts.accounts.provider
    if provider is None:
        return _see_other(LOGIN)
    pending, now = pendings.begin(request.args.get("next", "/")), parts.now()
    try:
        answer = _see_other(provider.login_address(pending, now))
    except Problem as problem:
        return _form(parts, who, pending.path, problem.document.detail, problem)
    answer.headers.add("Set-Cookie", pendings.set_cookie(parts.accounts.pending.seal(pending, now), who.secure))
    return answer


def _callback(parts: Parts) -> Response:
    """From the provider."""
    who, pending = caller(parts), _pending(parts)
    try:
        if pending is None:
            raise Problem("login-failed", _STALE)
        user, id_token = parts.accounts.by_provider(request.args.to_dict(), pending, parts.now())
    except Problem as problem:
        path = pending.path if pending else "/"
        if who.by is By.LOGIN:  # in another tab meanwhile
            return _see_other(path)
        return _form(parts, who, path, problem.document.detail, problem)
    return _logged_in(parts, who, user, pending.path, id_token)


def _leave(parts: Parts) -> Response:
    who = caller(parts)
    if who.by is not By.LOGIN:
        return _see_other(LOGIN)
    page = Response(render_template("logout.html", name=who.name, form=parts.accounts.form_token(who)))
    provider = parts.accounts.provider
    if provider is not None and (origin := provider.logout_origin(parts.now())):
        page.headers["Content-Security-Policy"] = _POLICY.replace("form-action 'self'", f"form-action 'self' {origin}")
    return page


def _log_out(parts: Parts) -> Response:
    who = caller(parts)
    if who.by is By.LOGIN and same(request.form.get("form", ""), parts.accounts.form_token(who)):
        return logged_out(who, _see_other(parts.accounts.end(who, parts.now()) or f"{LOGIN}?out"))
    return _see_other(LOGOUT)


def _style(_parts: Parts) -> Response:
    return send_from_directory(_FOLDER, "page.css", max_age=3600)


_VIEWS: tuple[tuple[str, str, Callable[[Parts], Response]], ...] = (
    ("GET", LOGIN, _page),
    ("POST", LOGIN, _log_in),
    ("GET", f"{LOGIN}/start", _start),
    ("GET", CALLBACK, _callback),
    ("GET", f"{LOGIN}/page.css", _style),
    ("GET", LOGOUT, _leave),
    ("POST", LOGOUT, _log_out),
)


def logged_out(who: Caller, answer: Response) -> Response:
    """Let the browser forget the login, which has ended."""
    answer.headers["Set-Cookie"] = clear_cookie(who.secure)
    answer.headers["Clear-Site-Data"] = '"cache"'  # images may be kept for an hour otherwise
    return answer


def _by_password(parts: Parts, who: Caller, name: str) -> User:
    pending = _pending(parts)
    if parts.settings.accounts.mode != "local":
        raise Problem("login-failed", "There are no passwords here.")
    if pending is None or not same(request.form.get("form", ""), pending.form):
        raise Problem("login-failed", _STALE)
    return parts.accounts.by_password(name, request.form.get("password", ""), who.address, parts.now())


def _logged_in(parts: Parts, who: Caller, user: User, path: str, id_token: str = "") -> Response:
    try:
        cookie = parts.accounts.begin(user, who.login_id, parts.now(), id_token)
    except Problem as problem:
        return _form(parts, who, path, problem.document.detail, problem)
    answer = _see_other(path)
    answer.headers.add("Set-Cookie", set_cookie(cookie, who.secure))
    answer.headers.add("Set-Cookie", pendings.set_cookie("", who.secure))
    return answer


def _form(
    parts: Parts, who: Caller, path: str, said: str = "", problem: Problem | None = None, name: str = ""
) -> Response:
    """The page. The cookie that is there stays good, so that two tabs may be open."""
    pending = _pending(parts) or pendings.begin(path)
    provider = parts.accounts.provider
    with parts.database.read() as connection:
        announced = announcement.get(connection, parts.now())
    words = {
        "announced": announced.text if announced else "",
        "said": said,
        "wrong": problem is not None,
        "name": name,
        "path": path,
        "form": pending.form,
    }
    start = f"{LOGIN}/start?{urlencode({'next': path})}"
    body = render_template("login.html", provider=provider.host if provider else "", start=start, **words)
    answer = Response(body, status=problem.status if problem else HTTPStatus.OK)
    answer.headers.add("Set-Cookie", pendings.set_cookie(parts.accounts.pending.seal(pending, parts.now()), who.secure))
    if problem is not None and problem.status == HTTPStatus.TOO_MANY_REQUESTS:
        answer.headers["Retry-After"] = str((problem.document.model_extra or {}).get("retry_after_s", 1))
    return answer


def _pending(parts: Parts) -> Pending | None:
    return parts.accounts.pending.open(request.headers.get(PENDING_HEADER, ""), parts.now())


def _see_other(address: str) -> Response:
    answer = redirect(address, HTTPStatus.SEE_OTHER, Response)
    assert isinstance(answer, Response)  # noqa: S101 (of the class that was asked for)
    return answer


def _protect(answer: Response) -> Response:
    answer.headers.setdefault("Content-Security-Policy", _POLICY)
    answer.headers.setdefault("Cache-Control", "no-store")
    return answer
