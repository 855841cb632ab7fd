"""Labels of images, by file name, in the layouts of published data sets. Pure but for reading the file."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend_container.datasets.shard_index import POINT_COUNT, DatasetError

UTKFACE = "utkface"
"""The word that stands for labels in the file names themselves."""
_UTKFACE_NAME = re.compile(r"(?P<age>\d{1,3})_(?P<gender>[01])_(?P<race>[0-4])_\d+", re.ASCII)
GENDERS = ("male", "female")
RACES = ("white", "black", "asian", "indian", "other")
"""UTKFace's codes: Zhang, Song and Qi, "Age Progression/Regression by Conditional Adversarial Autoencoder", 2017."""
PARTITION = "partition"
PARTS = ("train", "valid", "test")
"""What 0, 1 and 2 are in CelebA's list_eval_partition.txt."""
_NAME_COLUMNS = ("file", "image_id", "image", "name")
"""Columns that hold the file name: of FairFace, of CelebA as CSV, of others."""

Labels = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Entry:
    """What a table knows of one image."""

    labels: Labels
    points: NDArray[np.float32] | None = None


NOTHING = Entry({})


@dataclass(frozen=True)
class LabelTable:
    """Answers what is known of an image of that name."""

    find: Callable[[str], Entry]


def read_table(path: Path) -> LabelTable:
    """A file of labels: JSON, CelebA's attribute list or partition (.txt), or CSV (FairFace's, CelebA's).

    `utkface` reads the names.
    Raises DatasetError when it cannot be read; the sentence says where.
    """
    if str(path) == UTKFACE:
        return LabelTable(lambda name: Entry(utkface_labels(name)))
    text = _text(path)
    parse = {".json": _of_json, ".csv": _of_csv}.get(path.suffix.lower(), _of_celeba)
    return _table(parse(path, text))


def read_points(labels: Path, points: Path) -> LabelTable:
    """A JSON list of labels with landmarks: row i of the array `p`, shape (n, 468, 2), belongs to its ith file.

    Raises DatasetError when they cannot be read, or do not belong together.
    """
    rows = _of_json(labels, _text(labels))
    array = _array(points)
    if array.shape != (len(rows), POINT_COUNT, 2) or not np.isfinite(array).all():
        raise DatasetError(
            f"{points} does not belong to {labels}: {len(rows)} files need landmarks of the shape "
            f"({len(rows)}, {POINT_COUNT}, 2), and these are {array.shape}."
        )
    return _table(rows, array)


def utkface_labels(name: str) -> Labels:
    """Age in years, gender and race out of `AGE_GENDER_RACE_DATE.jpg`; nothing when the name lacks one of them."""
    match = _UTKFACE_NAME.match(PurePosixPath(name).name)
    if match is None:
        return {}
    return {"age": int(match["age"]), "gender": GENDERS[int(match["gender"])], "race": RACES[int(match["race"])]}


def _table(rows: Iterable[tuple[str, Labels]], points: NDArray[np.float32] | None = None) -> LabelTable:
    entries = {
        name: Entry(labels, None if points is None else points[index]) for index, (name, labels) in enumerate(rows)
    }

    def find(name: str) -> Entry:
        return entries.get(name) or entries.get(PurePosixPath(name).name, NOTHING)

    return LabelTable(find)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DatasetError(f"The labels {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"The labels {path} are not text (UTF-8).") from error


def _array(path: Path) -> NDArray[np.float32]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return np.asarray(arrays["p"], np.float32)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DatasetError(f"{path} holds no array `p` of landmarks ({error}).") from error


def _of_json(path: Path, text: str) -> list[tuple[str, Labels]]:
    """A mapping of names to labels, or a list of labels each of which names its `file`."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"The labels {path} are not JSON: {error}.") from error
    rows = list(read.items()) if isinstance(read, dict) else [_named(path, row) for row in _list(path, read)]
    wrong = next((name for name, labels in rows if not isinstance(labels, dict)), None)
    if wrong is not None:
        raise DatasetError(f'{path}: the labels of {wrong!r} are not an object such as {{"age": 30}}.')
    return rows


def _list(path: Path, read: object) -> Sequence[object]:
    if not isinstance(read, list):
        raise DatasetError(f'{path} holds neither {{"NAME": {{...}}}} nor a list of objects with a "file".')
    return read


def _named(path: Path, row: object) -> tuple[str, Labels]:
    if not isinstance(row, dict) or not isinstance(row.get("file"), str):
        raise DatasetError(f'{path}: each entry of the list needs the name of its image: {{"file": "1.png", ...}}.')
    return row["file"], {key: value for key, value in row.items() if key != "file"}


def _of_celeba(path: Path, text: str) -> list[tuple[str, Labels]]:
    """`list_attr_celeba.txt`: maybe a count, a line of attributes, then lines of a name and 1 or -1 for each; or
    `list_eval_partition.txt`.
    """
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if lines and all(len(line) == 2 and line[1] in ("0", "1", "2") for line in lines):
        return [(name, {PARTITION: PARTS[int(part)]}) for name, part in lines]
    first = 1 if lines and len(lines[0]) == 1 and lines[0][0].isdecimal() else 0
    if len(lines) <= first:
        raise DatasetError(f"{path} is empty. CelebA's list has a line of attributes and a line for each image.")
    attributes = lines[first]
    rows: list[tuple[str, Labels]] = []
    for number, (name, *values) in enumerate(lines[first + 1 :], first + 2):
        if len(values) != len(attributes) or not set(values) <= {"1", "-1"}:
            raise DatasetError(
                f"{path}, line {number}: a name and {len(attributes)} times 1 or -1 were expected. Labels may be JSON "
                "(.json), a table (.csv) or CelebA's list."
            )
        rows.append((name, {key: value == "1" for key, value in zip(attributes, values, strict=True)}))
    return rows


def _of_csv(path: Path, text: str) -> list[tuple[str, Labels]]:
    rows = list(csv.DictReader(io.StringIO(text)))
    columns = list(rows[0]) if rows else []
    key = next((column for column in _NAME_COLUMNS if column in columns), None)
    if key is None:
        raise DatasetError(f"{path} has no column for the file name: {', '.join(_NAME_COLUMNS)}.")
    short = next((number for number, row in enumerate(rows, 2) if None in row or None in row.values()), None)
    if short is not None:
        raise DatasetError(f"{path}, line {short}: there are not {len(columns)} values.")
    flags = {column for column in columns if {row[column] for row in rows} <= {"1", "-1"}}
    return [(row[key], _values(row, key, flags)) for row in rows]


def _values(row: Mapping[str, str], key: str, flags: set[str]) -> Labels:
    """Columns of nothing but 1 and -1, CelebA's, are yes and no."""
    return {column: value == "1" if column in flags else value for column, value in row.items() if column != key}
