"""A run's folder: `config.json`, `checkpoints/`, `log.jsonl`, `samples/`, and `weights/` once it is done."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import cv2

from backend_container.models.engine import Photo
from backend_container.training.checkpoints import Checkpoints
from backend_container.training.error import TrainingError
from ligan import durable

CHECKPOINTS, LOG, SAMPLES, WEIGHTS = "checkpoints", "log.jsonl", "samples", "weights"


class RunFolder:
    """One run writes at a time, and of its processes the first."""

    def __init__(self, path: Path, keep: int) -> None:
        self.path = path
        self.checkpoints = Checkpoints(path / CHECKPOINTS, keep)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Within this block it is this process's. Raises TrainingError where another has it, or it is not writable."""
        with self._open_lock() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TrainingError(f"{self.path} belongs to a run that is under way; take another --out.") from None
            yield

    def _open_lock(self) -> IO[str]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            return (self.path / "lock").open("w")
        except OSError as error:
            raise TrainingError(f"{self.path} cannot be written ({error.strerror}); take another --out.") from error

    @property
    def weights(self) -> Path:
        return self.path / WEIGHTS

    def write_config(self, config: Mapping[str, Any]) -> None:
        durable.write(self.path / "config.json", json.dumps(config, indent=2).encode() + b"\n")

    def note(self, line: Mapping[str, Any]) -> None:
        """A line of the log."""
        with (self.path / LOG).open("a") as file:
            file.write(json.dumps(line) + "\n")

    def rewind(self, step: int) -> None:
        """Take lines of the log away that a resumed run will write again, and one that was cut off."""
        path = self.path / LOG
        if not path.exists():
            return
        kept = [line for line in path.read_text(errors="replace").splitlines() if _step_of(line) <= step]
        durable.write(path, "".join(f"{line}\n" for line in kept).encode())

    def write_samples(self, step: int, sheet: Photo) -> Path:
        """A PNG of that step."""
        path = self.path / SAMPLES / f"{step:08}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png_of(sheet))
        return path


def png_of(sheet: Photo) -> bytes:
    """A sheet as a PNG. It is written elsewhere: OpenCV says nothing of a full disk, and crashes at some names."""
    done, png = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    if not done:
        raise TrainingError(f"A sheet of {sheet.shape} cannot be made a PNG.")
    return png.tobytes()


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
