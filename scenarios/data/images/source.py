"""The pictures of a task: which files hold them, and what they are to a network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...schema.tasks import CifarTask, ImageNetTask
from ..arrays import DataError, compute_digest, convert_read_errors, find_path, make_data_error
from ..foreign import refuse_known_layout
from .augment import PictureRows
from .cache import KeptRecords, keep_records
from .cifar import CIFAR, read_cifar_records
from .imagenet32 import CLASSES, TEST, TRAIN, read_imagenet_records
from .records import LABEL, Records

PictureTask = CifarTask | ImageNetTask


class _Files(NamedTuple):
    """What a data set is read from."""

    name: str
    train: Sequence[str]
    test: Sequence[str]
    endings: Sequence[str]
    read: Callable[[Path], Records]
    classes: int


class PictureSource(NamedTuple):
    """The pictures of a task."""

    x: PictureRows
    x_test: PictureRows
    labels: NDArray[np.int64]
    """Class of every training picture, (samples,)."""

    labels_test: NDArray[np.int64]
    classes: int
    """Classes of the data set, whether or not each has a picture."""

    digest: str
    """Of all pictures and labels of the data set, whatever their files."""

    note: str
    """Why pictures are in memory; empty if they are not."""


def open_pictures(task: PictureTask, folder: Path) -> PictureSource:
    """Return the pictures of a task; they are read from the cache, or put there first.

    Parameters
    ----------
    task : CifarTask or ImageNetTask
    folder : Path
        Folder that the path of the task starts from.

    Raises
    ------
    DataError
        When a file is missing or damaged, or has fewer pictures than are asked for.
    """
    files, path = _choose_files(task), folder / task.path
    train = keep_records(f"{files.name}-train", _find_files(path, files, files.train), files.read)
    test = keep_records(f"{files.name}-test", _find_files(path, files, files.test), files.read)
    mean, spread = _compute_statistics(train, path)
    look: dict[str, Any] = {"mean": mean, "spread": task.std_factor * spread, "shrink": task.shrink}
    seen = _take(train, task.samples, "samples")
    tested = _take(test, task.test_samples, "test_samples")
    note = f"; in memory, for want of a cache: {train.trouble or test.trouble}" if train.trouble or test.trouble else ""
    return PictureSource(
        PictureRows(seen, **look, flip=task.flip, crop=task.crop),
        PictureRows(tested, **look),
        _get_labels(seen, task),
        _get_labels(tested, task),
        files.classes,
        compute_digest({"training": np.frombuffer(train.digest, "u1"), "test": np.frombuffer(test.digest, "u1")}),
        note,
    )


def _choose_files(task: PictureTask) -> _Files:
    if isinstance(task, ImageNetTask):
        return _Files("imagenet32", TRAIN, TEST, ("", ".npz"), read_imagenet_records, CLASSES)
    found = CIFAR[task.name]
    read = partial(read_cifar_records, classes=found.classes)
    return _Files(task.name, found.train, found.test, ("",), read, found.classes[0 if task.labels == "coarse" else -1])


def _find_files(folder: Path, files: _Files, names: Sequence[str]) -> list[Path]:
    with convert_read_errors(folder, f"a folder of {files.name}"):
        find_path(folder, folder=True)
        found = {name: _find_file(folder, name, files.endings) for name in names}
        if not any(found.values()):
            refuse_known_layout(folder, f"no {names[0]} in {folder}")
    for name, path in found.items():
        if path is None:
            raise make_data_error(f"no {name} in {folder}", f"{files.name} is the files {', '.join(names)}")
    return [path for path in found.values() if path]


def _find_file(folder: Path, name: str, endings: Sequence[str]) -> Path | None:
    return next((path for end in endings if (path := folder / f"{name}{end}").is_file()), None)


def _take(kept: KeptRecords, count: int | None, key: str) -> Records:
    if count is not None and count > len(kept.records):
        words = f"{count} pictures are asked for, and the files have {len(kept.records)}"
        raise DataError(f"task.{key}", words, "leave the key out to take all")
    return kept.records[:count]


def _get_labels(records: Records, task: PictureTask) -> NDArray[np.int64]:
    """Return the class of every record: of the two bytes, CIFAR uses one, ImageNet the number that both make."""
    both = records[:, :LABEL].astype(np.int64)
    if isinstance(task, ImageNetTask):
        return both @ (256, 1)
    return both[:, 0 if task.labels == "coarse" else 1]


def _compute_statistics(kept: KeptRecords, path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of the pixels of each colour, (3,), out of exact sums."""
    columns = kept.sums.T.tolist()
    mean = np.array([total / count for count, total, _ in columns])
    spread = np.array([math.sqrt(count * squares - total**2) / count for count, total, squares in columns])
    if not spread.all():
        colour = ("red", "green", "blue")[int(np.argmin(spread))]
        raise make_data_error(f"all {colour} pixels in {path} are the same", "give pictures: these cannot be scaled")
    return mean, spread
