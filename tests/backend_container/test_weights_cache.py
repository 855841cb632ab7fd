"""Weights from the daemon: checked by hash, fetched once for all jobs of a node, and again when they are broken."""

import hashlib
import multiprocessing
import os
import threading

import pytest

from backend_container.models.engine import ModelError
from backend_container.phases import Phases
from backend_container.weights_cache import WeightsCache, with_weights
from tests.backend_container.test_loading import bootstrap

BYTES = {"config.json": b"{}", "model.safetensors": b"tensors" * 1000}
FILES = {name: hashlib.sha256(data).hexdigest() for name, data in BYTES.items()}


class Daemon:
    """Gives what it has, and counts."""

    def __init__(self, **changed):
        self.data = {FILES[name]: changed.get(name.split(".")[0], data) for name, data in BYTES.items()}
        self.fetched = []

    def fetch(self, sha256):
        self.fetched.append(sha256)
        return self.data[sha256]


@pytest.fixture
def cache(tmp_path):
    return WeightsCache(tmp_path / "of" / "user")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_weights_are_fetched_once_and_kept(cache):
    daemon = Daemon()
    folder = cache.directory(FILES, daemon.fetch)
    assert contents(folder) == BYTES
    assert cache.directory(FILES, daemon.fetch) == folder
    assert sorted(daemon.fetched) == sorted(FILES.values())
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}


@pytest.mark.parametrize("damage", [b"", b"{", b"[]" * 100, None])
def test_a_broken_file_is_fetched_again(cache, damage):
    folder = cache.directory(FILES, Daemon().fetch)
    if damage is None:
        (folder / "config.json").unlink()
    else:
        (folder / "config.json").write_bytes(damage)
    daemon = Daemon()
    assert contents(cache.directory(FILES, daemon.fetch)) == BYTES
    assert daemon.fetched == [FILES["config.json"]]


def test_other_weights_lie_elsewhere(cache):
    other = {"config.json": hashlib.sha256(b"other").hexdigest()}
    one, two = cache.directory(FILES, Daemon().fetch), cache.directory(other, lambda _: b"other")
    assert one != two
    assert contents(one) == BYTES
    assert contents(two) == {"config.json": b"other"}


def test_what_the_daemon_did_not_name_is_not_kept(cache, tmp_path):
    with pytest.raises(ModelError, match="other bytes for model") as caught:
        cache.directory(FILES, Daemon(model=b"trojan").fetch)
    assert caught.value.slug == "weights-damaged"
    assert not list(tmp_path.rglob("model.safetensors"))
    assert contents(cache.directory(FILES, Daemon().fetch)) == BYTES, "the next one heals it"


def test_a_fetch_that_fails_leaves_no_half_and_no_lock(cache, tmp_path):
    def fails(sha256):
        raise ConnectionError("the daemon is away")

    with pytest.raises(ModelError, match="the daemon is away"):
        cache.directory(FILES, fails)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert contents(cache.directory(FILES, Daemon().fetch)) == BYTES


def _start(root, barrier, asked, found):
    def fetch(sha256):
        asked.put(sha256)
        return Daemon().data[sha256]

    barrier.wait()
    found.put(contents(WeightsCache(root).directory(FILES, fetch)) == BYTES)


