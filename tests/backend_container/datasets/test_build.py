"""Builds: parallel, reported, and the same bytes whatever happens on the way."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import psutil
import pytest

from backend_container.datasets import shard_writer
from backend_container.datasets.dataset import Dataset
from backend_container.datasets.filters import remove_too_similar, size_filter
from backend_container.datasets.mappings import embed, fit
from backend_container.datasets.recipe import Cut, Recipe, applied
from backend_container.datasets.shard_index import DatasetError
from backend_container.datasets.shards import FaceShards
from tests.backend_container.datasets.pictures import archive_of, encoded, folder_of, picture, pngs
from tests.backend_container.datasets.steps import (
    Person,
    differs,
    ends_its_process,
    is_even,
    no_third_sum,
    not_a_seventh,
)
from tests.frontend_server.pictures import png_bomb
from tests.ligan.stub import wait_until

SIZE, FULL = 16, 3
"""Pixels of a face's side, faces of a full shard."""


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(shard_writer, "SHARD_BYTES", FULL * SIZE * SIZE * 3)


@pytest.fixture
def source(tmp_path):
    files = {**pngs(40), "011.png": b"broken", "023.png": png_bomb(60_000, 60_000)}
    return archive_of(tmp_path / "source.tar", files)


def pipeline(source):
    """All kinds of steps, two windows, of which the first is reached by what an apply step let through."""
    return (
        Dataset.load(source)
        .apply(not_a_seventh)
        .filter_window(differs, window_size=3, least=1)
        .apply(fit, size=SIZE)
        .filter_window(no_third_sum)
    )


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


class Stopped(BaseException):
    """As Ctrl-C is: not an Exception."""


def stop_at(count):
    def on_progress(done, _total, _kept):
        if done >= count:
            raise Stopped

    return on_progress


def test_the_report_accounts_for_every_image(tmp_path, source):
    report = pipeline(source).create(tmp_path / "out", size=SIZE, workers=0)
    assert report.read == 40 == report.kept + report.dropped + len(report.broken)
    assert {example.name for example in report.broken} == {"011.png", "023.png"}
    assert [(step.step, step.dropped > 0) for step in report.steps] == [
        ("not_a_seventh", True), ("differs", True), ("fit", False), ("no_third_sum", True),
    ]  # fmt: skip
    assert report.steps[0].examples[0].model_dump() == {"name": "000.png", "reason": "a seventh"}
    shards = FaceShards.open(tmp_path / "out")
    assert len(shards) == report.kept
    assert shards.index.made_by["steps"][1] == "filter_window differs(window_size=3, least=1)"
    assert json.loads((tmp_path / "out/report.json").read_text()) == report.model_dump()


def test_faces_are_those_of_the_lazy_pipeline(tmp_path, source):
    lazy = list(pipeline(source))
    pipeline(source).create(tmp_path / "out", size=SIZE, workers=0)
    shards = FaceShards.open(tmp_path / "out")
    assert list(shards.names) == [face.name for face in lazy]
    assert np.array_equal(shards.photos(np.arange(len(lazy))), np.stack([face.photo for face in lazy]))


def test_any_number_of_workers_makes_the_same_bytes(tmp_path, source):
    for workers in (0, 1, 3):
        pipeline(source).create(tmp_path / f"out{workers}", size=SIZE, workers=workers)
    assert contents(tmp_path / "out0") == contents(tmp_path / "out1") == contents(tmp_path / "out3")


def test_stopped_anywhere_it_goes_on_to_the_same_bytes(tmp_path, source):
    pipeline(source).create(tmp_path / "whole", size=SIZE, workers=0)
    begun = []
    for place in range(1, 41, 3):
        out = tmp_path / f"stopped{place}"
        with pytest.raises(Stopped):
            pipeline(source).create(out, size=SIZE, workers=0, on_progress=stop_at(place))
        assert not (out / "dataset.json").exists()
        done = []
        pipeline(source).create(out, size=SIZE, workers=0, on_progress=lambda *count, done=done: done.append(count[0]))
        begun.append(done[0])
        assert contents(out) == contents(tmp_path / "whole"), place
    assert begun[0] == 0
    assert begun[-1] > 20, "it began anew"


