"""What the peers' scripts share: their arguments, their clock, their answer. They run with the peers' own Python."""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def arguments(doc: str) -> argparse.Namespace:
    """Also makes SIGTERM an exception, so that a script that is stopped cleans up."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", required=True, help="the login node's address as the workers reach it")
    parser.add_argument("--folder", required=True, type=Path, help="an empty folder that all nodes see")
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--warm", type=int, default=200)
    parser.add_argument("--proxy", default="configurable-http-proxy", help="JupyterHub's, with its path")
    return parser.parse_args()


def ms_since(begin: float) -> float:
    return (time.perf_counter() - begin) * 1000


def timed(call: Callable[[], object]) -> float:
    """Milliseconds."""
    begin = time.perf_counter()
    call()
    return ms_since(begin)


def tell(settings: str, start_ms: list[float], warm_ms: list[float]) -> None:
    """The answer, on a line of its own."""
    answer: dict[str, Any] = {"settings": settings, "start_ms": start_ms, "warm_ms": warm_ms}
    print(json.dumps(answer), flush=True)


def clear_queue() -> None:
    """Cancel what this user has and wait until the cluster is free again, then for a part of a second.

    So each start finds it empty, and the scheduler, which turns once a second, at a moment of chance.
    """
    subprocess.run(["scancel", f"--user={_me()}"], check=False)
    deadline = time.monotonic() + 60
    while subprocess.run(["squeue", "--me", "--noheader"], capture_output=True, text=True, check=True).stdout.strip():
        if time.monotonic() > deadline:
            raise TimeoutError("jobs are still listed 60 s after scancel")
        time.sleep(0.1)
    time.sleep(random.random())


def _me() -> str:
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
