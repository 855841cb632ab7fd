"""What images a source holds: a folder, a tar archive (read in place, nothing is unpacked) or a data set."""

from __future__ import annotations

import json
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backend_container.datasets.labels import NOTHING, Entry, LabelTable, read_points, read_table
from backend_container.datasets.reference import Reference, opened
from backend_container.datasets.shard_index import INDEX, DatasetError
from ligan.output import plain

_SUFFIXES = """jpg jpeg jpe jfif png apng webp tif tiff bmp dib gif ppm pgm pbm pnm jp2 j2k jpx avif heic heif"""
SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split())
"""Other files of a folder or an archive are not images; they are passed over."""
POINTS_SUFFIX = "_mesh468.npz"


@dataclass(frozen=True)
class Source:
    """A place that images come from."""

    path: Path
    tables: tuple[LabelTable, ...] = ()

    def references(self) -> Iterator[Reference]:
        """Its images in an order that is always the same. Raises DatasetError when it cannot be listed."""
        for reference in _listed(self.path):
            yield _labelled(reference, [self.known(table, reference.name) for table in self.tables])

    def known(self, table: LabelTable, name: str) -> Entry:
        """What a table knows of an image; it may name it below this folder, as FairFace's does `train/1.jpg`."""
        found = table.find(name)
        return table.find(f"{self.path.name.removesuffix('.tar')}/{name}") if found is NOTHING else found


def open_source(path: Path, tables: Sequence[LabelTable] = ()) -> Source:
    """A source with the labels given, then those beside it: NAME.json and NAME_mesh468.npz.

    Raises DatasetError when there is nothing at `path`, or labels that cannot be read.
    """
    if not path.exists():
        raise DatasetError(f"There is no {path}. Name a folder of images, a tar archive or a data set.")
    path = path.resolve()
    return Source(path, (*tables, *_beside(path)))


def references_of(sources: Iterable[Source]) -> Iterator[Reference]:
    """The images of all sources, one source after the other."""
    for source in sources:
        yield from source.references()


def check_sources(sources: Sequence[Source], labels: Sequence[Path]) -> None:
    """Raise DatasetError where there is no image, or a file of labels is of other images."""
    _, first = next(_images(sources), (None, None))
    if first is None:
        raise DatasetError(f"There is no image in {', '.join(str(source.path) for source in sources)}.")
    for number, path in enumerate(labels):  # a source's first tables are these
        if not any(source.known(source.tables[number], name).labels for source, name in _images(sources)):
            raise DatasetError(
                f"{path} says nothing of any image: they are called {first} and the like. Give labels that name them "
                "so, or leave --labels out."
            )


def _images(sources: Sequence[Source]) -> Iterator[tuple[Source, str]]:
    """Sources and names, one by one: the first ones tell most of the time, and a source may be long."""
    return ((source, found.name) for source in sources for found in source.references())


def _beside(path: Path) -> Iterator[LabelTable]:
    stem = path.parent / (path.name.removesuffix(".tar") if path.is_file() else path.name)
    labels, points = stem.with_name(stem.name + ".json"), stem.with_name(stem.name + POINTS_SUFFIX)
    if labels.is_file():
        yield read_points(labels, points) if points.is_file() else read_table(labels)


def _labelled(reference: Reference, found: Sequence[Entry]) -> Reference:
    labels = {key: value for entry in reversed(found) for key, value in entry.labels.items()}
    points = next((entry.points for entry in found if entry.points is not None), None)
    return replace(reference, labels={**reference.labels, **labels}, points=points)


def _listed(path: Path) -> Iterator[Reference]:
    if path.is_dir():
        return _of_shards(path) if (path / INDEX).is_file() else _of_folder(path)
    if not path.is_file():
        raise DatasetError(f"{path} is neither a folder nor a file.")
    return _of_archive(path) if _is_tar(path) else iter([Reference(path.name, path, size=path.stat().st_size)])


def _is_tar(path: Path) -> bool:
    try:
        if tarfile.is_tarfile(path):
            return True
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error
    if path.suffix.lower() not in SUFFIXES:
        raise DatasetError(f"{path} is neither a folder, nor an image, nor a tar archive, or it is damaged.")
    return False


def _of_folder(folder: Path) -> Iterator[Reference]:
    unread: list[OSError] = []
    for directory, folders, files in os.walk(folder, onerror=unread.append):
        folders.sort()  # os.walk goes on in this order
        for file in sorted(files):
            path = Path(directory, file)
            if path.suffix.lower() in SUFFIXES:
                yield from _in_folder(_printable(path.relative_to(folder).as_posix()), path)
    for error in unread:
        yield _unread(folder, error)


def _in_folder(name: str, path: Path) -> Iterator[Reference]:
    """The image at `path`; none where that is a pipe or the like."""
    try:
        found = path.stat()
    except OSError as error:  # a link that leads nowhere, for one
        yield Reference(name, path, broken=f"It cannot be read: {error.strerror}.")
        return
    if stat.S_ISREG(found.st_mode):
        yield Reference(name, path, size=found.st_size)


def _unread(folder: Path, error: OSError) -> Reference:
    path = Path(error.filename)
    if path == folder:
        raise DatasetError(f"{folder} cannot be read: {error.strerror}.") from error
    name = _printable(path.relative_to(folder).as_posix())
    return Reference(name, path, broken=f"It cannot be read: {error.strerror}. What is in it is lost.")


def _of_archive(path: Path) -> Iterator[Reference]:
    """Its images; of an archive that is cut off those before the cut, then one that says so."""
    reached = -1
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if member.offset_data <= reached:
                    raise tarfile.ReadError("a header points backwards")
                reached = member.offset_data
                if member.isfile() and Path(member.name).suffix.lower() in SUFFIXES:
                    yield _member(path, member)
            _check_end(path, archive.offset)
    except (tarfile.TarError, OSError) as error:
        if reached < 0:
            raise DatasetError(f"{path} cannot be read ({error}). If it is compressed, run gunzip or unxz.") from error
        yield Reference(path.name, path, broken=f"The archive is damaged or cut off ({error}): what follows is lost.")


def _check_end(path: Path, offset: int) -> None:
    """tarfile takes a damaged header, behind the first, for the end; there the archive has a block of zeros, POSIX."""
    with path.open("rb") as file:
        file.seek(offset)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("no end where its last file ends")


def _member(path: Path, member: tarfile.TarInfo) -> Reference:
    broken = "It is a sparse file." if member.issparse() else ""
    name = _printable(member.name.removeprefix("./"))
    return Reference(name, path, offset=member.offset_data, size=member.size, broken=broken)


def _of_shards(folder: Path) -> Iterator[Reference]:
    shards = opened(folder)
    for index, (name, labels) in enumerate(zip(shards.names, shards.labels, strict=True)):
        yield Reference(name, folder, offset=index, labels=labels)


def _printable(name: str) -> str:
    """A name that JSON, HTML and a terminal can show; it is never used as a path."""
    text = plain(name)
    return text if text.isprintable() else json.dumps(text)[1:-1]
