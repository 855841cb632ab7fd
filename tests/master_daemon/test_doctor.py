"""`ligan doctor`: each trouble of machine, cluster and site file is found, and told in a line with what to do."""

from __future__ import annotations

import argparse
import json
import logging
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ligan.settings import (
    AccountSettings,
    BackendSettings,
    ContainerSettings,
    DaemonSettings,
    FrontendSettings,
    Settings,
)
from master_daemon import daemon_file, doctor, host
from master_daemon.accounts.findings import accounts_finding
from master_daemon.cluster.command import CommandError, CommandMissingError, Completed
from master_daemon.cluster.probe import COMMANDS
from master_daemon.finding import Finding, Health, report
from tests.cluster_fixture import SlurmCluster
from tests.master_daemon.cluster.test_findings import CONFIG, PARTITION
from tests.ordinary import ordinary_folder

MOUNTS = "/dev/vda1 / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\ntmpfs /a\\040b tmpfs rw 0 0\n"
WOULD = "sbatch: Job 7 to start at 2026-11-22T05:25:16 using 1 processors on nodes gpu1 in partition gpu\n"
SLURM = Settings(
    daemon=DaemonSettings(resource_manager="slurm_cli", port=0),
    frontend=FrontendSettings(partition="gpu", time_limit=3600),
    backend=BackendSettings(partition="gpu", gres="gpu:1"),
)


class Cluster:
    """Answers as a cluster that is well, but for `faults` by the call's beginning."""

    def __init__(self, **faults: CommandError | str) -> None:
        self.faults = faults
        self.calls: list[tuple[str, ...]] = []

    def __call__(self, argv: Sequence[str], stdin: str = "", timeout_s: float = 0) -> Completed:
        self.calls.append(tuple(argv))
        fault = self.faults.get("_".join(word.strip("-") for word in argv[:2]).replace("-", "_"))
        if isinstance(fault, CommandError):
            raise fault
        return Completed(fault, "") if fault is not None else _answer(argv)


def _answer(argv: Sequence[str]) -> Completed:
    if argv[1:] == ("--version",):
        return Completed("slurm-wlm 22.05.8\n", "")
    if argv[1] == "--test-only":
        return Completed("", WOULD)
    answers = {"ping": "Slurmctld(primary) at vm is UP\n", "show": CONFIG, "--oneliner": PARTITION}
    return Completed(answers.get(argv[1], "gpu:2\n"), "")


def unwell(found: Sequence[Finding]) -> dict[str, Health]:
    return {finding.check: finding.health for finding in found if finding.health is not Health.OK}


def look(tmp_path: Path, quick: bool = True, **faults: CommandError | str) -> dict[str, Health]:
    found = doctor.cluster_findings(SLURM, tmp_path, Cluster(**faults), quick)
    assert all(bool(finding.advice) == (finding.health is not Health.OK) for finding in found)
    return unwell(found)


def error(stderr: str = "no", kind: type[CommandError] = CommandError) -> CommandError:
    return kind(("sbatch",), 1, "", stderr)


# The controller's sample time lies in the past, and that is seen.
CLOCK = {"clock": Health.WARNING}


def test_a_cluster_that_is_well_has_no_advice(tmp_path: Path) -> None:
    assert look(tmp_path, quick=False) == CLOCK


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_command_is_told_and_nothing_else_is_asked(tmp_path: Path, command: str) -> None:
    assert look(tmp_path, **{f"{command}_version": error(kind=CommandMissingError)}) == {command: Health.FAILED}


@pytest.mark.parametrize(
    ("call", "fault", "expected"),
    [
        ("srun_version", error(kind=CommandMissingError), {"srun": Health.WARNING, **CLOCK}),
        ("scontrol_ping", "Slurmctld(primary) at vm is DOWN\n", {"controller": Health.FAILED}),
        ("scontrol_ping", error("timed out"), {"controller": Health.FAILED}),
        (
            "sbatch_test_only",
            error("sbatch: error: Invalid account"),
            {"frontend dry run": Health.FAILED, "backend dry run": Health.FAILED, **CLOCK},
        ),
        ("sinfo_noheader", "(null)\n", {"backend gres": Health.FAILED, **CLOCK}),
        (
            "scontrol_oneliner",
            error("slurm_load_partitions error: Invalid partition name specified"),
            {"frontend partition": Health.FAILED, "backend partition": Health.FAILED, **CLOCK},
        ),
    ],
)
def test_each_fault_of_the_cluster_is_told(
    tmp_path: Path, call: str, fault: CommandError | str, expected: dict[str, Health]
) -> None:
    assert look(tmp_path, **{call: fault}) == expected


