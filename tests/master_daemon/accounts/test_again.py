"""A caller who was let in with the same head before: what time changes is looked at again, and no more."""

from __future__ import annotations

import pytest

from ligan.settings import AccountSettings, LimitSettings
from ligan.web.http.head import RequestHead
from ligan.wire.account import AccountRole
from master_daemon.accounts.accounts import Accounts
from master_daemon.accounts.caller import Caller, Refusal
from master_daemon.state import tokens, users
from tests.master_daemon.accounts.conftest import Make
from tests.master_daemon.accounts.heads import head

NOW, PERSON = 1_800_000_000.0, "192.0.2.7"
_IDLE = AccountSettings().idle_hours * 3600
_AGE = AccountSettings().absolute_hours * 3600


def let_in(accounts: Accounts, method: str = "GET", target: str = "/") -> tuple[RequestHead, Caller]:
    """Alice's head, and Alice."""
    with accounts.database.write() as transaction:
        alice = users.add_local(transaction, "alice", "-", AccountRole.USER, NOW)
    cookie = ("Cookie", f"ligan_session={accounts.begin(alice, '', NOW)}")
    request = head(method, target, PERSON, ("Origin", "http://ligan.example.org"), cookie)
    caller = accounts.authenticator.who(request, NOW)
    assert isinstance(caller, Caller)
    assert accounts.authenticator.lasts(caller, request)
    return request, caller


def slug(answer: Caller | Refusal | None) -> str:
    assert isinstance(answer, Refusal)
    return answer.problem.slug


def test_it_is_the_same_caller_until_the_login_is_idle_for_too_long(make: Make) -> None:
    accounts = make(mode="local")
    request, caller = let_in(accounts)
    auth = accounts.authenticator
    assert auth.again(caller, request, NOW + _IDLE) is caller
    assert auth.again(caller, request, NOW + 2 * _IDLE) is caller, "it was used in between"
    assert auth.again(caller, request, NOW + 3 * _IDLE + 1) is None, "it must be asked anew"


def test_it_is_nobody_when_the_login_is_too_old(make: Make) -> None:
    accounts = make(mode="local")
    request, caller = let_in(accounts)
    at = NOW
    while at + _IDLE <= NOW + _AGE:
        at += _IDLE
        assert accounts.authenticator.again(caller, request, at) is caller
    assert accounts.authenticator.again(caller, request, NOW + _AGE + 1) is None


def test_each_change_counts(make: Make) -> None:
    accounts = make(mode="local")
    request, caller = let_in(accounts)
    epoch = accounts.authenticator.epoch
    accounts.end(caller, NOW)
    assert accounts.authenticator.epoch > epoch
    assert accounts.authenticator.again(caller, request, NOW) is None


def test_limits_hold_for_heads_that_are_alike(make: Make) -> None:
    accounts = make(LimitSettings(requests_per_minute=5), mode="local")
    request, caller = let_in(accounts)
    assert [accounts.authenticator.again(caller, request, NOW) for _ in range(4)] == [caller] * 4
    assert slug(accounts.authenticator.again(caller, request, NOW)) == "too-many-requests"
    assert accounts.authenticator.again(caller, request, NOW + 60) is caller


def test_uploads_have_their_own(make: Make) -> None:
    accounts = make(LimitSettings(uploads_per_minute=3), mode="local")
    request, caller = let_in(accounts, "POST", "/api/v1/uploads")
    assert [accounts.authenticator.again(caller, request, NOW) for _ in range(2)] == [caller] * 2
    assert slug(accounts.authenticator.again(caller, request, NOW)) == "too-many-requests"


@pytest.mark.parametrize("mode", ["none", "local", "header"])
def test_what_the_address_and_cookie_do_not_say_is_asked_each_time(make: Make, mode: str) -> None:
    """Tokens, what a proxy vouches for, pages for strangers, and a cookie that leads nowhere yet."""
    accounts = make(mode=mode, trusted_proxies=(PERSON,) if mode == "header" else ())
    token = ("Authorization", f"Bearer {tokens.PREFIX}{'x' * 43}")
    vouched, unknown = ("X-Remote-User", "alice"), ("Cookie", "ligan_session=x")
    for fields, target in (((token,), "/"), ((vouched,), "/login"), ((unknown,), "/"), ((), "/metrics")):
        request = head("GET", target, PERSON, ("Host", "localhost"), *fields)
        said = accounts.authenticator.who(request, NOW)
        assert not accounts.authenticator.lasts(said, request), (fields, said)
