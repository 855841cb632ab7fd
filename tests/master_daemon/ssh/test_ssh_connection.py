"""Who is let in, who is believed, and what becomes of a line that breaks or hangs: against a real sshd."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import paramiko
import pytest

from master_daemon.ssh import connection as module
from master_daemon.ssh.connection import SshConnection, pause_after
from master_daemon.ssh.errors import HostKeyError, SshError, SshSetupError
from tests.ligan.stub import wait_until
from tests.sshd import Sshd, make_key, public


def refusal(sshd: Sshd, **changes: object) -> SshError:
    connection = SshConnection(replace(sshd.node, **changes))  # type: ignore[arg-type]  # names are checked by replace
    try:
        with pytest.raises(SshError) as caught:
            connection.transport()
    finally:
        connection.close()
    return caught.value


def test_the_key_opens_one_connection_for_all(connection: SshConnection) -> None:
    assert connection.transport() is connection.transport()
    assert connection.transport().is_authenticated()


def test_an_unknown_host_key_is_refused_with_the_line_to_add(sshd: Sshd) -> None:
    line = sshd.known_hosts.read_text().strip()
    sshd.known_hosts.write_text("")
    error = refusal(sshd)
    assert isinstance(error, HostKeyError)
    assert "SHA256:" in str(error)
    assert f"add the line `{line}`" in str(error)
    sshd.known_hosts.unlink()
    assert isinstance(refusal(sshd), HostKeyError)


def test_a_changed_host_key_is_refused(sshd: Sshd) -> None:
    make_key(sshd.folder / "other")
    sshd.trust(sshd.folder / "other")
    error = refusal(sshd)
    assert isinstance(error, HostKeyError)
    assert "has CHANGED" in str(error)


def test_a_revoked_host_key_is_refused_though_it_is_listed(sshd: Sshd) -> None:
    with sshd.known_hosts.open("a") as file:
        file.write(f"@revoked * {public(sshd.folder / 'host_key')}\n")
    assert isinstance(refusal(sshd), HostKeyError)


def test_a_hashed_line_and_one_that_cannot_be_read_are_no_obstacle(sshd: Sshd) -> None:
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", sshd.known_hosts], check=True, capture_output=True)
    hashed = sshd.known_hosts.read_text()
    assert str(sshd.port) not in hashed
    sshd.known_hosts.write_text(f"a b\n[127.0.0.1]:1 ssh-ed25519 %%%\n# comment\n{hashed}")
    connection = SshConnection(sshd.node)
    assert connection.transport().is_active()
    connection.close()


def test_a_key_that_is_not_authorized_is_a_fault_of_the_set_up(sshd: Sshd) -> None:
    make_key(sshd.folder / "stranger")
    error = refusal(sshd, key=sshd.folder / "stranger")
    assert isinstance(error, SshSetupError)
    assert "authorized_keys" in str(error)


@pytest.mark.parametrize("said", ["Authentication failed: transport shut down or saw EOF", "Authentication timeout."])
def test_a_line_that_breaks_in_the_middle_of_a_login_is_no_refusal(
    sshd: Sshd, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, sock: socket.socket, **_more: object) -> None:
        sock.close()
        raise paramiko.AuthenticationException(said)

    monkeypatch.setattr(paramiko.SSHClient, "connect", fail)
    assert not isinstance(refusal(sshd), SshSetupError), "a daemon that starts must wait for it, and not give up"


def test_a_key_file_must_be_there_and_private(sshd: Sshd) -> None:
    assert "cannot be read" in str(refusal(sshd, key=sshd.folder / "no-such-key"))
    sshd.key.chmod(0o644)
    assert "chmod 600" in str(refusal(sshd))


def test_a_key_with_a_passphrase_belongs_into_an_agent(sshd: Sshd) -> None:
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "s3cret", "-f", sshd.key], check=True, capture_output=True)
    assert "put it into an agent" in str(refusal(sshd))


@pytest.fixture
def agent(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if shutil.which("ssh-agent") is None:
        pytest.skip("no ssh-agent on this machine")
    path = sshd.folder / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    wait_until(path.exists, "the agent's socket")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    yield
    process.terminate()
    process.wait(10)


@pytest.mark.usefixtures("agent")
def test_the_agents_key_opens_it_too(sshd: Sshd) -> None:
    assert isinstance(refusal(sshd, key=None), SshSetupError), "the agent has no key yet"
    subprocess.run(["ssh-add", "-q", sshd.key], check=True, capture_output=True)
    connection = SshConnection(replace(sshd.node, key=None))
    assert connection.transport().is_authenticated()
    connection.close()


def test_without_key_and_agent_it_says_what_it_offered(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    assert "a key of the agent" in str(refusal(sshd, key=None))


def test_after_sshd_was_killed_and_started_the_next_call_has_a_new_line(sshd: Sshd, connection: SshConnection) -> None:
    first = connection.transport()
    sshd.stop()
    wait_until(lambda: not first.is_active(), "the loss to be noticed")
    with pytest.raises(SshError, match="cannot be reached"):
        connection.transport()
    with pytest.raises(SshError, match="cannot be reached"):  # at once: it is not tried again before its time
        connection.transport()
    sshd.start()
    wait_until(lambda: is_up(connection), "a new line")
    assert connection.transport() is not first


def test_a_line_that_hangs_is_noticed_and_made_again(
    sshd: Sshd, connection: SshConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSH_ANSWER", "SSH_KEEPALIVE"):
        monkeypatch.setattr(module, name, 0.3)
    first = connection.transport()
    sshd.signal(signal.SIGSTOP)
    wait_until(lambda: not first.is_active(), "the silence to be noticed")
    sshd.signal(signal.SIGCONT)
    wait_until(lambda: is_up(connection), "a new line")
    assert connection.transport() is not first


def test_who_stays_connected_is_greeted_on_every_new_line(sshd: Sshd, connection: SshConnection) -> None:
    greeted: list[paramiko.Transport] = []
    connection.keep(greeted.append)
    wait_until(lambda: greeted, "the first greeting")
    sshd.cut()
    wait_until(lambda: greeted[-1] is not greeted[0], "a greeting on the second line")


def test_a_closed_connection_stays_closed(connection: SshConnection) -> None:
    transport = connection.transport()
    connection.close()
    assert not transport.is_active()
    with pytest.raises(SshError):
        connection.transport()


def test_pauses_grow_to_a_limit() -> None:
    assert [pause_after(count) for count in (0, 1, 2, 3, 4, 5, 6, 1000)] == [0, 0.5, 1, 2, 4, 8, 10, 10]


def is_up(connection: SshConnection) -> bool:
    try:
        return connection.transport().is_active()
    except SshError:
        return False