@pytest.mark.parametrize(
    ("stderr", "health"),
    [
        ("srun: error: Unable to allocate resources: Requested nodes are busy", Health.WARNING),
        ("ModuleNotFoundError: No module named 'ligan'", Health.FAILED),
    ],
)
def test_python_on_the_nodes(tmp_path: Path, stderr: str, health: Health) -> None:
    found = look(tmp_path, quick=False, srun_quiet=error(stderr))
    assert found == {"frontend on a node": health, "backend on a node": health, **CLOCK}


def test_what_a_node_lacks_is_told(tmp_path: Path) -> None:
    said = "ModuleNotFoundError: No module named 'torch'\nsrun: error: gpu1: task 0: Exited with exit code 1"
    found = on_nodes(SLURM, tmp_path, error(said))
    assert [one.detail for one in found] == ["exit status 1: ModuleNotFoundError: No module named 'torch'"] * 2
    assert [("ligan[backend]" in one.advice, "python" in one.advice) for one in found] == [(False, True), (True, True)]


def test_with_images_nobody_is_told_of_a_python(tmp_path: Path) -> None:
    images = ContainerSettings(runtime="apptainer", frontend="/f.sif", backend="/b.sif")
    found = on_nodes(SLURM.model_copy(update={"container": images}), tmp_path, error("FATAL: could not open image"))
    assert [("f.sif" in one.advice, "b.sif" in one.advice) for one in found] == [(True, False), (False, True)]
    assert not [one for one in found if "python" in one.advice]


def on_nodes(settings: Settings, folder: Path, fault: CommandError) -> list[Finding]:
    found = doctor.cluster_findings(settings, folder, Cluster(srun_quiet=fault), quick=False)
    return [one for one in found if one.check.endswith("on a node")]


# ---- this machine


