"""Who calls: decided for every request from its head, before anything else is done with it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from ligan.identity import matches
from ligan.problem import Problem
from ligan.settings import Settings
from ligan.web.guard import bearer
from ligan.web.http.head import RequestHead
from ligan.wire.account import lesser
from master_daemon.accounts import allowance, lifetime, same_origin
from master_daemon.accounts.area import Area, area_of
from master_daemon.accounts.bucket import Buckets
from master_daemon.accounts.caller import By, Caller, Refusal
from master_daemon.accounts.memory import Memory, MissingError
from master_daemon.accounts.network import Arrival, Network, neighbourhood, values
from master_daemon.accounts.role import DISABLED, groups_of_header, role_of
from master_daemon.state import logins, owners, sessions, tokens, users
from master_daemon.state.database import Database
from master_daemon.state.logins import Login
from master_daemon.state.tokens import Token
from master_daemon.state.users import User
from master_daemon.tunnel.cookie import SessionCookie, name_of

T = TypeVar("T")
_BEARER = "bearer "
_LONGEST_NAME = 256
_LOG_IN = "Log in first: open the start page in a browser, or send an API token as `Authorization: Bearer TOKEN`."
_NO_TOKEN = "This API token is unknown, expired or revoked; make a new one."  # noqa: S105 (a sentence)
_ASK_PROXY = "The site's own login comes first: use the address that it gives for this service."
_NOT_ALLOWED = "You are logged in, but none of your groups may use this service; ask its operators."


class Look(Protocol):
    """`Memory.recall` or `Memory.read`."""

    def __call__(self, key: Hashable, read: Callable[[], T], /) -> T: ...


class Authenticator:
    """Thread-safe. `now` is Unix seconds throughout."""

    def __init__(self, settings: Settings, cookie: SessionCookie, database: Database, operator: str) -> None:
        """`operator`: the operator's token."""
        self._settings = settings
        self._operator = bearer(operator)
        self._accounts = settings.accounts
        self._cookie = cookie
        self._database = database
        self._network = Network(settings.accounts.trusted_proxies)
        self._user_header = settings.accounts.user_header.lower().encode()
        self._groups_header = settings.accounts.groups_header.lower().encode()
        self._requests = Buckets(settings.limits.requests_per_minute)
        self._uploads = Buckets(settings.limits.uploads_per_minute)
        self._strangers = Buckets(settings.limits.anonymous_per_minute)
        self._memory = Memory()
        self._plain = settings.accounts.mode != "header" and not settings.accounts.trusted_proxies
        self.used_logins: dict[str, float] = {}
        self.used_tokens: dict[str, float] = {}

    @property
    def private_headers(self) -> frozenset[bytes]:
        """Names that only the site's proxies may send; they are passed on to nobody."""
        return frozenset({self._user_header, self._groups_header})

    def known(self, head: RequestHead, now: float) -> Caller | Refusal | None:
        """Who calls, if that is remembered; None when `who` must be asked, which may wait for the database."""
        try:
            return self._recent(head, now)
        except MissingError:
            pass
        try:
            return self._noted(head, now, self._memory.recall)
        except MissingError:
            return None

    def lasts(self, caller: Caller | Refusal, head: RequestHead) -> bool:
        """Is this, said of a head, true of each that is alike, until `epoch` changes, but for what `again` looks at?"""
        known = isinstance(caller, Caller) and (bool(caller.session_key) or head.get(b"cookie") is None)
        return known and self._is_plain(head)

    def again(self, caller: Caller, head: RequestHead, now: float) -> Caller | Refusal | None:
        """As `known`, of a head of which it has said `caller`, which `lasts`: what time changes, and no more."""
        if caller.by is By.NOTHING:
            return caller  # without accounts there are no limits
        if caller.by is By.LOGIN and not self._still_in(caller, now):
            return None
        try:
            self._limit(caller, head, now)
        except Problem as problem:
            return Refusal(problem)
        return caller

    @property
    def epoch(self) -> int:
        """Counts the changes of users, logins, tokens and sessions."""
        return self._memory.epoch

    def who(self, head: RequestHead, now: float) -> Caller | Refusal:
        """Who calls, or why the request gets no further."""
        return self._noted(head, now, self._memory.read)

    def forget(self) -> None:
        """Users, logins, tokens or sessions have changed."""
        self._memory.forget()

    def _noted(self, head: RequestHead, now: float, look: Look) -> Caller | Refusal:
        """The decision, noted for `_recent` where it holds for the next request too."""
        epoch = self._memory.epoch
        caller = self._decide(head, now, look)
        if self.lasts(caller, head):
            self._memory.keep(_recent_key(head), caller, epoch)
        return caller

    def _is_plain(self, head: RequestHead) -> bool:
        """Is the caller known by address and cookie alone, on every path?"""
        return self._plain and head.get(b"authorization") is None and area_of(head.path) is Area.USERS

    def _decide(self, head: RequestHead, now: float, look: Look) -> Caller | Refusal:
        arrival = self._network.arrival(head)
        try:
            caller = self._identify(head, arrival, now, look)
        except Problem as problem:
            return self._refusal(problem, arrival, now)
        return self._checked(caller, head, now)

    def _recent(self, head: RequestHead, now: float) -> Caller | Refusal:
        """The short way of most requests: the same address with the same cookie as before. Raises MissingError."""
        if not self._plain or head.get(b"authorization") is not None:
            raise MissingError
        caller: Caller = self._memory.recall(_recent_key(head), _nothing)
        if caller.by is By.LOGIN and not self._still_in(caller, now):
            raise MissingError
        return self._checked(caller, head, now)

    def _still_in(self, caller: Caller, now: float) -> bool:
        """Is the login remembered, and not too old? Then it is used."""
        try:
            login: Login = self._memory.recall(("login", caller.login_id), _nothing)
        except MissingError:
            return False
        if not self._alive(login, now):
            return False
        self.used_logins[caller.login_id] = now
        return True

    # Who it is -----------------------------------------------------------------------------------------------------

    def _identify(self, head: RequestHead, arrival: Arrival, now: float, look: Look) -> Caller:
        authorization = head.get(b"authorization") or ""
        if authorization.lower().startswith(_BEARER + tokens.PREFIX):
            return self._by_token(authorization[len(_BEARER) :], arrival, now, look)
        if self._accounts.mode == "none":
            return self._with_session(Caller(By.NOTHING, arrival.address, arrival.secure), head, look)
        caller = self._by_header if self._accounts.mode == "header" else self._by_login
        try:
            return caller(head, arrival, now, look)
        except Problem as problem:
            if problem.slug != "not-logged-in" or area_of(head.path) is Area.USERS:
                raise
            return Caller(By.STRANGER, arrival.address, arrival.secure)

    def _by_token(self, secret: str, arrival: Arrival, now: float, look: Look) -> Caller:
        digest = tokens.digest(secret)
        token = look(("token", digest), lambda: self._read(tokens.find, digest))
        if token is None or token.expires_at <= now or token.user.disabled:
            raise Problem("not-logged-in", _NO_TOKEN)
        session_id, key = look(("token's session", digest), lambda: self._token_session(token, now))
        self.used_tokens[token.token_id] = now
        user, role = token.user, lesser(token.role, token.user.role)
        return Caller(By.TOKEN, arrival.address, arrival.secure, user.user_id, user.name, role, "", session_id, key)

    def _by_header(self, head: RequestHead, arrival: Arrival, now: float, look: Look) -> Caller:
        names = values(head, self._user_header) if arrival.vouched else []
        if len(names) != 1 or not 0 < len(names[0]) <= _LONGEST_NAME:
            raise Problem("not-logged-in", _ASK_PROXY)
        groups = frozenset().union(*map(groups_of_header, values(head, self._groups_header)))
        user = look(("header", names[0], groups), lambda: self._vouched(names[0], groups, now))
        if user.disabled:
            raise Problem("not-authorised", DISABLED)
        return self._with_session(_of(user, By.HEADER, arrival), head, look)

    def _by_login(self, head: RequestHead, arrival: Arrival, now: float, look: Look) -> Caller:
        _, login_id = self._cookie.open_both(head.cookie(name_of(arrival.secure)))
        login = look(("login", login_id), lambda: self._read(logins.find, login_id)) if login_id else None
        if login is None or login.user.disabled or not self._alive(login, now):
            raise Problem("not-logged-in", _LOG_IN)
        self.used_logins[login_id] = now
        return self._with_session(replace(_of(login.user, By.LOGIN, arrival), login_id=login_id), head, look)

    def _alive(self, login: Login, now: float) -> bool:
        seen_at = max(login.seen_at, self.used_logins.get(login.login_id, 0.0))
        return lifetime.alive(login.created_at, seen_at, self._accounts, now)

    def _with_session(self, caller: Caller, head: RequestHead, look: Look) -> Caller:
        """The cookie's session counts if it is the caller's own."""
        session_id, _ = self._cookie.open_both(head.cookie(name_of(caller.secure)))
        owned = look(("session", session_id), lambda: self._read(owners.owner_of, session_id)) if session_id else None
        mine = owned is not None and (not caller.known or owned[1] == caller.user_id)
        return replace(caller, session_id=session_id, session_key=owned[0]) if mine and owned else caller

    # What it may ----------------------------------------------------------------------------------------------------

    def _checked(self, caller: Caller, head: RequestHead, now: float) -> Caller | Refusal:
        try:
            self._check(caller, head, now)
        except Problem as problem:
            return Refusal(problem)
        return caller

    def _check(self, caller: Caller, head: RequestHead, now: float) -> None:
        if caller.by is By.NOTHING:
            same_origin.check_name(self._network.arrival(head))
        if head.method not in same_origin.SAFE and caller.by is not By.TOKEN:  # no page can make a browser send a token
            same_origin.check(head, self._network.arrival(head), strict=caller.known)
        self._limit(caller, head, now)

    def _limit(self, caller: Caller, head: RequestHead, now: float) -> None:
        if caller.by is By.STRANGER and not self._is_operator(head):
            _take(self._strangers, neighbourhood(caller.address), now)
        if caller.known:
            _take(self._requests, caller.user_id, now)
            if head.method == "POST" and head.path == "/api/v1/uploads":
                _take(self._uploads, caller.user_id, now)

    def _is_operator(self, head: RequestHead) -> bool:
        """With the operator's token: an address that asks too often, such as this machine's, keeps no operator out."""
        return matches(head.get(b"authorization") or "", self._operator)

    def _refusal(self, problem: Problem, arrival: Arrival, now: float) -> Refusal:
        """Of somebody whom nobody knows. Whoever asks too often is told just that."""
        if problem.slug != "not-logged-in":
            return Refusal(problem)
        wait = self._strangers.take(neighbourhood(arrival.address), now)
        login = self._accounts.mode in ("local", "oidc")
        return (
            Refusal(_too_many(wait)) if wait else Refusal(problem.extended(login="/login") if login else problem, login)
        )

    # What the database says -----------------------------------------------------------------------------------------

    def _read(self, find: Callable[..., T], key: str) -> T:
        with self._database.read() as connection:
            return find(connection, key)

    def _vouched(self, name: str, groups: frozenset[str], now: float) -> User:
        role = role_of(groups, self._accounts)
        if role is None:
            raise Problem("not-authorised", _NOT_ALLOWED)
        with self._database.write() as transaction:
            return users.vouched(transaction, "header", name, name, role, now)

    def _token_session(self, token: Token, now: float) -> tuple[str, str]:
        """(session ID, key) of the session that the token's calls act in; a new one where that was erased."""
        user_id = token.user.user_id
        with self._database.write() as transaction:
            key = tokens.session_of(transaction.connection, token.token_id)
            if key is not None and owners.user_of(transaction.connection, key) == user_id:
                return sessions.newest_id(transaction.connection, key), key
            allowance.check_sessions(transaction.connection, self._settings.limits, user_id)
            session_id, key = owners.begin(transaction, user_id, now)
            tokens.act_in(transaction, token.token_id, key)
            return session_id, key


def _recent_key(head: RequestHead) -> Hashable:
    """All that a caller is known by, where no proxy has a say."""
    return "recent", head.peer, head.get(b"cookie")


def _nothing() -> Any:  # noqa: ANN401 (never called: what is not remembered is an error here)
    return None


def _of(user: User, by: By, arrival: Arrival) -> Caller:
    return Caller(by, arrival.address, arrival.secure, user.user_id, user.name, user.role)


def _take(buckets: Buckets, key: str, now: float) -> None:
    wait = buckets.take(key, now)
    if wait:
        raise _too_many(wait)


def _too_many(wait: int) -> Problem:
    return Problem("too-many-requests", f"Wait {wait} s, then go on more slowly.", retry_after_s=wait)
