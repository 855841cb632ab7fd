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
