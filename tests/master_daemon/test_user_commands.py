"""`ligan users` and `ligan tokens` over a running daemon."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ligan.settings import AccountSettings
from tests.ligan_command import ligan, said
from tests.master_daemon.accounts.person import PASSWORD, Person
from tests.master_daemon.running import House, house_in


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_in(tmp_path_factory.mktemp("state"), accounts=AccountSettings(mode="local")) as running:
        running.frontend()
        yield running


def run(house: House, *words: str, given: str = "", fails: int = 0) -> str:
    """What the command prints: on standard output, or on standard error when it must fail."""
    return said(*words, "--state-dir", house.daemon.parts.observatory.state_dir, given=given, fails=fails)


def test_users(house: House) -> None:
    assert run(house, "users", "list") == "there are no users\n"
    assert run(house, "users", "add", "alice", given=f"{PASSWORD}\n") == "alice: user, active\n"
    me = Person(house.url).enter("alice")
    assert "is a user alice already" in run(house, "users", "add", "alice", given=f"{PASSWORD}\n", fails=1)
    assert run(house, "users", "role", "alice", "operator") == "alice: operator, active\n"
    assert me.api("GET", "/account").json()["role"] == "operator"
    run(house, "users", "passwd", "alice", given="an even better one\n")
    assert me.api("GET", "/session").status_code == 401
    assert run(house, "users", "disable", "alice") == "alice: operator, disabled\n"
    assert Person(house.url).log_in("alice", "an even better one").status_code == 403
    assert run(house, "users", "enable", "alice") == "alice: operator, active\n"
    head, row = run(house, "users", "list").splitlines()
    assert head.split()[:3] == ["NAME", "ROLE", "FROM"]
    assert row.split()[:5] == ["alice", "operator", "local", "active", "1"]
    assert json.loads(run(house, "users", "list", "--json"))["users"][0]["name"] == "alice"


@pytest.mark.parametrize(
    ("words", "given", "why"),
    [
        (("add", "bob"), "", "password is empty"),
        (("add", "bob"), "short\n", "12 to 256"),
        (("add", "Bob!"), f"{PASSWORD}\n", "lower-case"),
        (("disable", "nobody"), "", "Nobody has this name"),
    ],
)
def test_what_cannot_be_done_is_said(house: House, words: tuple[str, ...], given: str, why: str) -> None:
    assert why in run(house, "users", *words, given=given, fails=1)


def test_where_nobody_logs_in_with_a_password_that_is_said(tmp_path: Path) -> None:
    with house_in(tmp_path / "state") as house:
        for words, given, told in (
            (("add", "alice"), PASSWORD, True),
            (("passwd", "alice"), PASSWORD, True),
            (("role", "alice", "developer"), "", False),
        ):
            done = ligan("users", *words, "--json", "--state-dir", tmp_path / "state", given=given)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["name"] == "alice"
            assert ("Nobody logs in with a password here" in done.stderr) is told
        robot = Person(house.url)
        made = run(house, "tokens", "create", "alice", "--label", "robot").split()[0]
        robot.http.headers["Authorization"] = f"Bearer {made}"
        assert robot.api("GET", "/account").json()["role"] == "user", "but it is of use for tokens"


def test_a_password_is_no_argument(house: House) -> None:
    run(house, "users", "add", "bob", PASSWORD, fails=2)
    assert "--password" not in said("users", "add", "-h")


def test_a_terminal_is_asked_twice_and_shows_nothing(house: House) -> None:
    state_dir = str(house.daemon.parts.observatory.state_dir)
    command = [sys.executable, "-m", "ligan", "users", "add", "carol", "--state-dir", state_dir]
    for second, code in (("a different one", 1), (PASSWORD, 0)):
        terminal, inside = pty.openpty()
        # In a session without a terminal of its own: it must not ask at the one where the tests run.
        process = subprocess.Popen(command, stdin=inside, stdout=inside, stderr=inside, start_new_session=True)
        os.close(inside)
        shown = answer_prompts(terminal, PASSWORD, second)
        assert process.wait(20) == code, shown
        assert PASSWORD not in shown
        assert ("differ" in shown) is (code == 1)


def answer_prompts(terminal: int, *answers: str) -> str:
    """Type each answer at a prompt of its own; all that the terminal showed."""
    shown, left = "", list(answers)
    while True:
        try:
            shown += os.read(terminal, 1024).decode()
        except OSError:  # the other end is closed
            os.close(terminal)
            return shown
        if left and shown.count(": ") > len(answers) - len(left):
            os.write(terminal, f"{left.pop(0)}\n".encode())


def test_tokens(house: House) -> None:
    run(house, "users", "add", "dave", given=f"{PASSWORD}\n")
    made = json.loads(run(house, "tokens", "create", "dave", "--label", "nightly run", "--days", "3", "--json"))
    robot = Person(house.url)
    robot.http.headers["Authorization"] = f"Bearer {made['token']}"
    assert robot.api("GET", "/session").status_code == 200
    shown = run(house, "tokens", "list")
    assert "nightly run" in shown
    assert made["token"] not in shown
    assert "dave has the role user" in run(
        house, "tokens", "create", "dave", "--label", "x", "--role", "operator", fails=1
    )
    assert "Nobody has this name" in run(house, "tokens", "create", "eve", "--label", "x", fails=1)
    assert run(house, "tokens", "revoke", made["token_id"]) == "revoked\n"
    assert robot.api("GET", "/session").status_code == 401
    assert "no such token" in run(house, "tokens", "revoke", made["token_id"], fails=1)


def test_a_token_goes_into_a_file_as_it_is(house: House) -> None:
    where = ("--state-dir", house.daemon.parts.observatory.state_dir)
    run(house, "users", "add", "fay", given=f"{PASSWORD}\n")
    made = ligan("tokens", "create", "fay", "--label", "x", *where)
    robot = Person(house.url)
    robot.http.headers["Authorization"] = f"Bearer {made.stdout.removesuffix(chr(10))}"
    assert robot.api("GET", "/session").status_code == 200
    assert "cannot be shown again" in made.stderr


def test_no_secret_in_the_audit(house: House) -> None:
    state: Path = house.daemon.parts.observatory.state_dir
    run(house, "users", "add", "erin", given=f"{PASSWORD}\n")
    assert PASSWORD.encode() not in b"".join(path.read_bytes() for path in state.glob("ligan.sqlite*"))
