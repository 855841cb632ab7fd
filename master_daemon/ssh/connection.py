"""One SSH connection to the login node: made when first needed, watched, made again after a loss. RFC 4251 to 4254."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import paramiko

from ligan.intervals import SSH_ANSWER, SSH_CONNECT, SSH_KEEPALIVE, SSH_RETRY, SSH_RETRY_MAX
from master_daemon.ssh import host_keys
from master_daemon.ssh.errors import SshError, SshSetupError
from master_daemon.ssh.login_node import LoginNode

log = logging.getLogger(__name__)
Greeting = Callable[[paramiko.Transport], None]

_LIBRARY_LOG = "master_daemon.ssh.library"
"""What paramiko itself logs: tracebacks of every lost connection, which are said here in a sentence."""
logging.getLogger(_LIBRARY_LOG).setLevel(logging.CRITICAL)


def pause_after(failures: int) -> float:
    """Seconds without another try after so many failures in a row."""
    return float(min(SSH_RETRY_MAX, SSH_RETRY * 2 ** min(failures - 1, 16))) if failures else 0.0


class SshConnection:
    """Thread-safe. Every method that needs the login node raises SshError when it is out of reach."""

    def __init__(self, node: LoginNode) -> None:
        self.node = node
        self._client: paramiko.SSHClient | None = None
        self._connecting = threading.RLock()
        self._asking = threading.Lock()  # a global request is answered in order, without a number (RFC 4254, 4)
        self._failures = 0
        self._not_before = 0.0
        self._fault = ""
        self._greetings: list[Greeting] = []
        self._closed = threading.Event()
        self._wake = threading.Event()
        self._keeper: threading.Thread | None = None

    def transport(self) -> paramiko.Transport:
        """The connection that is up, or a new one; after a failure the next try waits for `pause_after`."""
        transport = self._live()
        if transport is not None:
            return transport
        with self._connecting:
            transport = self._live()
            return transport if transport is not None else self._connect()

    def session(self) -> paramiko.Channel:
        """A channel for one command."""
        return self._open("session")

    def channel_to(self, host: str, port: int) -> paramiko.Channel:
        """A channel to an address as the login node reaches it: `direct-tcpip` (RFC 4254, 7.2)."""
        return self._open("direct-tcpip", (host, port))

    def keep(self, greeting: Greeting) -> None:
        """Stay connected, and call `greeting` with each new connection, again and again until it raises no SshError."""
        self._greetings.append(greeting)
        self._start_keeper()
        self._wake.set()

    @contextmanager
    def answering(self, transport: paramiko.Transport) -> Iterator[None]:
        """Around one global request: a connection that leaves it without an answer for SSH_ANSWER seconds is dead.

        A connection into a black hole, or to an sshd that hangs, would else be noticed after a quarter of an hour.
        """
        overdue = threading.Timer(SSH_ANSWER, transport.close)
        overdue.daemon = True
        with self._asking:
            overdue.start()
            try:
                yield
            except (paramiko.SSHException, EOFError, OSError) as error:
                raise self._lost(error) from error
            finally:
                overdue.cancel()
        if not transport.is_active():
            raise self._lost(TimeoutError("no answer in time"))

    def close(self) -> None:
        """Hang up for good."""
        self._closed.set()
        self._wake.set()
        with self._connecting:
            self._drop()
        if self._keeper is not None and self._keeper is not threading.current_thread():
            self._keeper.join(SSH_CONNECT)

    # The connection ------------------------------------------------------------------------------------------------

    def _live(self) -> paramiko.Transport | None:
        client = self._client
        transport = client.get_transport() if client is not None else None
        return transport if transport is not None and transport.is_active() else None

    def _connect(self) -> paramiko.Transport:
        if self._closed.is_set() or time.monotonic() < self._not_before:
            raise SshError(self._fault or "The connection to the login node was closed.")
        self._drop()
        try:
            self._client = _log_in(self.node)
        except SshError as error:
            self._failures += 1
            self._fault = str(error)
            self._not_before = time.monotonic() + pause_after(self._failures)
            raise
        self._failures, self._fault = 0, ""
        log.info("connected to %s", self.node.host)
        self._start_keeper()
        self._wake.set()
        transport = self._client.get_transport()
        assert transport is not None  # noqa: S101 (it has just connected)
        return transport

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _open(self, kind: str, address: tuple[str, int] | None = None) -> paramiko.Channel:
        transport = self.transport()
        try:
            return transport.open_channel(kind, address, ("127.0.0.1", 0), timeout=SSH_ANSWER)
        except paramiko.ChannelException as error:
            where = "a command" if address is None else f"{address[0]}:{address[1]}"
            raise SshError(f"{self.node.host} opens no channel to {where}: {error.text or error}") from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> SshError:
        return SshError(f"The connection to {self.node.host} was lost ({_words(error)}); it is made again.")

    # Its keeper ----------------------------------------------------------------------------------------------------

    def _start_keeper(self) -> None:
        with self._connecting:
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name="ssh-keeper", daemon=True)
                self._keeper.start()

    def _keep(self) -> None:
        said, failures = "", 0
        while not self._closed.is_set():
            self._wake.clear()
            fault = self._turn()
            if fault and fault != said and not self._closed.is_set():
                log.warning("%s", fault)
            said, failures = fault, failures + 1 if fault else 0
            self._wake.wait(pause_after(failures) or SSH_KEEPALIVE)

    def _turn(self) -> str:
        """Connected, greeted and answering, or a sentence that says why not."""
        try:
            transport = self.transport()
            for greeting in self._greetings:
                greeting(transport)
            with self.answering(transport):
                transport.global_request("keepalive@openssh.com", wait=True)  # sshd answers "unknown", which will do
        except SshError as error:
            return str(error)
        return ""


def _log_in(node: LoginNode) -> paramiko.SSHClient:
    """A client that has checked the host's key and proved its own. Raises SshError."""
    _check_key_file(node)
    client = paramiko.SSHClient()
    client.set_log_channel(_LIBRARY_LOG)
    try:
        host_keys.trust(client, node.known_hosts)
        client.connect(
            node.host,
            node.port,
            node.user,
            key_filename=str(node.key) if node.key else None,
            allow_agent=node.key is None,
            look_for_keys=False,
            timeout=SSH_CONNECT,
            banner_timeout=SSH_CONNECT,
            auth_timeout=SSH_CONNECT,
            channel_timeout=SSH_ANSWER,
            sock=_dial(node),
        )
    except (paramiko.SSHException, EOFError, OSError) as error:
        client.close()
        raise _explained(error, node) from error
    except SshError:
        client.close()
        raise
    return client


