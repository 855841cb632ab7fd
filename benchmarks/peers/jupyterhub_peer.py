"""JupyterHub with batchspawner: a hub that is up, and a single-user server that answers through its proxy."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _measure import arguments, clear_queue, empty, tell, timed

_CONFIG = """
import batchspawner
c.JupyterHub.spawner_class = "batchspawner.SlurmSpawner"
c.JupyterHub.authenticator_class = "jupyterhub.auth.DummyAuthenticator"
c.DummyAuthenticator.password = "{password}"
c.Authenticator.allow_all = True
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "http://{host}:{hub_port}"
c.JupyterHub.hub_connect_ip = "{host}"
c.ConfigurableHTTPProxy.command = ["{proxy}"]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.pid_file = "proxy.pid"
c.JupyterHub.log_level = "WARN"
c.JupyterHub.services = [{{"name": "bench", "api_token": "{token}"}}]
_scopes = ["admin:users", "admin:servers", "access:servers"]
c.JupyterHub.load_roles = [{{"name": "bench", "scopes": _scopes, "services": ["bench"]}}]
c.Spawner.start_timeout = 120
c.Spawner.http_timeout = 120
c.Spawner.cmd = ["{bin}/jupyterhub-singleuser"]
c.Spawner.default_url = "/api"
c.BatchSpawnerBase.batchspawner_singleuser_cmd = "{bin}/batchspawner-singleuser"
c.BatchSpawnerBase.startup_poll_interval = 0.1
c.BatchSpawnerBase.exec_prefix = ""
c.BatchSpawnerBase.req_partition = "gpu"
c.BatchSpawnerBase.req_runtime = "00:10:00"
c.BatchSpawnerBase.req_options = "--gres=gpu:1"
c.SlurmSpawner.req_srun = ""
"""


def main() -> None:
    given = arguments(__doc__ or "")
    folder = empty(given.folder / "jupyterhub")
    token = secrets.token_hex(16)
    port, hub_port, proxy_port = (_free_port(given.host) for _ in range(3))
    config = _CONFIG.format(
        password=secrets.token_hex(16),
        port=port,
        host=given.host,
        hub_port=hub_port,
        proxy=given.proxy,
        proxy_port=proxy_port,
        token=token,
        bin=Path(sys.executable).parent,
        folder=folder,
    )
    (folder / "jupyterhub_config.py").write_text(config)
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{Path(given.proxy).parent}:{os.environ['PATH']}"
    os.environ["JUPYTERHUB_CRYPT_KEY"] = secrets.token_hex(32)
    hub = subprocess.Popen(
        [sys.executable, "-m", "jupyterhub", "-f", "jupyterhub_config.py"], cwd=folder, start_new_session=True
    )
    try:
        caller = Caller(f"http://127.0.0.1:{port}", token, hub)
        caller.wait_up()
        caller.call("POST", f"/hub/api/users/{_me()}")
        starts = []
        for _ in range(given.starts):
            starts.append(timed(lambda: caller.start(_me())))
            caller.stop(_me())
            clear_queue()
        tell("hub running before; startup_poll_interval 0.1 s (0.5 as shipped), no srun step", starts, [])
    finally:
        os.killpg(hub.pid, signal.SIGTERM)
        hub.wait(20)
        clear_queue()


class Caller:
    def __init__(self, url: str, token: str, hub: subprocess.Popen[bytes]) -> None:
        self._url, self._token, self._hub = url, token, hub

    def call(self, method: str, path: str) -> tuple[int, Any]:
        headers = {"Authorization": f"token {self._token}"}
        body = b"" if method == "POST" else None
        request = urllib.request.Request(self._url + path, body, headers, method=method)  # noqa: S310 (this machine)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                said = answer.read()
                return answer.status, json.loads(said) if said.startswith(b"{") else None
        except urllib.error.HTTPError as error:
            return error.code, None
        except OSError:
            return 0, None

    def wait_up(self) -> None:
        deadline = time.monotonic() + 60
        while self.call("GET", "/hub/api/")[0] != 200:
            assert self._hub.poll() is None, "the hub ended"
            assert time.monotonic() < deadline, "the hub did not come up"
            time.sleep(0.1)

    def start(self, user: str) -> None:
        status, _ = self.call("POST", f"/hub/api/users/{user}/server")
        assert status in (201, 202), status
        self._wait(lambda: self.call("GET", f"/user/{user}/api")[0] == 200, "the server's first answer")

    def stop(self, user: str) -> None:
        self.call("DELETE", f"/hub/api/users/{user}/server")
        self._wait(lambda: not (self.call("GET", f"/hub/api/users/{user}")[1] or {}).get("server"), "the server's end")
        self._wait(lambda: not (self.call("GET", f"/hub/api/users/{user}")[1] or {}).get("pending"), "the server's end")

    def _wait(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < deadline, f"waited 120 s for {what}"
            time.sleep(0.02)


def _free_port(host: str) -> int:
    with socket.socket() as found:
        found.bind((host, 0))
        return int(found.getsockname()[1])


def _me() -> str:
    return os.environ["USER"]


if __name__ == "__main__":
    main()