def test_jobs_that_start_at_once_fetch_once(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    asked, found, barrier = spawn.Queue(), spawn.Queue(), spawn.Barrier(4)
    jobs = [spawn.Process(target=_start, args=(tmp_path / "user", barrier, asked, found)) for _ in range(4)]
    for job in jobs:
        job.start()
    assert [found.get(timeout=60) for _ in jobs] == [True] * 4
    for job in jobs:
        job.join(60)
    assert sorted(asked.get(timeout=10) for _ in FILES) == sorted(FILES.values())
    assert asked.empty()


def test_a_job_waits_for_the_one_that_fetches(cache):
    may_go, waits = threading.Event(), threading.Event()

    def slow(sha256):
        waits.set()
        assert may_go.wait(20)
        return Daemon().data[sha256]

    first = threading.Thread(target=lambda: cache.directory(FILES, slow))
    first.start()
    assert waits.wait(20)
    daemon = Daemon()
    second = threading.Thread(target=lambda: cache.directory(FILES, daemon.fetch))
    second.start()
    may_go.set()
    for thread in (first, second):
        thread.join(20)
    assert daemon.fetched == []


def test_a_folder_that_others_can_write_is_not_used(cache, tmp_path):
    (tmp_path / "of").mkdir()
    (tmp_path / "of" / "user").mkdir()
    (tmp_path / "of" / "user").chmod(0o777)
    with pytest.raises(ModelError, match="its user alone can write") as caught:
        cache.directory(FILES, Daemon().fetch)
    assert caught.value.slug == "weights-missing"


def test_a_link_to_another_folder_is_not_used(cache, tmp_path):
    (tmp_path / "of").mkdir()
    (tmp_path / "mine").mkdir(mode=0o700)
    (tmp_path / "of" / "user").symlink_to(tmp_path / "mine")
    with pytest.raises(ModelError, match="its user alone can write"):
        cache.directory(FILES, Daemon().fetch)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_not_used(cache, tmp_path):
    (tmp_path / "of").mkdir()
    (tmp_path / "of" / "user").mkdir(mode=0o700)
    os.chown(tmp_path / "of" / "user", 65534, 65534)
    with pytest.raises(ModelError, match="its user alone can write"):
        cache.directory(FILES, Daemon().fetch)


def test_weights_that_the_node_has_are_used_as_they_are(tmp_path):
    document = bootstrap(weights=str(tmp_path), weights_files=FILES, weights_cache="/nowhere")
    phases = Phases()
    assert with_weights(document, Daemon().fetch, phases) is document
    assert with_weights(bootstrap(), Daemon().fetch, phases).weights is None
    assert phases.ended == {}


def test_weights_that_it_has_not_come_from_the_daemon(tmp_path):
    phases, cache = Phases(), str(tmp_path / "cache")
    document = bootstrap(weights="/login/node/only", weights_files=FILES, weights_cache=cache)
    found = with_weights(document, Daemon().fetch, phases)
    assert found.weights is not None
    assert found.weights.startswith(cache)
    assert list(phases.ended) == ["fetch"]


@pytest.mark.parametrize("name", ["../secret", "a/b", ".hidden", ""])
def test_a_files_name_leads_nowhere_else(name):
    with pytest.raises(ValueError, match="weights_files"):
        bootstrap(weights_files={name: "0" * 64})


def weights(number):
    """A set of a thousand bytes."""
    data = bytes([number]) * 1000
    return {"model.safetensors": hashlib.sha256(data).hexdigest()}, lambda _: data


@pytest.fixture
def node(tmp_path):
    """A folder for three sets, and what fills it: one job after the other uses a set and ends."""
    root = tmp_path / "user"

    def use(number, *, at):
        cache = WeightsCache(root, 3000)
        folder = cache.directory(*weights(number))
        cache.close()
        for lock in root.glob("*.use.lock"):
            if lock.name.startswith(folder.name):
                os.utime(lock, (at, at))
        return folder

    return use


def test_what_was_used_longest_ago_goes(node):
    first, second, third = (node(number, at=number) for number in (1, 2, 3))
    node(1, at=4)
    fourth = node(4, at=5)
    assert [folder.exists() for folder in (first, second, third, fourth)] == [True, False, True, True]
    assert node(2, at=6).exists(), "it is fetched again"
    assert not third.exists()


def test_what_a_job_uses_never_goes(node, tmp_path):
    running = WeightsCache(tmp_path / "user", 3000)
    old = running.directory(*weights(1))
    os.utime(next((tmp_path / "user").glob(f"{old.name}.use.lock")), (0, 0))
    for number in (2, 3, 4, 5):
        node(number, at=number)
    assert contents(old) == {"model.safetensors": bytes([1]) * 1000}
    running.close()
    node(6, at=6)
    assert not old.exists()


def test_its_own_never_goes_however_large(tmp_path):
    small = WeightsCache(tmp_path / "user", 1)
    assert small.directory(*weights(1)).exists()
    assert small.directory(*weights(2)).exists()
    assert len(list((tmp_path / "user").glob("*/model.safetensors"))) == 2, "both are in use"


def test_without_a_bound_nothing_goes(tmp_path):
    for number in range(5):
        cache = WeightsCache(tmp_path / "user")
        cache.directory(*weights(number))
        cache.close()
    assert len(list((tmp_path / "user").glob("*/model.safetensors"))) == 5


def test_only_weights_are_counted_and_halves_of_a_killed_job_go(node, tmp_path):
    root = tmp_path / "user"
    node(1, at=1)
    (root / ".gone-abc").mkdir()
    (root / ".gone-abc" / "model.safetensors").write_bytes(b"half")
    (root / "trial-1").mkdir()
    (root / "trial-1" / "data").write_bytes(b"x" * 9000)
    kept = [node(number, at=number) for number in (2, 3)]
    assert all(folder.exists() for folder in kept)
    assert (root / "trial-1" / "data").exists()
    assert not (root / ".gone-abc").exists()


def test_the_claim_of_a_killed_job_ends_with_it(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    holds, may_end = spawn.Event(), spawn.Event()
    job = spawn.Process(target=_hold, args=(tmp_path / "user", holds, may_end))
    job.start()
    assert holds.wait(60)
    other = WeightsCache(tmp_path / "user", 1000)
    other.directory(*weights(2))
    assert len(list((tmp_path / "user").glob("*/model.safetensors"))) == 2, "it lives"
    job.kill()
    job.join(60)
    other.directory(*weights(2))
    assert len(list((tmp_path / "user").glob("*/model.safetensors"))) == 1
    other.close()


def _hold(root, holds, may_end):
    cache = WeightsCache(root)
    cache.directory(*weights(1))
    holds.set()
    may_end.wait(60)
    cache.close()
