"""CIFAR-10 and CIFAR-100 in their binary form: a byte for each label, then a red, a green and a blue plane.

A. Krizhevsky, "Learning multiple layers of features from tiny images", University of Toronto, 2009; the form is
that of the page of the data set.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..arrays import convert_read_errors, make_data_error, open_file
from .records import LABEL, PIXELS, Records, pack_records


class CifarSet(NamedTuple):
    """One of the two data sets."""

    train: tuple[str, ...]
    """Names of the files with training pictures."""

    test: tuple[str, ...]
    classes: tuple[int, ...]
    """So many classes has each label of a record: of CIFAR-100 the coarse one, then the fine one."""


CIFAR = {
    "cifar-10": CifarSet(tuple(f"data_batch_{k}.bin" for k in range(1, 6)), ("test_batch.bin",), (10,)),
    "cifar-100": CifarSet(("train.bin",), ("test.bin",), (20, 100)),
}


def read_cifar_records(path: Path, classes: tuple[int, ...]) -> Records:
    """Return the pictures of one file; the last label is the second byte of a record.

    Raises
    ------
    DataError
        When the file is no whole number of records, or holds a label that no class has: the first one, by its byte.
    """
    size = len(classes) + PIXELS
    with open_file(path) as file, convert_read_errors(path, "a CIFAR file"):
        content = np.frombuffer(file.handle.read(), np.uint8)
    if not content.size or content.size % size:
        hint = f"records have {size} bytes here: give the official binary version, unpacked"
        raise make_data_error(f"{path} has {content.size} bytes, no whole number of pictures", hint)
    rows = content.reshape(-1, size)
    labels = rows[:, : len(classes)]
    if (labels >= classes).any():
        row, column = np.argwhere(labels >= classes)[0].tolist()
        words = f"{path}, byte {row * size + column}: the label {labels[row, column]}, and labels go up to "
        raise make_data_error(f"{words}{classes[column] - 1}", "give the official binary version, or copy it again")
    both = np.zeros((len(rows), LABEL), np.uint8)
    both[:, LABEL - len(classes) :] = labels
    return pack_records(both, rows[:, len(classes) :])
