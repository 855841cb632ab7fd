"""What a backend may import before it is registered: nothing that takes long."""

import json
import os
import subprocess
import sys

import pytest

from backend_container import threads

HEAVY = ["torch", "cv2", "sklearn", "scipy", "onnxruntime"]
_LIST = "import sys, json; import {}; print(json.dumps([name for name in {!r} if name in sys.modules]))"


def imported(module, names):
    done = subprocess.run(
        [sys.executable, "-c", _LIST.format(module, names)], capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("module", ["server", "tasks", "worker", "loading", "describe", "models.fake"])
def test_networks_are_not_imported_with(module):
    assert imported(f"backend_container.{module}", HEAVY) == []


def test_a_backend_registers_before_it_imports_even_numpy():
    assert imported("backend_container.backend, backend_container.__main__", [*HEAVY, "numpy", "PIL"]) == []


def test_describing_gives_the_kinds_and_the_api():
    done = subprocess.run(
        [sys.executable, "-m", "backend_container.describe"], capture_output=True, text=True, check=True, timeout=60
    )
    described = json.loads(done.stdout)
    kinds = [kind["kind"] for kind in described["kinds"]["kinds"]]
    assert kinds == ["similar", "interpolate", "refine", "random", "noop", "count"]
    assert described["openapi"]["info"]["title"] == "LiGAN backend"


def test_a_thread_that_dies_takes_the_backend_with_it():
    code = (
        "import sys, threading; sys.argv = ['backend']; import backend_container.__main__ as entry\n"
        "def serve():\n"
        "    threading.Thread(target=lambda: 1 / 0).start()\n"
        "    threading.Event().wait()\n"
        "entry._serve = serve\n"
        "entry.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def test_libraries_use_threads_as_they_are_told_and_the_users_word_holds():
    code = (
        "from backend_container import threads; threads.tell(); assert threads.told()\n"
        "import json, os, numpy, threadpoolctl\n"
        "used = {library['num_threads'] for library in threadpoolctl.threadpool_info()}\n"
        "print(json.dumps([os.environ['OMP_WAIT_POLICY'], *used]))"
    )
    told = {name: value for name, value in os.environ.items() if name not in threads.VARIABLES}
    for policy, environment in (("PASSIVE", told), ("ACTIVE", told | {"OMP_WAIT_POLICY": "ACTIVE"})):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, check=True, timeout=60, env=environment)
        assert json.loads(done.stdout) == [policy, 1]
