"""Who calls, decided from a head alone: headers of proxies, tokens, limits, and what is remembered."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from ligan.settings import AccountSettings, DaemonSettings, LimitSettings, Settings, SettingsError
from ligan.web.http.head import RequestHead
from ligan.wire.account import AccountRole
from master_daemon.accounts.accounts import Accounts, check
from master_daemon.accounts.caller import By, Caller, Refusal, read, written
from master_daemon.api.operator_token import operator_token
from master_daemon.state import tokens, users
from tests.master_daemon.accounts.conftest import Make
from tests.master_daemon.accounts.heads import head

NOW, PROXY, PERSON = 1_800_000_000.0, "10.0.0.5", "192.0.2.7"


@pytest.fixture
def proxied(make: Make) -> Accounts:
    groups = {"operator_groups": ("ops",), "allowed_groups": ("staff",)}
    return make(mode="header", trusted_proxies=(PROXY,), **groups)


def ask(accounts: Accounts, request: RequestHead, now: float = NOW) -> Caller | Refusal:
    """As the gateway does; what is remembered must be the same as what is found out."""
    known = accounts.authenticator.known(request, now)
    return known if known is not None else accounts.authenticator.who(request, now)


def refused(answer: Caller | Refusal) -> str:
    assert isinstance(answer, Refusal), answer
    return answer.problem.slug


def admitted(answer: Caller | Refusal) -> Caller:
    assert isinstance(answer, Caller), answer
    return answer


def user_head(name: str = "alice", groups: str = "staff", peer: str = PROXY, *fields: tuple[str, str]) -> RequestHead:
    return head("GET", "/", peer, ("X-Remote-User", name), ("X-Remote-Groups", groups), *fields)


# The site's proxy -----------------------------------------------------------------------------------------------------


def test_the_sites_proxy_says_who_it_is(proxied: Accounts) -> None:
    caller = admitted(ask(proxied, user_head("alice", "staff", PROXY, ("X-Forwarded-For", PERSON))))
    assert (caller.by, caller.name, caller.role, caller.address) == (By.HEADER, "alice", AccountRole.USER, PERSON)
    again = admitted(ask(proxied, user_head("alice", "staff; ops")))
    assert (again.user_id, again.role) == (caller.user_id, AccountRole.OPERATOR)


@pytest.mark.parametrize("peer", [PERSON, "127.0.0.1", "", "10.0.0.55"])
def test_from_everybody_else_the_header_is_nothing(proxied: Accounts, peer: str) -> None:
    assert refused(ask(proxied, user_head(peer=peer))) == "not-logged-in"
    forged = user_head("alice", "staff", peer, ("X-Forwarded-For", PROXY), ("Forwarded", f"for={PROXY}"))
    assert refused(ask(proxied, forged)) == "not-logged-in"


def test_a_second_name_is_one_too_many(proxied: Accounts) -> None:
    """A caller may have written the first, and a careless proxy added its own."""
    assert refused(ask(proxied, user_head("alice", "staff", PROXY, ("x-remote-user", "root")))) == "not-logged-in"


@pytest.mark.parametrize("name", ["", "x" * 257])
def test_no_name(proxied: Accounts, name: str) -> None:
    assert refused(ask(proxied, user_head(name))) == "not-logged-in"


@pytest.mark.parametrize("header", ["X_Remote_User", "X-Remote_User"])
def test_names_that_a_server_behind_might_take_for_it(proxied: Accounts, header: str) -> None:
    assert refused(ask(proxied, head("GET", "/", PROXY, (header, "root")))) == "not-logged-in"


def test_not_in_the_right_group(proxied: Accounts) -> None:
    assert refused(ask(proxied, user_head(groups="guests"))) == "not-authorised"
    assert refused(ask(proxied, user_head(groups=""))) == "not-authorised"


def test_a_disabled_user_stays_out_from_the_next_request_on(proxied: Accounts) -> None:
    caller = admitted(ask(proxied, user_head()))
    with proxied.database.write() as transaction:
        users.set_values(transaction, caller.user_id, disabled=True)
    proxied.authenticator.forget()
    assert refused(ask(proxied, user_head())) == "not-authorised"


def test_the_header_goes_no_further(proxied: Accounts) -> None:
    assert proxied.authenticator.private_headers == {b"x-remote-user", b"x-remote-groups"}


def test_with_local_accounts_the_header_is_nothing(make: Make) -> None:
    assert refused(ask(make(mode="local", trusted_proxies=(PROXY,)), user_head())) == "not-logged-in"


def test_under_the_proxys_tls_only_the_cookie_of_this_very_host_counts(make: Make) -> None:
    accounts = make(mode="local", trusted_proxies=(PROXY,))
    with accounts.database.write() as transaction:
        alice = users.add_local(transaction, "alice", "-", AccountRole.USER, NOW)
    value = accounts.begin(alice, "", NOW)
    tls = ("X-Forwarded-Proto", "https")

    def by(name: str, *fields: tuple[str, str]) -> Caller | Refusal:
        return ask(accounts, head("GET", "/", PROXY, ("Cookie", f"{name}={value}"), *fields))

    assert admitted(by("__Host-ligan_session", tls)).secure
    assert refused(by("ligan_session", tls)) == "not-logged-in"
    assert refused(by("__Host-ligan_session")) == "not-logged-in"


# Tokens ---------------------------------------------------------------------------------------------------------------


def token_of(accounts: Accounts, most: AccountRole = AccountRole.OPERATOR, days: float = 1) -> tuple[str, tokens.Token]:
    with accounts.database.write() as transaction:
        name = f"user-{len(users.with_sessions(transaction.connection))}"
        user = users.add_local(transaction, name, "-", AccountRole.DEVELOPER, NOW)
        return tokens.make(transaction, user, "test", most, NOW, NOW + days * 86400)


def bearer(token: str, scheme: str = "Bearer") -> RequestHead:
    return head("POST", "/api/v1/tasks", PERSON, ("Host", "localhost"), ("Authorization", f"{scheme} {token}"))


@pytest.mark.parametrize("mode", ["none", "local"])
def test_a_token_acts_for_its_user_in_a_session_of_its_own(make: Make, mode: str) -> None:
    accounts = make(mode=mode)
    secret, _ = token_of(accounts)
    caller = admitted(ask(accounts, bearer(secret)))
    assert (caller.by, caller.role) == (By.TOKEN, AccountRole.DEVELOPER), "never more than the user's own"
    assert caller.session_id
    assert admitted(ask(accounts, bearer(secret, "bearer"))) == caller
    accounts.authenticator.forget()
    assert admitted(ask(accounts, bearer(secret))).session_key == caller.session_key, "also after a restart"
    other, _ = token_of(accounts)
    assert admitted(ask(accounts, bearer(other))).session_key != caller.session_key


def test_only_a_digest_is_stored(make: Make, tmp_path: Path) -> None:
    accounts = make(mode="local")
    secret, _ = token_of(accounts)
    admitted(ask(accounts, bearer(secret)))
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert tokens.digest(secret).encode() in files
    assert secret.encode() not in files


def test_what_is_no_token(make: Make) -> None:
    accounts = make(mode="none")
    secret, token = token_of(accounts)
    for wrong in (secret[:-1], secret + "x", secret.upper(), tokens.PREFIX, tokens.digest(secret), token.token_id):
        answer = ask(accounts, bearer(wrong))
        expected = wrong.lower().startswith(tokens.PREFIX)  # anything else is not meant for us, and nobody
        assert refused(answer) == "not-logged-in" if expected else admitted(answer).by is By.NOTHING


def test_its_time_is_over_or_it_is_revoked_or_its_user_is_out(make: Make) -> None:
    accounts = make(mode="local")
    expired, revoked, disabled = (token_of(accounts) for _ in range(3))
    for secret, _ in (expired, revoked, disabled):
        admitted(ask(accounts, bearer(secret)))
    assert refused(ask(accounts, bearer(expired[0]), NOW + 86400)) == "not-logged-in"
    with accounts.database.write() as transaction:
        tokens.revoke(transaction, revoked[1].token_id)
        users.set_values(transaction, disabled[1].user.user_id, disabled=True)
    accounts.authenticator.forget()
    assert [refused(ask(accounts, bearer(secret))) for secret, _ in (revoked, disabled)] == ["not-logged-in"] * 2


# Limits ---------------------------------------------------------------------------------------------------------------


def test_a_users_requests_and_uploads_are_counted_wherever_they_come_from(make: Make) -> None:
    limits = LimitSettings(requests_per_minute=5, uploads_per_minute=2)
    accounts = make(limits, mode="local")
    secret, _ = token_of(accounts)

    def upload(peer: str) -> Caller | Refusal:
        return ask(accounts, head("POST", "/api/v1/uploads", peer, ("Authorization", f"Bearer {secret}")))

    answers = [upload(f"192.0.2.{number}") for number in range(3)]
    assert [isinstance(answer, Caller) for answer in answers] == [True, True, False]
    refusal = answers[2]
    assert isinstance(refusal, Refusal)
    assert refusal.problem.document.model_extra == {"retry_after_s": 30}
    for _ in range(2):
        admitted(ask(accounts, bearer(secret)))
    assert refused(ask(accounts, bearer(secret))) == "too-many-requests"
    assert isinstance(ask(accounts, bearer(secret), NOW + 60), Caller)
    other, _ = token_of(accounts)
    admitted(ask(accounts, bearer(other)))


def test_strangers_are_counted_by_address(make: Make) -> None:
    accounts = make(LimitSettings(anonymous_per_minute=3), mode="local")
    garbage = ("Authorization", f"Bearer {tokens.PREFIX}{'x' * 43}")
    heads = [head("GET", "/", PERSON), head("GET", "/login", PERSON), head("POST", "/api/v1/tasks", PERSON, garbage)]
    assert [refused(a) if isinstance(a := ask(accounts, each), Refusal) else a.by for each in heads] == [
        "not-logged-in",
        By.STRANGER,
        "not-logged-in",
    ]
    assert {refused(ask(accounts, each)) for each in heads} == {"too-many-requests"}
    assert refused(ask(accounts, head("GET", "/", "192.0.2.8"))) == "not-logged-in"


def test_an_address_that_asks_too_often_keeps_no_operator_out(make: Make) -> None:
    accounts = make(LimitSettings(anonymous_per_minute=1), mode="local")

    def status(token: str) -> Caller | Refusal:
        asked = head("GET", "/api/v1/admin/status", "127.0.0.1", ("Authorization", f"Bearer {token}"))
        return ask(accounts, asked)

    right = operator_token(accounts.secret)
    told = [status(token) for token in ("wrong", "wrong", right, right, right[:-1], "\xe4")]
    assert [isinstance(one, Caller) for one in told] == [True, False, True, True, False, False]


def test_no_accounts_no_limits(make: Make) -> None:
    accounts = make(LimitSettings(requests_per_minute=1, anonymous_per_minute=1), mode="none")
    here = head("GET", "/", "127.0.0.1", ("Host", "localhost:7022"))
    assert all(isinstance(ask(accounts, here), Caller) for _ in range(10))


def test_without_accounts_another_sites_name_is_refused_also_after_ours_was_taken(make: Make) -> None:
    accounts = make(mode="none")
    for host, expected in (("localhost", Caller), ("evil.example", Refusal), ("127.0.0.1:7022", Caller)):
        assert isinstance(ask(accounts, head("GET", "/", "127.0.0.1", ("Host", host))), expected)


# Memory ---------------------------------------------------------------------------------------------------------------


def test_what_is_remembered_is_forgotten_when_it_changes(make: Make) -> None:
    accounts = make(mode="local")
    with accounts.database.write() as transaction:
        alice = users.add_local(transaction, "alice", "-", AccountRole.USER, NOW)
    request = head("GET", "/", PERSON, ("Cookie", f"ligan_session={accounts.begin(alice, '', NOW)}"))
    assert accounts.authenticator.known(request, NOW) is None, "the database has not been asked yet"
    caller = admitted(accounts.authenticator.who(request, NOW))
    assert accounts.authenticator.known(request, NOW) == caller
    idle = AccountSettings().idle_hours * 3600
    assert isinstance(ask(accounts, request, NOW + idle), Caller)
    assert isinstance(ask(accounts, request, NOW + 2 * idle), Caller), "it was used in between"
    assert refused(ask(accounts, request, NOW + 3 * idle + 1)) == "not-logged-in"
    assert isinstance(ask(accounts, request, NOW), Caller)
    accounts.end(caller, NOW)
    assert refused(ask(accounts, request)) == "not-logged-in"


def test_what_changes_while_it_is_read_is_not_remembered(make: Make) -> None:
    memory = make(mode="local").authenticator._memory

    def read_slowly() -> str:
        memory.forget()
        return "old"

    assert memory.read("key", read_slowly) == "old"
    assert memory.read("key", lambda: "new") == "new"


def test_when_logins_were_used_outlives_the_daemon(make: Make) -> None:
    accounts = make(mode="local")
    with accounts.database.write() as transaction:
        alice = users.add_local(transaction, "alice", "-", AccountRole.USER, NOW)
    request = head("GET", "/", PERSON, ("Cookie", f"ligan_session={accounts.begin(alice, '', NOW)}"))
    idle = AccountSettings().idle_hours * 3600
    later = NOW + idle - 1
    admitted(ask(accounts, request, later))
    accounts.turn(later)
    admitted(ask(make(mode="local"), request, later + idle - 1))
    accounts.turn(later + idle + 1)
    accounts.authenticator.forget()
    with accounts.database.read() as connection:
        assert refused(ask(accounts, request, later)) == "not-logged-in", connection


# The whole ------------------------------------------------------------------------------------------------------------


def test_how_the_gateway_tells_the_api() -> None:
    caller = Caller(By.HEADER, PERSON, True, "u-1", "Zoë ✓\r\nX-Evil: 1", AccountRole.OPERATOR, "l-1", "s-1", "k-1")
    value = written(caller)
    assert value.isascii()
    assert value.isprintable()
    assert read(value) == caller
    assert read("").by is By.STRANGER


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "login.cluster", ""])
def test_without_accounts_other_machines_stay_out(host: str) -> None:
    with pytest.raises(SettingsError, match="there are no accounts: set"):
        check(Settings(daemon=DaemonSettings(host=host)))
    check(Settings(daemon=DaemonSettings(host=host), accounts=AccountSettings(mode="local")))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_without_accounts_this_machine_may_come_in(host: str) -> None:
    check(Settings(daemon=DaemonSettings(host=host)))


def test_settings_that_cannot_be_meant(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(Fernet.generate_key().decode())
    secret.chmod(0o644)
    placeholder = tmp_path / "placeholder"
    placeholder.touch(mode=0o600)
    placeholder.write_text("changeme\n")
    oidc = {"mode": "oidc", "public_url": "https://a.b", "issuer": "https://c.d", "client_id": "x"}
    wrong: tuple[tuple[dict[str, object], str], ...] = (
        ({"mode": "header"}, "trusted_proxies"),
        ({"mode": "oidc"}, "public_url"),
        ({**oidc, "issuer": "http://provider.example"}, "issuer: write https"),
        ({**oidc, "client_secret_file": str(secret)}, "chmod 600"),
        ({**oidc, "client_secret_file": str(tmp_path / "none")}, "cannot be read"),
        ({**oidc, "client_secret_file": str(placeholder)}, "placeholder; write the provider's"),
    )
    for accounts, said in wrong:
        with pytest.raises(SettingsError, match=said):
            check(Settings(accounts=AccountSettings.model_validate(accounts)))