def test_stopped_again_and_again_it_ends_all_the_same(tmp_path, source):
    pipeline(source).create(tmp_path / "whole", size=SIZE, workers=0)
    steps = iter(range(9, 1000, 9))
    while not (tmp_path / "out/dataset.json").exists():
        with contextlib.suppress(Stopped):
            pipeline(source).create(tmp_path / "out", size=SIZE, workers=0, on_progress=stop_at(next(steps)))
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


COMMAND = f"""
import sys
from backend_container.datasets import shard_writer
shard_writer.SHARD_BYTES = {FULL * SIZE * SIZE * 3}
from ligan.command import main
sys.exit(main())
"""
MANY = 200


@pytest.mark.parametrize("killer", [signal.SIGKILL, signal.SIGTERM])
def test_killed_it_leaves_no_process_and_goes_on_to_the_same_bytes(tmp_path, killer):
    source, out = archive_of(tmp_path / "source.tar", pngs(MANY)), tmp_path / "out"
    words = ("dataset", "build", source, "-o", out, "--size", SIZE, "--as-is", "--workers", 2)
    command = [sys.executable, "-c", COMMAND, *map(str, words)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: (out / "faces-00002.json").exists(), "some shards are written", 60)
    children = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, killer)
    _, told = process.communicate(timeout=60)
    assert process.returncode == (-9 if killer is signal.SIGKILL else 130)
    assert killer is signal.SIGKILL or "The same command goes on from here" in told
    assert children
    wait_until(lambda: not any(child.is_running() for child in children), "the workers leave", 60)
    assert not (out / "dataset.json").exists()
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    recipe = Recipe(size=SIZE, cut=Cut.WHOLE, min_size=0, grey=True, quality=False, similar=0)
    applied(recipe, Dataset.load(source)).create(tmp_path / "whole", size=SIZE, workers=0)
    assert len(FaceShards.open(out)) == MANY
    assert contents(out) == contents(tmp_path / "whole")


def test_a_finished_build_is_not_done_again(tmp_path, source):
    first = pipeline(source).create(tmp_path / "out", size=SIZE, workers=0)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    again = pipeline(source).create(tmp_path / "out", size=SIZE, workers=0, on_progress=stop_at(0))
    assert again == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == times


@pytest.mark.parametrize("stopped", [True, False])
def test_another_build_does_not_go_on_in_its_folder(tmp_path, source, stopped):
    with contextlib.suppress(Stopped):
        pipeline(source).create(tmp_path / "out", size=SIZE, workers=0, on_progress=stop_at(20 if stopped else 1000))
    other = Dataset.load(source).apply(fit, size=SIZE)
    before = contents(tmp_path / "out")
    with pytest.raises(DatasetError, match="other sources, labels or filters"):
        other.create(tmp_path / "out", size=SIZE, workers=0)
    (tmp_path / "labels.json").write_text('{"001.png": {"age": 3}}')
    labelled = Dataset(Dataset.load(source, labels=[tmp_path / "labels.json"]).sources, pipeline(source).steps)
    with pytest.raises(DatasetError, match="other sources, labels or filters"):
        labelled.create(tmp_path / "out", size=SIZE, workers=0)
    assert contents(tmp_path / "out") == before


def test_a_folder_with_other_files_is_left_alone(tmp_path, source):
    folder_of(tmp_path / "home", {"thesis.txt": b"x"})
    with pytest.raises(DatasetError, match=r"holds other files, such as thesis\.txt"):
        pipeline(source).create(tmp_path / "home", size=SIZE, workers=0)
    with pytest.raises(DatasetError, match="cannot be written"):
        pipeline(source).create(tmp_path / "home/thesis.txt", size=SIZE, workers=0)