def _dial(node: LoginNode) -> socket.socket:
    line = socket.create_connection((node.host, node.port), SSH_CONNECT)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # small requests go out at once
    return line


def _check_key_file(node: LoginNode) -> None:
    if node.key is None:
        return
    try:
        with node.key.open("rb"):
            mode = node.key.stat().st_mode
    except OSError as error:
        raise SshSetupError(f"ssh.key: {node.key} cannot be read ({error.strerror}).") from error
    if mode & 0o077:
        raise SshSetupError(f"ssh.key: others may read {node.key}; say `chmod 600 {node.key}`.")


def _explained(error: Exception, node: LoginNode) -> SshError:
    place = f"{node.user}@{node.host}, port {node.port}"
    if isinstance(error, paramiko.BadHostKeyException):
        return host_keys.changed(error, node.known_hosts)
    if isinstance(error, paramiko.PasswordRequiredException):
        return SshSetupError(f"ssh.key: {node.key} needs a passphrase: put it into an agent and leave ssh.key empty.")
    if _is_refusal(error):
        offered = f"the key {node.key}" if node.key else "a key of the agent (SSH_AUTH_SOCK)"
        return SshSetupError(
            f"{place}: the login node does not accept {offered}: is its public half in ~/.ssh/authorized_keys there?"
        )
    return SshError(f"{place} cannot be reached: {_words(error)}.")


def _is_refusal(error: Exception) -> bool:
    """Whether sshd said no, and not only broke off or took too long while it thought."""
    said = str(error)
    if isinstance(error, paramiko.AuthenticationException):
        return "EOF" not in said and "timeout" not in said
    return "No authentication methods" in said


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
