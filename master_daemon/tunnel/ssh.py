"""Ways to compute nodes and home through the login node: `direct-tcpip` and `tcpip-forward`. RFC 4254, section 7."""

from __future__ import annotations

import logging
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import paramiko

from ligan.intervals import CALL_TIMEOUT
from master_daemon.ssh.connection import SshConnection
from master_daemon.ssh.errors import SshError, SshSetupError
from master_daemon.state.jobs import Job

log = logging.getLogger(__name__)

Address = tuple[str, int]
_CHUNK = 64 * 1024
_NEVER = 3600.0
"""Seconds between looks whether a forwarder was closed: `close` wakes it."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: the peer sees a connection that was cut, not one that ended well. socket(7)."""
_BROKEN = (paramiko.SSHException, EOFError, OSError)


class Forwarder(ThreadingTCPServer):
    """A port of this machine's loopback whose connections come out at `there` on the cluster. Begins at once.

    Any local user can connect to it; what is behind it answers to nobody without the job's token.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, connection: SshConnection, there: Address) -> None:
        super().__init__(("127.0.0.1", 0), _Forwarding)
        self.connection, self.there = connection, there
        self.port = int(self.server_address[1])
        self._open: set[paramiko.Channel] = set()
        self._turn = threading.Lock()
        name = f"forward-{self.port}"
        threading.Thread(target=self.serve_forever, args=(_NEVER,), name=name, daemon=True).start()

    @property
    def url(self) -> str:
        """Its address here."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Take no more connections and cut those that are open."""
        self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for one
        self.shutdown()
        self.server_close()
        with self._turn:
            channels, self._open = self._open, set()
        for channel in channels:
            end(channel)

    def carry(self, line: socket.socket, channel: paramiko.Channel) -> None:
        """Carry one connection to its end, or to the forwarder's."""
        with self._turn:
            self._open.add(channel)
        try:
            splice(line, channel)
        finally:
            with self._turn:
                self._open.discard(channel)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (as the base class has it)
        log.exception("a forwarded connection failed")


class _Forwarding(BaseRequestHandler):
    server: Forwarder

    def handle(self) -> None:
        try:
            channel = self.server.connection.channel_to(*self.server.there)
        except SshError as error:
            log.info("no way to %s:%d: %s", *self.server.there, error)
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.request.close()
            return
        self.server.carry(self.request, channel)


class SshReach:
    """See `reach.Reach`: a forwarder for each job, whose address outlives connections that are lost and made again."""

    def __init__(self, connection: SshConnection) -> None:
        self._connection = connection
        self._forwarders: dict[tuple[str, Address], Forwarder] = {}
        self._turn = threading.Lock()

    def url(self, job: Job) -> str:
        """As `Reach.url`. Raises OSError when this machine has no port or file descriptor left."""
        return f"{job.scheme}://127.0.0.1:{self._forwarder(*_key(job)).port}"

    def drop(self, job: Job) -> None:
        with self._turn:
            forwarder = self._forwarders.pop(_key(job), None) if job.host is not None else None
        if forwarder is not None:  # a line that hangs must not hold up who ends the job
            threading.Thread(target=forwarder.close, name=f"end-{forwarder.port}", daemon=True).start()

    def close(self) -> None:
        with self._turn:
            forwarders, self._forwarders = list(self._forwarders.values()), {}
        for forwarder in forwarders:
            forwarder.close()

    def _forwarder(self, nonce: str, there: Address) -> Forwarder:
        with self._turn:
            if (nonce, there) not in self._forwarders:
                self._forwarders[nonce, there] = Forwarder(self._connection, there)
            return self._forwarders[nonce, there]


class WayHome:
    """The daemon's API, at `here`, is at `there` on the login node too, where the jobs call it."""

    def __init__(self, there: Address, here: Address) -> None:
        self._there, self._here = there, here
        self._granted: paramiko.Transport | None = None

    def open(self, connection: SshConnection, transport: paramiko.Transport) -> None:
        """Ask for it, once on each connection. Raises SshError, or SshSetupError that says what sshd must allow."""
        if transport is self._granted:
            return
        try:
            with connection.answering(transport):
                transport.request_port_forward(*self._there, handler=self._arrived)
        except SshError as error:
            raise self._refused(str(error)) if transport.is_active() else error from error
        self._check(transport)
        self._granted = transport
        log.info("jobs call this daemon at %s:%d of %s", *self._there, connection.node.host)

    def _check(self, transport: paramiko.Transport) -> None:
        """sshd says yes and listens on loopback alone when GatewayPorts forbids more: so we call there ourselves."""
        try:
            transport.open_channel("direct-tcpip", self._there, ("127.0.0.1", 0), timeout=CALL_TIMEOUT).close()
        except paramiko.ChannelException as error:
            if error.code == paramiko.common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED:
                return  # it forbids ways out: then the check says nothing
            transport.cancel_port_forward(*self._there)
            raise self._refused(str(error)) from error
        except _BROKEN as error:
            raise SshError(f"The connection was lost ({error}); it is made again.") from error

    def _refused(self, why: str) -> SshSetupError:
        host, port = self._there
        return SshSetupError(
            f"The login node does not listen for the jobs at {host}:{port} ({why}). Is {host} its own address"
            f" (daemon.cluster_host) and the port free there (daemon.cluster_port)? Its sshd_config needs"
            " `AllowTcpForwarding yes` and `GatewayPorts clientspecified`."
        )

    def _arrived(self, channel: paramiko.Channel, _origin: Address, _there: Address) -> None:
        # The connection's own thread calls this: nothing here may wait.
        threading.Thread(target=self._bring, args=(channel,), name="way-home", daemon=True).start()

    def _bring(self, channel: paramiko.Channel) -> None:
        try:
            line = socket.create_connection(self._here, CALL_TIMEOUT)
        except OSError:
            end(channel)
            return
        with line:
            line.settimeout(None)
            splice(line, channel)


def splice(line: socket.socket, channel: paramiko.Channel) -> None:
    """Carry bytes both ways until one end closes. Back-pressure: nothing is read that the other side does not take."""
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    outward = threading.Thread(target=_outward, args=(line, channel), daemon=True)
    outward.start()
    try:
        _pump(channel.recv, line.sendall)
    finally:
        _end(line, channel)
        outward.join()


def _outward(line: socket.socket, channel: paramiko.Channel) -> None:
    """From here to there. The end of what this side says is told; the answer may still come."""
    try:
        if _pump(line.recv, channel.sendall):
            channel.shutdown_write()
        else:
            end(channel)
    except _BROKEN:
        end(channel)


def _pump(receive: Callable[[int], bytes], send: Callable[[bytes], None]) -> bool:
    """Whether it came to the end of what there is to receive, and not to a side that broke."""
    try:
        while chunk := receive(_CHUNK):
            send(chunk)
    except _BROKEN:
        return False
    return True


def end(channel: paramiko.Channel) -> None:
    """Close it. `close` says so to the other side, and raises where the connection was lost just now."""
    with suppress(*_BROKEN):
        channel.close()


def _end(line: socket.socket, channel: paramiko.Channel) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the other side was faster
    finally:
        end(channel)


def _key(job: Job) -> tuple[str, Address]:
    assert job.host is not None  # noqa: S101 (only registered jobs are called)
    assert job.port is not None  # noqa: S101
    return job.nonce, (job.host, job.port)
