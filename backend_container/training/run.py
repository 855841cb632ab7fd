"""A training run: steps, checkpoints, progress, and an end in time.

A run that is killed at any moment goes on from its newest checkpoint as if nothing had been: a step depends on the
trainer's state alone, so on one device the final weights are the same to the bit.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable
from dataclasses import asdict
from enum import IntEnum

import torch

from backend_container.training.checkpoints import Checkpoint, Checkpoints
from backend_container.training.ending import Reserve, Stop
from backend_container.training.error import TrainingError
from backend_container.training.processes import Processes
from backend_container.training.run_folder import RunFolder
from backend_container.training.state_tree import light as lightened
from backend_container.training.tally import Tally
from backend_container.training.telling import Teller
from backend_container.training.trainer import Described, Facts, Samples, Trainer
from backend_container.training.training_config import TrainingConfig, differences
from ligan.output import plain


class Outcome(IntEnum):
    """Exit codes of `ligan train`."""

    DONE = 0
    CONTINUE = 75
    """EX_TEMPFAIL (sysexits.h): it ended in time, with a checkpoint; started again it goes on."""
    INTERRUPTED = 130
    """The same by Ctrl-C: somebody does not want it to go on by itself."""


class Run:
    """One part of a run: from its start or a checkpoint to its end, or to its time's."""

    def __init__(
        self,
        trainer: Trainer,
        config: TrainingConfig,
        folder: RunFolder,
        teller: Teller,
        *,
        device: torch.device,
        processes: Processes | None = None,
        ends_at: float | None = None,
        sends: bool = False,
        light: Checkpoints | None = None,
        data: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`ends_at` is Unix seconds by `clock`; `sends`: after the end the folder is sent away, which takes time;
        `light` gets a light copy of each checkpoint; `data` is the fingerprint of the faces.
        """
        self._trainer, self._config, self._folder, self._teller = trainer, config, folder, teller
        self._device, self._processes = device, processes or Processes()
        self._ends_at, self._sends, self._light, self._data, self._clock = ends_at, sends, light, data, clock
        self._reserve, self._tally, self._first_step = Reserve(), Tally(), 0
        self._saved_step, self._saved_at, self._sampled_at = -1, clock(), clock()

    def resume(self, found: Checkpoint) -> None:
        """Go on from a checkpoint. Raises TrainingError where it is one of another run."""
        if changed := differences(found.config, self._config):
            raise TrainingError(
                f"{self._folder.path} holds a run of another configuration ({'; '.join(changed)}): "
                "use its config.json's, or another --out."
            )
        if found.state.get("data", self._data) != self._data:  # old checkpoints do not say it
            raise TrainingError(f"{self._folder.path} holds a run of other faces: give their --data, or another --out.")
        try:
            self._trainer.load(found.state["trainer"])
            images, seconds = int(found.state["images"]), float(found.state["seconds"])
            self._tally = Tally(found.step, images, seconds, found.state.get("losses", {}))  # old checkpoints have none
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise TrainingError(f"The checkpoint of step {found.step} does not fit this training: {error}") from error
        self._first_step = self._saved_step = found.step
        if self._processes.first:
            self._folder.rewind(found.step)
        self._teller.note("resumed", f"goes on from step {found.step} of {self._config.steps}", step=found.step)

    def go(self, stop: Stop) -> Outcome:
        """Train until it is done, `stop` was told to, or time is nearly over. Raises TrainingError."""
        if self._processes.first:
            self._folder.write_config(self._config.model_dump(mode="json"))
        self._save()
        self._tally.mark()
        while self._tally.step < self._config.steps:
            if self._processes.any(self._must_end(stop), self._device):
                return self._leave(stop)
            self._do_step()
        self._save()
        self._finish()
        return Outcome.DONE

    def _must_end(self, stop: Stop) -> bool:
        if stop.signal is not None:
            return True
        moved = self._tally.step > self._first_step  # a part that does nothing would be continued for ever
        return moved and self._ends_at is not None and self._clock() + self._reserve.seconds >= self._ends_at

    def _do_step(self) -> None:
        began = time.perf_counter()
        losses = self._trainer.step()
        took = time.perf_counter() - began
        self._reserve.step_took(took)
        self._tally.add(self._config.batch * self._processes.size, took, losses)
        if wild := sorted(name for name, loss in losses.items() if not math.isfinite(loss)):
            raise TrainingError(
                f"It diverged at step {self._tally.step} ({', '.join(wild)} is no finite number): begin anew with a "
                "lower learning rate or another seed, under another --out.",
                code=1,
            )
        if self._tally.step % self._config.log_every == 0 or self._tally.step == self._config.steps:
            self._tell()
        now = self._clock()
        if now - self._saved_at >= 60 * self._config.checkpoint_minutes:
            self._save()
        if now - self._sampled_at >= 60 * self._config.sample_minutes:
            self._sample()

    def _tell(self) -> None:
        progress = self._tally.progress(self._config.steps)
        self._teller.progress(progress)
        if self._processes.first:
            self._folder.note({"at": self._clock(), **asdict(progress)})

    def _save(self) -> None:
        self._saved_at = self._clock()
        if self._saved_step == self._tally.step or not self._processes.first:
            return
        began = time.perf_counter()
        tally = self._tally
        counted = {"images": tally.images, "seconds": tally.seconds, "losses": tally.losses, "data": self._data}
        state, config = {"trainer": self._trainer.state(), **counted}, self._config.model_dump(mode="json")
        try:
            self._folder.checkpoints.save(self._tally.step, config, state)
            if self._light is not None:
                self._light.save(self._tally.step, config, {"trainer": lightened(state["trainer"]), **counted})
        except OSError as error:
            why = f"The checkpoint of step {self._tally.step} cannot be written ({error.strerror})"
            raise TrainingError(
                f"{why}; make room in {self._folder.path} and run it again to go on.", code=1
            ) from error
        self._saved_step = self._tally.step
        self._reserve.checkpoint_took(time.perf_counter() - began)
        if self._sends:
            self._reserve.sends(self._folder.checkpoints.size)
        self._teller.note("checkpoint", f"checkpoint of step {self._tally.step}", step=self._tally.step)

    def _sample(self) -> None:
        self._sampled_at = self._clock()
        if self._processes.first and isinstance(self._trainer, Samples):
            path = self._folder.write_samples(self._tally.step, self._trainer.samples())
            self._teller.note("samples", f"samples in {path}", path=str(path))

    def _leave(self, stop: Stop) -> Outcome:
        self._save()
        self._processes.any(False, self._device)  # a meeting: torchrun ends all others when one has ended with 75
        why = f"told to end ({stop.signal.name})" if stop.signal else "time is nearly over"
        step = self._tally.step
        self._teller.note(
            "ended", f"{why}: ends at step {step} of {self._config.steps}; run it again to go on", step=step
        )
        return Outcome.INTERRUPTED if stop.signal is signal.SIGINT else Outcome.CONTINUE

    def _finish(self) -> None:
        if not self._processes.first:
            return
        self._sample()
        self._trainer.finish(self._folder.weights)
        if isinstance(self._trainer, Described):
            (self._folder.weights / "MODEL_CARD.md").write_text(plain(self._trainer.card(self._facts())))
        where = str(self._folder.weights)
        self._teller.note("done", f"done; the weights are in {where}", weights=where, **asdict(self._facts()))

    def _facts(self) -> Facts:
        tally = self._tally
        name = torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else "CPU"
        return Facts(tally.step, tally.images, tally.seconds, name, self._processes.size, tally.losses)
