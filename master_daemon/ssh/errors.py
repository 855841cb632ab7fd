"""What can go wrong on the way to the login node."""

from __future__ import annotations


class SshError(Exception):
    """The login node is out of reach: what was about to be sent was not sent. Trying again may help."""


class SshSetupError(SshError):
    """It does not let us in until somebody puts something right; the text says what."""


class HostKeyError(SshSetupError):
    """It shows a host key that is not trusted."""