def test_a_folder_on_a_network_file_system_is_no_place_for_sqlite(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    mounts = f"server:/ {tmp_path} nfs4 rw 0 0\n{MOUNTS}"
    assert unwell(host.state_findings(SLURM, tmp_path, mounts)) == {"state file system": Health.FAILED}
    elsewhere = SLURM.daemon.model_copy(update={"database": "postgresql://ligan@db/ligan"})
    assert unwell(host.state_findings(SLURM.model_copy(update={"daemon": elsewhere}), tmp_path, mounts)) == {}


def test_a_folder_that_others_may_enter_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert unwell(host.state_findings(SLURM, tmp_path, MOUNTS)) == {"state folder": Health.FAILED}


@pytest.mark.parametrize("name", ["mine", "mine/new", "file", "file/below", "closed", "closed/unseen/below"])
def test_a_state_folder_has_to_be_this_users(name: str) -> None:
    with ordinary_folder() as top:
        for each in ("mine", "closed"):
            (top / each).mkdir(mode=0o700)
        (top / "file").touch()
        (top / "closed").chmod(0)
        found, *_ = host.state_findings(Settings(), top / name, "")
        assert found.health is (Health.OK if name.startswith("mine") else Health.FAILED), found
        assert name.partition("/")[0] in found.detail
        (top / "closed").chmod(0o700)


def test_the_longest_mount_counts() -> None:
    assert [host.file_system(Path(path), MOUNTS) for path in ("/usr", "/home/x", "/a b/c", "/homes")] == [
        *("ext4", "nfs4", "tmpfs", "ext4")
    ]


def test_a_log_folder_of_one_machine_is_doubted(tmp_path: Path) -> None:
    assert host.log_folder(SLURM, tmp_path, MOUNTS).health is Health.WARNING
    assert host.log_folder(SLURM, tmp_path, f"s:/ {tmp_path} nfs rw 0 0\n").health is Health.OK
    nowhere = SLURM.model_copy(update={"daemon": SLURM.daemon.model_copy(update={"log_dir": "/proc/1/ligan"})})
    assert host.log_folder(nowhere, tmp_path, MOUNTS).health is Health.FAILED


@pytest.mark.parametrize(("name", "said"), [("127.0.0.1", "no node reaches"), ("192.0.2.1", "no address of this")])
def test_an_address_that_no_node_reaches_is_told(name: str, said: str) -> None:
    finding = host.cluster_host(name)
    assert (finding.health, said in finding.detail) == (Health.FAILED, True)


def test_the_port_is_free_or_our_daemons(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon = DaemonSettings(port=taken.getsockname()[1])
        assert host.port(daemon, tmp_path).health is Health.FAILED
        daemon_file.write(tmp_path, "http://127.0.0.1:7022/")
        assert host.port(daemon, tmp_path).health is Health.OK
    (tmp_path / daemon_file.NAME).write_text("{")
    assert host.port(daemon, tmp_path).health is Health.OK


# ---- the command


@pytest.fixture
def call(tmp_path: Path) -> Callable[..., int]:
    def run(text: str, *options: str) -> int:
        site = tmp_path / "site.toml"
        site.write_text(text)
        parser = argparse.ArgumentParser()
        doctor.add_arguments(parser)
        state = str(tmp_path / "state")
        return doctor.doctor(parser.parse_args(["--config", str(site), "--state-dir", state, *options]))

    return run


def test_a_site_without_slurm_is_well(call: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert call('[daemon]\nport = 0\n[backend]\nengine = "fake"\n') == 0
    assert "engine        fake" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('host = "0.0.0.0"', "lets other machines in"),
        ('database = "mysql://host/x"', "mysql is not supported"),
        ('[accounts]\nmode = "oidc"', "accounts.public_url"),
        (
            '[accounts]\nmode = "oidc"\npublic_url = "https://["\nissuer = "https://x"\nclient_id = "x"',
            "accounts.public_url",
        ),
        ('[accounts]\nmode = "header"', "accounts.trusted_proxies"),
    ],
)
def test_what_the_daemon_would_not_start_with_fails(
    text: str, said: str, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(f'[daemon]\nport = 0\n{text}\n[backend]\nengine = "fake"\n', "--quick", "--json") == 1
    (found,) = [finding for finding in json.loads(capsys.readouterr().out) if finding["health"] == "failed"]
    assert said in found["detail"]


@pytest.mark.parametrize(
    ("proxies", "health"), [(("10.0.0.5",), Health.OK), (("10.0.0.5", "127.0.0.0/8"), Health.WARNING)]
)
def test_a_proxy_on_a_machine_with_logins_is_told(proxies: tuple[str, ...], health: Health) -> None:
    found = accounts_finding(Settings(accounts=AccountSettings(mode="header", trusted_proxies=proxies)))
    assert found.health is health, found


def test_the_engine_is_sought_where_a_local_job_would_find_it(
    call: Callable[..., int], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "elsewhere" / "backend_container"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "check.py").write_text("print('an engine of its own')")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.chdir(tmp_path)  # of `python -m` the folder that it is called in comes first
    assert call('[daemon]\nport = 0\n[backend]\nengine = "fake"\n') == 0
    assert "an engine of its own" in capsys.readouterr().out


def test_an_engine_that_cannot_be_loaded_fails(call: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert call('[daemon]\nport = 0\n[backend]\nengine = "stylegan9"\n', "--json") == 1
    found = [finding for finding in json.loads(capsys.readouterr().out) if finding["health"] != "ok"]
    assert [finding["check"] for finding in found] == ["engine"]
    assert "There is no engine 'stylegan9'" in found[0]["detail"]
    assert set(found[0]) == {"check", "health", "detail", "advice"}


def test_a_wrong_site_file_is_a_finding(call: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert call("[daemon]\nprot = 1\n") == 1
    assert "no such setting" in capsys.readouterr().out


def test_the_report_has_advice_below_what_is_not_well() -> None:
    found = [Finding("a", Health.OK, "fine"), Finding("long name", Health.FAILED, "broken", "Mend it.")]
    assert report(found).splitlines() == [
        "ok       a          fine",
        "failed   long name  broken",
        "                    → Mend it.",
    ]


def test_a_daemon_logs_what_is_not_well(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    state.chmod(0o755)
    with caplog.at_level(logging.WARNING):
        doctor.log_unwell(Settings(daemon=DaemonSettings(port=0)), state, None)
    assert [record.message for record in caplog.records] == [
        f"state folder: others may enter {state} (755) → chmod 700 {state}"
    ]


def test_on_a_real_cluster(slurm_cluster: SlurmCluster, tmp_path: Path) -> None:
    found = doctor.cluster_findings(SLURM, tmp_path, doctor.run, quick=True)
    assert unwell(found) == {"KillWait": Health.WARNING}  # 2 s, for quick tests
    assert {"backend gres", "backend dry run", "immediate start"} <= {finding.check for finding in found}
    wrong = SLURM.model_copy(update={"backend": SLURM.backend.model_copy(update={"gres": "gpu:9"})})
    found = doctor.cluster_findings(wrong, tmp_path, doctor.run, quick=True)
    assert unwell(found) == {
        "KillWait": Health.WARNING,
        "backend gres": Health.FAILED,
        "backend dry run": Health.FAILED,
    }
    assert list(tmp_path.iterdir()) == []