def test_a_state_that_is_damaged_says_what_to_do(tmp_path, source):
    folder_of(tmp_path / "out", {"build.json": b"{"})
    with pytest.raises(DatasetError, match="Delete"):
        pipeline(source).create(tmp_path / "out", size=SIZE, workers=0)


def test_two_builds_do_not_share_a_folder(tmp_path, source):
    inside, leave = threading.Event(), threading.Event()

    def hold(_done, _total, _kept):
        inside.set()
        assert leave.wait(60)

    first = threading.Thread(target=lambda: pipeline(source).create(tmp_path / "out", size=SIZE, on_progress=hold))
    first.start()
    assert inside.wait(60)
    with pytest.raises(DatasetError, match="Another build is at work"):
        pipeline(source).create(tmp_path / "out", size=SIZE, workers=0)
    leave.set()
    first.join(60)
    assert FaceShards.open(tmp_path / "out")


def test_similar_faces_are_compared_by_vectors_that_workers_made(tmp_path):
    source = folder_of(tmp_path / "s", pngs(6))
    people = Dataset.load(source).apply(fit, size=SIZE).apply(embed, embedding=Person(), aligned=True)
    report = people.filter_window(remove_too_similar, embedding=Person()).create(tmp_path / "out", size=SIZE, workers=2)
    assert (report.kept, report.steps[-1].dropped) == (1, 5)


def test_faces_of_another_size_are_refused(tmp_path, source):
    with pytest.raises(DatasetError, match=r"000\.png: uint8 of \(24, 24, 3\) is not RGB uint8 of 16 pixels"):
        Dataset.load(source).create(tmp_path / "out", size=SIZE, workers=0)


def test_steps_that_cannot_travel_say_so(tmp_path, source):
    with pytest.raises(DatasetError, match="cannot be sent to other processes"):
        Dataset.load(source).filter(lambda face: True).create(tmp_path / "out", size=SIZE, workers=1)


SCRIPT = """
from backend_container.datasets.dataset import Dataset
from backend_container.datasets.mappings import fit
Dataset.load("source.tar").apply(fit, size=16).create("out", size=16{workers})
"""


def ran(script, folder):
    (folder / "script.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "script.py"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_a_script_of_three_lines_builds(tmp_path):
    archive_of(tmp_path / "source.tar", pngs(3))
    assert ran(SCRIPT.format(workers=""), tmp_path).returncode == 0
    assert len(FaceShards.open(tmp_path / "out")) == 3


def test_a_script_that_each_process_would_run_again_is_told_what_it_lacks(tmp_path):
    archive_of(tmp_path / "source.tar", pngs(3))
    done = ran(SCRIPT.format(workers=", workers=1"), tmp_path)
    assert 'put it below `if __name__ == "__main__":`' in done.stderr.splitlines()[-1]


def test_a_process_that_dies_says_that_the_build_can_go_on(tmp_path, source):
    with pytest.raises(DatasetError, match="The same command goes on"):
        Dataset.load(source).apply(ends_its_process).create(tmp_path / "out", size=SIZE, workers=1)


def test_the_page_shows_names_and_trusts_none(tmp_path):
    evil = "<script>alert(1)</script>.png"
    source = archive_of(tmp_path / "s.tar", {evil: b"broken", "<b>.png": encoded(picture())})
    Dataset.load(source).filter(size_filter, min_size=100).create(tmp_path / "out", size=SIZE, workers=0)
    page = (tmp_path / "out/report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.png" in page
    assert "&lt;b&gt;.png" in page
    chart = (tmp_path / "out/dropped.svg").read_text()
    assert chart.startswith("<svg")
    assert ">size_filter</text>" in chart


def test_no_images_make_an_empty_set(tmp_path):
    (tmp_path / "empty").mkdir()
    report = Dataset.load(tmp_path / "empty").filter(is_even).create(tmp_path / "out", size=SIZE, workers=1)
    assert (report.read, len(FaceShards.open(tmp_path / "out"))) == (0, 0)
