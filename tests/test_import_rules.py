"""Who may import whom (`docs/architecture.md`): the table as a test, on the source and on running processes."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("ligan", "master_daemon", "frontend_server", "backend_container")
MAY_IMPORT = {
    "ligan": set(),
    "master_daemon": {"ligan"},
    "frontend_server": {"ligan"},
    "backend_container": {"ligan"},
}
HEAVY = {"torch", "cv2", "sklearn"}
# Library -> the only files that may import it.
ONLY_IN = {
    "pyslurm": {"master_daemon/cluster/slurm_pyslurm.py"},
    "paramiko": {
        "master_daemon/tunnel/ssh.py",
        "master_daemon/cluster/ssh.py",
        "master_daemon/ssh/connection.py",
        "master_daemon/ssh/host_keys.py",
    },
    "PIL": {"ligan/picture.py", "frontend_server/photo.py", "backend_container/png.py"},
    "pi_heif": {"ligan/picture.py"},
}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Names of all modules that a file imports, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here, so that this table can be read off them"
            yield node.module or ""


def tops(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_house_imports_only_what_it_may(package: str) -> None:
    assert sources(package), f"{package} has no source"
    forbidden = set(PACKAGES) - MAY_IMPORT[package] - {package}
    forbidden |= {"tests", "benchmarks"} | (HEAVY if package != "backend_container" else set())
    found = {str(path.relative_to(ROOT)): tops(path) & forbidden for path in sources(package)}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("library", ONLY_IN)
def test_some_libraries_have_one_door(library: str) -> None:
    users = {str(path.relative_to(ROOT)) for package in PACKAGES for path in sources(package) if library in tops(path)}
    assert users <= ONLY_IN[library]


def test_nothing_is_imported_by_a_computed_name() -> None:
    # `ligan.command` loads the verb that was typed; every other import of these three can be read off the source.
    users = [
        str(path.relative_to(ROOT))
        for package in ("ligan", "master_daemon", "frontend_server")
        for path in sources(package)
        if {"importlib", "importlib.metadata"} & set(imported(path)) and "import_module" in path.read_text()
    ]
    assert set(users) <= {"ligan/command.py"}


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("ligan.command", {*HEAVY, "sqlalchemy", "flask", *PACKAGES[1:]}),
        ("ligan.page", {*HEAVY, "flask", "sqlalchemy", *PACKAGES[1:]}),
        ("frontend_server.server", {*HEAVY, "numpy", "sqlalchemy", "pi_heif", "master_daemon", "backend_container"}),
        ("frontend_server.__main__", {*HEAVY, "numpy", "sqlalchemy", "master_daemon", "backend_container"}),
        ("master_daemon.daemon", {*HEAVY, "numpy", "PIL", "frontend_server", "backend_container", "pyslurm"}),
        ("master_daemon.service", {*HEAVY, "numpy", "PIL", "frontend_server", "backend_container", "pyslurm"}),
        ("master_daemon.command", {*HEAVY, "sqlalchemy", "flask", "uvloop", *PACKAGES[2:]}),
        ("backend_container.describe", {"sqlalchemy", "master_daemon", "frontend_server"}),
    ],
)  # fmt: skip
def test_a_process_loads_no_more_than_it_needs(module: str, absent: set[str]) -> None:
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(done.stdout.split()) & absent == set()
