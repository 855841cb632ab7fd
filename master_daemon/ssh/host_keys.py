"""Which host keys are trusted: those of a known_hosts file, and no other. sshd(8), SSH_KNOWN_HOSTS FILE FORMAT."""

from __future__ import annotations

from pathlib import Path

import paramiko
from paramiko.hostkeys import HostKeyEntry, InvalidHostKey

from master_daemon.ssh.errors import HostKeyError

_MARKERS = ("#", "@")
"""Comments, and lines that trust or revoke: certificates are not read, revoked keys are never trusted."""


def trusted_keys(known_hosts: str) -> dict[str, list[paramiko.PKey]]:
    """Keys by host name as the file has it, plain, hashed or `[host]:port`; unreadable lines are passed over."""
    lines = [line.strip() for line in known_hosts.splitlines() if line.strip()]
    revoked = {line.split()[3] for line in lines if line.startswith("@revoked") and len(line.split()) > 3}
    entries = [_entry(line) for line in lines if not line.startswith(_MARKERS)]
    keys: dict[str, list[paramiko.PKey]] = {}
    for entry in entries:
        if entry is not None and entry.key is not None and entry.key.get_base64() not in revoked:
            for name in entry.hostnames or ():
                keys.setdefault(name, []).append(entry.key)
    return keys


def trust(client: paramiko.SSHClient, known_hosts: Path) -> None:
    """Let the client accept the file's keys, and refuse all others with words that say what to do (HostKeyError)."""
    text = known_hosts.read_text(errors="replace") if known_hosts.is_file() else ""
    accepted = client.get_host_keys()
    for name, keys in trusted_keys(text).items():
        for key in keys:
            accepted.add(name, key.get_name(), key)
    client.set_missing_host_key_policy(_Refuse(known_hosts))


def changed(error: paramiko.BadHostKeyException, known_hosts: Path) -> HostKeyError:
    """What to say of a host that shows another key than the file has."""
    return HostKeyError(
        f"The host key of {error.hostname} has CHANGED: it shows {_words(error.key)}, {known_hosts} has"
        f" {_words(error.expected_key)}. Somebody may be in between. Ask the login node's operator; only if the key was"
        f" replaced on purpose, take the old line out of {known_hosts} and add the new one."
    )


class _Refuse(paramiko.MissingHostKeyPolicy):
    def __init__(self, known_hosts: Path) -> None:
        self._known_hosts = known_hosts

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise HostKeyError(
            f"The host key of {hostname} is not in {self._known_hosts}. It shows {_words(key)}: compare that with"
            " `ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub` on the login node itself; if it is the same, add the line"
            f" `{hostname} {key.get_name()} {key.get_base64()}`"
        )


def _entry(line: str) -> HostKeyEntry | None:
    try:
        return HostKeyEntry.from_line(line)
    except (InvalidHostKey, paramiko.SSHException):
        return None


def _words(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.fingerprint}"
