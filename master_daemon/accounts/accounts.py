"""Logging in and out, whichever way the site has chosen, and what has to be done now and then."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from ligan.identity import derive
from ligan.problem import Problem
from ligan.settings import Settings, SettingsError
from ligan.wire.account import AccountRole
from master_daemon.accounts import allowance, lifetime, password
from master_daemon.accounts.authenticator import Authenticator
from master_daemon.accounts.bucket import Buckets
from master_daemon.accounts.caller import By, Caller
from master_daemon.accounts.hint import Hints
from master_daemon.accounts.lockout import Lockout
from master_daemon.accounts.network import Network, is_loopback, neighbourhood
from master_daemon.accounts.pending import Pending, PendingCookie, same
from master_daemon.accounts.provider import Provider
from master_daemon.accounts.role import DISABLED, claim, groups_in, role_of
from master_daemon.api.operator_token import operator_token
from master_daemon.state import audit, logins, owners, sessions, tokens, users
from master_daemon.state.database import Database, Transaction
from master_daemon.state.users import User
from master_daemon.tunnel.cookie import SessionCookie

log = logging.getLogger(__name__)
OPEN = "There are no accounts: everybody on this machine can use LiGAN, and see nobody else's session."
_WRONG = "Name or password is wrong."
_NOT_ALLOWED = "You are known there, but none of your groups may use this service; ask its operators."
_OWNERS_KEPT = 40 * 86400.0
"""GPU minutes count by month."""


EndStreams = Callable[[Collection[str]], object]


def _nobody_listens(_keys: Collection[str]) -> None:
    pass


@dataclass
class Accounts:
    """One installation's. Thread-safe. Raises SettingsError for settings that cannot be used."""

    settings: Settings
    secret: bytes
    database: Database
    authenticator: Authenticator = field(init=False)
    provider: Provider | None = field(init=False, default=None)
    pending: PendingCookie = field(init=False)

    def __post_init__(self) -> None:
        check(self.settings)
        self._cookie = SessionCookie(self.secret)
        self.authenticator = Authenticator(self.settings, self._cookie, self.database, operator_token(self.secret))
        self.pending = PendingCookie(self.secret)
        self._hints = Hints(self.secret)
        self._lockout = Lockout()
        self._end_streams: EndStreams = _nobody_listens
        self._tries = Buckets(self.settings.limits.logins_per_minute)
        if self.settings.accounts.mode == "oidc":
            self.provider = Provider(self.settings.accounts)

    # In ---------------------------------------------------------------------------------------------------------------

    def by_password(self, name: str, given: str, address: str, now: float) -> User:
        """Raises Problem `login-failed`, whatever is wrong, and `too-many-requests` before anything is looked at."""
        near = neighbourhood(address)
        key = (name, near)
        wait = self._tries.take(near, now) or self._lockout.try_now(key, now)
        if wait:
            raise Problem("too-many-requests", f"Too many tries to log in; wait {wait} s.", retry_after_s=wait)
        with self.database.read() as connection:
            account = users.local_password(connection, name)
        if not password.verify(given, account[1] if account else None) or account is None:
            log.warning("a login was refused from %s", address)
            raise Problem("login-failed", _WRONG)
        self._lockout.succeeded(key)
        self._renew_hash(account, given)
        return account[0]

    def _renew_hash(self, account: tuple[User, str], given: str) -> None:
        if password.outdated(account[1]):
            with self.database.write() as transaction:
                users.set_values(transaction, account[0].user_id, password_hash=password.rehashed(given))

    def by_provider(self, answer: Mapping[str, str], pending: Pending, now: float) -> tuple[User, str]:
        """(user, ID token). Raises Problem `login-failed`, also when the same answer comes again, and `unreachable`."""
        mine = same(answer.get("state", ""), pending.state)  # an answer to another tab's login uses up nothing
        if self.provider is None or (mine and not self.pending.use(pending)):
            raise Problem("login-failed", "This login has been used; go back to the login page and try again.")
        claims, id_token = self.provider.claims(answer, pending, now)
        accounts = self.settings.accounts
        role = role_of(groups_in(claim(claims, accounts.groups_claim)), accounts)
        if role is None:
            raise Problem("login-failed", _NOT_ALLOWED)
        subject = str(claims["sub"])
        name = claim(claims, accounts.name_claim)
        shown = name[:256] if isinstance(name, str) and name else subject
        return self._vouched(f"{accounts.issuer} {subject}", shown, role, now), id_token

    def _vouched(self, subject: str, name: str, role: AccountRole, now: float) -> User:
        with self.database.write() as transaction:
            user = users.vouched(transaction, "oidc", subject, name, role, now)
        if user.disabled:
            raise Problem("login-failed", DISABLED)
        return user

    def begin(self, user: User, old_login: str, now: float, id_token: str = "") -> str:
        """The session cookie's new value: new IDs, for whoever knew the old ones shall know nothing."""
        with self.database.write() as transaction:
            if old_login:
                logins.end(transaction, old_login)
            session_id = self._session(transaction, "", user.user_id, now)
            login_id = logins.begin(transaction, user.user_id, now, self._hints.seal(id_token))
            audit.record(transaction, user.user_id, "log in", user.user_id, now)
        self.authenticator.forget()
        return self._cookie.seal(session_id, login_id)

    def open_page(self, caller: Caller, now: float) -> str:
        """The session cookie's value for a load of the start page: every load has a session ID of its own."""
        with self.database.write() as transaction:
            if caller.by is By.NOTHING:
                session_id = sessions.renew(transaction, caller.session_id or None, now, caller.address)
            else:
                session_id = self._session(transaction, caller.session_id, caller.user_id, now)
        return self._cookie.seal(session_id, caller.login_id)

    def _session(self, transaction: Transaction, old_id: str, user_id: str, now: float) -> str:
        """ID of the session to go on with: that of `old_id`, else the user's last one, else a new one."""
        owned = owners.owner_of(transaction.connection, old_id) if old_id else None
        mine = owned is not None and owned[1] == user_id
        known = old_id if mine else owners.newest(transaction.connection, user_id)
        if known:
            return sessions.renew(transaction, known, now, user_id)
        allowance.check_sessions(transaction.connection, self.settings.limits, user_id)
        return owners.begin(transaction, user_id, now)[0]

    # Out --------------------------------------------------------------------------------------------------------------

    def end(self, caller: Caller, now: float) -> str:
        """Log this browser out. Returns the address where the provider does so too, or an empty string."""
        with self.database.write() as transaction:
            hint = logins.end(transaction, caller.login_id)
            audit.record(transaction, caller.user_id, "log out", caller.user_id, now)
        self.changed(caller.user_id)
        return self.provider.logout_address(self._hints.open(hint), now) if self.provider else ""

    def changed(self, user_id: str) -> None:
        """What the user may do has changed: from now on it holds, for open event streams too."""
        self.authenticator.forget()
        with self.database.read() as connection:
            keys = [key for key, *_ in owners.of_user(connection, user_id)]
        self._end_streams(keys)

    def when_over(self, end_streams: EndStreams) -> None:
        """`end_streams` is called, from any thread, with the keys of sessions whose streams must end."""
        self._end_streams = end_streams

    def form_token(self, caller: Caller) -> str:
        """What the logout form of this login holds; no other site can know it."""
        return derive(self.secret, "form", caller.login_id)

    # Now and then -----------------------------------------------------------------------------------------------------

    def turn(self, now: float) -> None:
        """Note who was here, and take away what is over."""
        auth, settings = self.authenticator, self.settings.accounts
        used, auth.used_logins = auth.used_logins, {}
        spent, auth.used_tokens = auth.used_tokens, {}
        with self.database.write() as transaction:
            logins.seen(transaction, used)
            tokens.used(transaction, spent)
            gone = logins.expire(
                transaction, lifetime.unused_since(settings, now), lifetime.begun_before(settings, now)
            )
            tokens.expire(transaction, now)
            owners.forget(transaction, now - _OWNERS_KEPT)
        auth.forget()  # it remembers when they were used before
        for user_id in gone:
            self.changed(user_id)


def check(settings: Settings) -> None:
    """Raises SettingsError for a section [accounts] or [limits] that cannot be used, before anything is opened."""
    check_open_doors(settings)
    Network(settings.accounts.trusted_proxies)
    if settings.accounts.mode == "oidc":
        Provider(settings.accounts)
    if settings.accounts.mode == "header" and not settings.accounts.trusted_proxies:
        raise SettingsError('accounts.trusted_proxies: mode = "header" believes nobody without it.')


def check_open_doors(settings: Settings) -> None:
    """Without accounts only this machine may come in. Raises SettingsError."""
    if settings.accounts.mode == "none" and not is_loopback(settings.daemon.host):
        raise SettingsError(
            f"daemon.host = {settings.daemon.host!r} lets other machines in, but there are no accounts: set "
            '[accounts] mode = "local", "oidc" or "header" (docs/accounts.md), or leave host at 127.0.0.1.'
        )
