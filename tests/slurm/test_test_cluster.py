"""`slurm/test-cluster` itself: its answers to bad calls, and that a second `up` disturbs nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cluster_fixture import MACHINE_CANNOT, SCRIPT, USER, SlurmCluster, alone


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("arguments", [(), ("sideways",)])
def test_a_wrong_call_shows_the_usage(arguments: tuple[str, ...]) -> None:
    answer = call(*arguments)
    assert answer.returncode == 2
    assert "test-cluster up [--gpu-nodes N] [--user NAME]" in answer.stderr


def test_without_root_it_says_what_to_do() -> None:
    as_nobody = ("runuser", "-u", "nobody", "--") if os.geteuid() == 0 else ()
    answer = subprocess.run([*as_nobody, SCRIPT, "up"], capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (
        MACHINE_CANNOT,
        "test-cluster: only root can run slurmd for others: use sudo\n",
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("up", "--gpu-nodes", "0"), "a number from 1 to 99, not: 0"),
        (("up", "--gpu-nodes"), "needs a value"),
        (("up", "--user", "a b"), "takes a login name, not: a b"),
        (("up", "--nodes", "2"), "knows --gpu-nodes N and --user NAME, not: --nodes"),
        (("break", "gpu77"), "no node 'gpu77'; there are: gpu1 "),
    ],
)
def test_bad_values_are_named(slurm_cluster: SlurmCluster, arguments: tuple[str, ...], why: str) -> None:
    answer = call(*arguments)
    assert answer.returncode == 1
    assert why in answer.stderr


def test_a_second_up_disturbs_nothing(slurm_cluster: SlurmCluster) -> None:
    before = slurm_cluster.controller_pid
    slurm_cluster.control("up")
    assert slurm_cluster.controller_pid == before


def test_a_callers_umask_cluster_and_columns_are_no_matter(slurm_cluster: SlurmCluster) -> None:
    slurm_cluster.control("down")
    theirs = {"SLURM_CONF": "/nowhere/slurm.conf", "SINFO_FORMAT": "%P", "SLURM_TIME_FORMAT": "relative"}
    words = ("sh", "-c", 'umask 077; exec "$0" up --user "$1"', SCRIPT, USER)
    subprocess.run(words, env=os.environ | theirs, check=True, capture_output=True, timeout=120)
    assert slurm_cluster.run_as_user("sinfo", "-h", "-p", "cpu", "-o", "%D") == "1\n"


def test_what_a_reboot_leaves_is_no_obstacle(slurm_cluster: SlurmCluster) -> None:
    """Files are there; processes, bridge and namespaces are gone."""
    folder = Path(slurm_cluster.environment["LIGAN_TEST_LOGS"]).parent
    processes = [Path(f"/proc/{path.read_text().strip()}") for path in folder.glob("run/*.pid")]
    processes += [Path(f"/proc/{(folder / part / 'pid').read_text().strip()}") for part in ("munge", "ssh")]
    subprocess.run(["kill", "-KILL", *(process.name for process in processes)], check=True)
    for node in slurm_cluster.nodes:
        subprocess.run(["ip", "netns", "delete", f"ligan-{node}"], check=True)
    subprocess.run(["ip", "addr", "flush", "dev", "br-ligan"], check=True)
    slurm_cluster.control("up", "--user", USER)
    assert slurm_cluster.run_as_user("srun", "--partition=gpu", "hostname").strip() in slurm_cluster.nodes


def test_a_process_that_has_a_number_of_ours_is_left_alone(slurm_cluster: SlurmCluster, tmp_path: Path) -> None:
    number = Path(slurm_cluster.environment["LIGAN_TEST_LOGS"]).parent / "ssh" / "pid"
    ours = number.read_text()
    shutil.copy("/bin/sleep", tmp_path / "sshd")
    theirs = subprocess.Popen([tmp_path / "sshd", "600"])
    try:
        number.write_text(f"{theirs.pid}\n")
        slurm_cluster.control("break", "ssh")
        assert theirs.poll() is None
    finally:
        theirs.kill()
        theirs.wait()
        number.write_text(ours)


def test_two_runs_do_not_meet_on_it(tmp_path: Path) -> None:
    used = tmp_path / "used"
    with alone(used), pytest.raises(pytest.skip.Exception, match="run these when it has ended"), alone(used):
        pytest.fail("both have it")
    with alone(used):
        pass


def test_workers_have_names_and_addresses_of_their_own_and_the_machine_keeps_its_name(
    slurm_cluster: SlurmCluster,
) -> None:
    name = os.uname().nodename
    seen = slurm_cluster.run_as_user(
        "srun", "--partition=gpu", "--gres=gpu:1", "sh", "-c", "hostname; hostname -I; id -un"
    )
    node, address, user = seen.split()
    assert node in slurm_cluster.nodes
    assert address != slurm_cluster.login_address
    assert address.startswith(slurm_cluster.login_address.rpartition(".")[0] + ".")
    assert user == USER
    assert os.uname().nodename == name


def test_a_cut_node_is_out_of_reach_until_it_is_mended(slurm_cluster: SlurmCluster) -> None:
    address = slurm_cluster.run_as_user("getent", "hosts", "gpu1").split()[0]
    ping = ("timeout", "1", "bash", "-c", f"exec 3<>/dev/tcp/{address}/6818")
    assert subprocess.run(ping, capture_output=True).returncode == 0
    slurm_cluster.control("break", "gpu1")
    try:
        assert subprocess.run(ping, capture_output=True).returncode != 0
    finally:
        slurm_cluster.control("mend", "gpu1")
    assert subprocess.run(ping, capture_output=True).returncode == 0


def test_a_configuration_that_nobody_answers_to_is_set_aside_and_put_back(slurm_cluster: SlurmCluster) -> None:
    slurm_cluster.control("down")
    conf = Path("/etc/slurm/slurm.conf")
    foreign = "ClusterName=foreign\nSlurmctldHost=localhost\n"
    conf.write_text(foreign)
    try:
        slurm_cluster.control("up")
        assert conf.is_symlink()
        slurm_cluster.control("down")
        assert conf.read_text() == foreign
    finally:
        conf.unlink()
        slurm_cluster.control("up", "--user", USER)


def test_nothing_of_an_earlier_user_of_the_same_name_is_in_the_way_of_jobs(slurm_cluster: SlurmCluster) -> None:
    cache = Path(f"/var/tmp/ligan-{USER}")  # noqa: S108 (backend.weights_cache by default)
    if cache.exists():
        shutil.chown(cache, USER, USER)
    else:
        slurm_cluster.run_as_user("mkdir", str(cache))
    slurm_cluster.control("up", "--user", USER)
    assert cache.exists(), "its own stays"
    shutil.chown(cache, "nobody")
    slurm_cluster.control("up", "--user", USER)
    assert not cache.exists()
    slurm_cluster.run_as_user("mkdir", str(cache))
    slurm_cluster.control("down")
    try:
        assert not cache.exists()
    finally:
        slurm_cluster.control("up", "--user", USER)


def test_another_user_has_a_slurmrestd_of_its_own(slurm_cluster: SlurmCluster) -> None:
    """It believes whoever has its user ID: that of the user before would work for nobody else."""
    socket = Path(slurm_cluster.rest_url.removeprefix("unix:"))
    assert socket.owner() == USER
    try:
        slurm_cluster.control("up", "--user", "ligan-other")
        assert socket.owner() == "ligan-other"
    finally:
        slurm_cluster.control("up", "--user", USER)
    assert socket.owner() == USER


def test_the_configuration_of_a_cluster_that_is_up_is_left_alone(slurm_cluster: SlurmCluster) -> None:
    conf = Path("/etc/slurm/slurm.conf")
    link = conf.readlink()
    conf.unlink()
    conf.write_text(link.read_text())  # now it is somebody's, and that somebody's slurmctld runs
    try:
        answer = call("up")
        assert answer.returncode == MACHINE_CANNOT
        assert "another cluster, which is up" in answer.stderr
    finally:
        conf.unlink()
        conf.symlink_to(link)
