"""Debian's packages for the tests that want some."""

from __future__ import annotations

import os
import subprocess

LOCK = "/run/lock/ligan-apt"
"""One at a time, for there may be several who install. The scripts of this project hold it too."""


def apt_get(verb: str, *packages: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """`apt-get VERB PACKAGES` without questions. Whether it worked is in the return code."""
    options = ("-y", "-qq", "--no-install-recommends") if packages else ("-qq",)
    argv = ("flock", LOCK, "apt-get", verb, *options, *packages)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(argv, env=environment, check=False, capture_output=True, text=True, timeout=timeout)
