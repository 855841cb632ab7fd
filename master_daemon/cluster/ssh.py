"""Runs one command on the login node as `command.run` does here. RFC 4254, section 6.5."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Sequence

import paramiko

from ligan.intervals import COMMAND_TIMEOUT
from master_daemon.cluster.command import (
    KEPT_VARIABLES,
    PRIVATE_UMASK,
    CommandError,
    CommandLostError,
    CommandMissingError,
    CommandTimeoutError,
    CommandUnreachedError,
    Completed,
)
from master_daemon.ssh.connection import SshConnection
from master_daemon.ssh.errors import SshError

OUTPUT_LIMIT = 64 * 1024 * 1024
"""Bytes of output that a command may write: `squeue` for 100,000 jobs writes about 10 MB."""
_AT_ONCE = 8
"""Commands over one connection: sshd takes 10 (sshd_config(5), MaxSessions), and refuses more."""
_MISSING = "ligan: not found on PATH of the login node: "
_EXIT_MISSING = 127
_NO_STATUS = -1
"""What paramiko has for an exit status that never came."""
_KEPT = " ".join(f'${{{name}+"{name}=${name}"}}' for name in KEPT_VARIABLES)
_SCRIPT = (
    f'umask {PRIVATE_UMASK:03o}; command -v "$2" >/dev/null 2>&1 || '
    f'{{ echo "{_MISSING}$2 (PATH=$PATH)" >&2; exit {_EXIT_MISSING}; }}; '
    f'exec env -i {_KEPT} timeout --signal=KILL "$@"'
)
"""For a POSIX shell, in one line so that any login shell can pass it on. `timeout` kills the whole group there, also
when nobody is left to ask for it."""


def remote_line(argv: Sequence[str], timeout_s: float) -> str:
    """The command line for sshd, which gives it to the account's login shell: every word quoted."""
    return shlex.join(("exec", "/bin/sh", "-c", _SCRIPT, "ligan", f"{timeout_s:g}", *argv))


class SshRunner:
    """See `command.Runner`. Raises CommandUnreachedError too (never sent), and CommandLostError (the line broke)."""

    def __init__(self, connection: SshConnection) -> None:
        self._connection = connection
        self._free = threading.BoundedSemaphore(_AT_ONCE)

    def __call__(self, argv: Sequence[str], stdin: str = "", timeout_s: float = COMMAND_TIMEOUT) -> Completed:
        call = _Call(argv, stdin.encode(), timeout_s)
        # In a thread of its own: whatever hangs on the way, the caller has an answer in time.
        thread = threading.Thread(target=self._carry, args=(call,), name=f"ssh-{argv[0]}", daemon=True)
        thread.start()
        thread.join(timeout_s)
        return call.outcome()

    def _carry(self, call: _Call) -> None:
        with self._free:
            call.run(self._connection.session)


class _Call:
    """One command on its way. Either it was `outcome`d before it was sent, and never will be, or it may have run."""

    def __init__(self, argv: Sequence[str], stdin: bytes, timeout_s: float) -> None:
        self._argv, self._stdin, self._timeout_s = argv, stdin, timeout_s
        self._stdout, self._stderr = bytearray(), bytearray()
        self._turn = threading.Lock()
        self._sent = self._over = False
        self._channel: paramiko.Channel | None = None
        self._status: int | None = None
        self._fault = ""

    def run(self, open_session: Callable[[], paramiko.Channel]) -> None:
        """Send the command and gather what it says, until it ends, the line breaks or nobody waits any more."""
        try:
            channel = open_session()
        except SshError as error:
            self._fault = str(error)
            return
        try:
            if self._may_send(channel):
                channel.exec_command(remote_line(self._argv, self._timeout_s))
                self._exchange(channel)
        except (paramiko.SSHException, EOFError, OSError) as error:
            self._fault = str(error) or type(error).__name__
        finally:
            channel.close()

    def outcome(self) -> Completed:
        """What became of it. Raises CommandError or one of its kinds."""
        with self._turn:
            self._over, channel, sent, status = True, self._channel, self._sent, self._status
        stdout, stderr = _text(self._stdout), _text(self._stderr)
        if not sent:
            raise CommandUnreachedError(self._argv, None, "", self._fault or "the login node did not answer in time")
        if status is None and not self._fault:
            _hang_up(channel)
            raise CommandTimeoutError(self._argv, None, stdout, stderr)
        if status is None or status == _NO_STATUS:
            raise CommandLostError(self._argv, None, stdout, self._fault or stderr)
        if status == _EXIT_MISSING and stderr.startswith(_MISSING):
            raise CommandMissingError(self._argv, None, "", stderr)
        if status:
            raise CommandError(self._argv, status, stdout, stderr)
        return Completed(stdout, stderr)

    def _may_send(self, channel: paramiko.Channel) -> bool:
        with self._turn:
            self._sent = not self._over
            self._channel = channel
        return self._sent

    def _exchange(self, channel: paramiko.Channel) -> None:
        feeder = threading.Thread(target=_feed, args=(channel, self._stdin), daemon=True)
        complaints = threading.Thread(target=_drain, args=(channel.recv_stderr, self._stderr), daemon=True)
        feeder.start()
        complaints.start()
        whole = _drain(channel.recv, self._stdout)
        if whole:
            complaints.join()
        if len(self._stdout) > OUTPUT_LIMIT or len(self._stderr) > OUTPUT_LIMIT:
            raise EOFError(f"it wrote more than {OUTPUT_LIMIT} bytes")
        self._status = channel.recv_exit_status()


def _feed(channel: paramiko.Channel, stdin: bytes) -> None:
    try:
        channel.sendall(stdin)
        channel.shutdown_write()
    except (paramiko.SSHException, EOFError, OSError):
        return  # it ended without reading all of its input


def _drain(receive: Callable[[int], bytes], into: bytearray) -> bool:
    """Whether it came to the end, and not to the limit."""
    while chunk := receive(65536):
        into += chunk
        if len(into) > OUTPUT_LIMIT:
            return False
    return True


def _hang_up(channel: paramiko.Channel | None) -> None:
    """Not here: a line that hangs would hold the caller too."""
    if channel is not None:
        threading.Thread(target=channel.close, daemon=True).start()


def _text(output: bytearray) -> str:
    return bytes(output).decode(errors="replace")
