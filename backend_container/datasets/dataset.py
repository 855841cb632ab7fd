"""A lazy pipeline from photos to faces (thesis, section 3.1, Listings 1 and 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from backend_container.datasets.face import Broken, Dropped, Face
from backend_container.datasets.labels import read_table
from backend_container.datasets.report import Report
from backend_container.datasets.shard_index import DatasetError
from backend_container.datasets.sources import Source, open_source, references_of
from backend_container.datasets.step import Kind, Rest, Step, labelled, parted, prepared
from ligan.output import plain


@dataclass(frozen=True, eq=False)
class Dataset:
    """Sources and steps; nothing is read before it is iterated over or created. Each method makes a new one.

        Dataset.load("photos").filter(size_filter, min_size=256).apply(extract_face).create("faces", size=256)

    Iterating holds as many faces as the largest window has; files that cannot be read are passed over.
    """

    sources: tuple[Source, ...]
    steps: tuple[Step, ...] = ()

    @classmethod
    def load(cls, *sources: Path | str | Iterable[Path | str], labels: Sequence[Path | str] = ()) -> Dataset:
        """Folders (all levels), tar archives, data sets and single images; `labels` as `labels.read_table` takes them.

        Raises DatasetError when a source is not there, or labels cannot be read.
        """
        tables = [read_table(Path(path)) for path in labels]
        return cls(tuple(open_source(path, tables) for path in _flat(sources)))

    def filter(self, function: Callable[..., bool], **parameters: Any) -> Dataset:  # noqa: ANN401
        """Keep the faces of which `function(face, **parameters)` is true."""
        return self._then(Step(Kind.FILTER, function, parameters))

    def apply(self, function: Callable[..., Face | None], **parameters: Any) -> Dataset:  # noqa: ANN401
        """Go on with `function(face, **parameters)`; where it is None, the face is not kept."""
        return self._then(Step(Kind.APPLY, function, parameters))

    def filter_window(self, function: Callable[..., bool], window_size: int = 2, **parameters: Any) -> Dataset:  # noqa: ANN401
        """Keep a face if `function(*faces, **parameters)` is true of it and the up to window_size - 1 before it.

        Faces that the filter did not keep are looked back at too: they follow each other as they reach it. The first
        has none before it and is kept.
        """
        if window_size < 2:
            raise DatasetError(f"A window holds 2 images at least, not {window_size}.")
        return self._then(Step(Kind.WINDOW, function, parameters, window_size))

    def __iter__(self) -> Iterator[Face]:
        return (outcome for outcome in self.outcomes() if isinstance(outcome, Face))

    def outcomes(self) -> Iterator[Face | Dropped | Broken]:
        """What becomes of each image, in order, one after the other."""
        each, after = parted(self.steps)
        rest = Rest(after)
        for position, reference in enumerate(references_of(self.sources)):
            outcome = prepared(reference, each)
            yield rest.take(position, outcome) if isinstance(outcome, Face) else outcome

    @overload
    def create(self) -> Iterator[Face]: ...

    @overload
    def create(
        self,
        out: Path | str,
        *,
        size: int = 256,
        workers: int = 0,
        on_progress: Callable[[int, int, int], None] | None = None,
    ) -> Report: ...

    def create(
        self,
        out: Path | str | None = None,
        *,
        size: int = 256,
        workers: int = 0,
        on_progress: Callable[[int, int, int], None] | None = None,
    ) -> Report | Iterator[Face]:
        """Build shards of `size` pixels in the folder `out`; goes on where a build of the same was stopped.

        Without a folder it gives an iterator over the faces, as the listing's. `workers` processes, if any, take the
        steps before the first window, and so have to be able to import their functions; a script that asks for some
        calls this below `if __name__ == "__main__":`.
        `on_progress(done, total, kept)` is told about images. Raises DatasetError.
        """
        from backend_container.datasets.build import build

        if out is None:
            return iter(self)
        return build(self, Path(out), size, workers, on_progress or _silent)

    def describe(self) -> Mapping[str, Any]:
        """Sources and steps as JSON."""
        return {
            "sources": [plain(source.path.name) for source in self.sources],
            "steps": [step.describe() for step in self.steps],
        }

    def _then(self, step: Step) -> Dataset:
        return Dataset(self.sources, labelled((*self.steps, step)))


def _flat(sources: Iterable[Path | str | Iterable[Path | str]]) -> Iterator[Path]:
    for source in sources:
        if isinstance(source, str | Path):
            yield Path(source)
        else:
            yield from map(Path, source)


def _silent(_done: int, _total: int, _kept: int) -> None:
    pass
