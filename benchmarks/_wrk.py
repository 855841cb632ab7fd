"""The load generator wrk, told to say what it saw in JSON."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_FRESH = """
local number = 0
request = function()
  number = number + 1
  return wrk.format(nil, wrk.path .. "?" .. number)
end
"""
_SCRIPT = """
done = function(summary, latency, requests)
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status
    + summary.errors.timeout
  io.write(string.format('{"requests": %d, "bytes": %d, "us": %d, "p50_us": %d, "errors": %d}\\n',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), errors))
end
"""


@dataclass(frozen=True)
class Seen:
    """Of one run."""

    per_s: float
    mb_per_s: float
    p50_us: float
    requests: int


def load(program: str, url: str, connections: int, seconds: float, cookie: str = "", fresh: bool = False) -> Seen:
    """Ask for `url` over so many connections, one request after the other on each. Fails where anything was refused.

    `fresh`: with a query that no request before has had.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT + (_FRESH if fresh else ""))
        script.flush()
        argv = [program, "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "-s", script.name]
        argv += ["-H", f"Cookie: {cookie}"] if cookie else []
        ran = subprocess.run([*argv, url], capture_output=True, text=True, check=True, cwd=Path(script.name).parent)
    said = json.loads(ran.stdout.splitlines()[-1])
    assert said["errors"] == 0, f"{said['errors']} of {said['requests']} requests to {url} failed"
    return Seen(said["requests"] / said["us"] * 1e6, said["bytes"] / said["us"], said["p50_us"], said["requests"])
