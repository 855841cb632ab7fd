"""Several processes prepare images; their outcomes come back in order, whoever was faster."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import connection, get_context, parent_process

import cv2

from backend_container.datasets.face import Outcome
from backend_container.datasets.reference import Reference
from backend_container.datasets.shard_index import DatasetError
from backend_container.datasets.step import Step, prepared
from backend_container.models.engine import ModelError

CHUNK = 8
"""Images a process takes at a time: far less work to send than to do, and progress moves."""
AHEAD = 3
"""Chunks under way for each process: none waits, and memory is bounded."""


def outcomes(references: Sequence[Reference], steps: Sequence[Step], workers: int) -> Iterator[Outcome]:
    """What becomes of each image in the steps, in order; with no `workers`, in this process.

    Raises DatasetError when a step cannot work at all, cannot travel to another process, or a process died.
    """
    if workers == 0:
        yield from _prepared(references, steps)
        return
    _check_steps(steps)
    # Not forked: this process may have threads, of OpenCV or torch, whose locks the child would inherit.
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (steps,)) as pool:
        try:
            yield from _in_order(pool, references, workers)
        except BrokenProcessPool as error:
            raise DatasetError(
                "A process ended by itself, perhaps for lack of memory. The same command goes on where it was; "
                "fewer --workers need less. In a script of your own each process runs what stands at the top: put it "
                'below `if __name__ == "__main__":`.'
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _in_order(pool: ProcessPoolExecutor, references: Sequence[Reference], workers: int) -> Iterator[Outcome]:
    chunks = (references[start : start + CHUNK] for start in range(0, len(references), CHUNK))
    waiting: deque[Future[list[Outcome]]] = deque(
        pool.submit(_work, chunk) for chunk in islice(chunks, workers * AHEAD)
    )
    while waiting:
        done = waiting.popleft().result()
        waiting.extend(pool.submit(_work, chunk) for chunk in islice(chunks, 1))
        yield from done


def _prepared(references: Sequence[Reference], steps: Sequence[Step]) -> Iterator[Outcome]:
    for reference in references:
        try:
            yield prepared(reference, steps)
        except ModelError as error:  # its two words do not survive the way to another process
            raise DatasetError(error.detail) from error


def _check_steps(steps: Sequence[Step]) -> None:
    for step in steps:
        try:
            pickle.dumps(step)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise DatasetError(
                f"{step.label} cannot be sent to other processes ({error}): define it at the top of a module, or build "
                "with workers=0."
            ) from error


_steps: Sequence[Step] = ()


def _begin(steps: Sequence[Step]) -> None:
    """Set a new process up."""
    global _steps
    _steps = steps
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all of a terminal's processes; the parent tells us
    os.environ["OMP_NUM_THREADS"] = "1"  # torch, which is not loaded yet
    cv2.setNumThreads(1)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    # A killed parent leaves its pipes open in us: we would wait for work for ever.
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _work(references: Sequence[Reference]) -> list[Outcome]:
    return list(_prepared(references, _steps))
