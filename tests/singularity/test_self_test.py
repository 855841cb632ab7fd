"""What an image says of itself when it is built, here of the servers as they are."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.images_fixture import ROOT


def test_the_sites_proxy_is_not_between_it_and_its_server() -> None:
    proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy"), "http://127.0.0.1:9")
    environment = {**os.environ, **proxies, "NO_PROXY": "", "no_proxy": "", "PYTHONPATH": str(ROOT)}
    argv = (sys.executable, ROOT / "singularity" / "self_test.py", "backend", "fake")
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("self-test: backend: fake: ready after ")
