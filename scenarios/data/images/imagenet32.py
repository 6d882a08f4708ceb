"""ImageNet at 32 x 32 pixels, in the form it is published in: pickles of arrays, or npz files of the same.

P. Chrabaszcz, I. Loshchilov, F. Hutter, "A downsampled variant of ImageNet as an alternative to the CIFAR datasets",
arXiv:1707.08819, 2017. The order of the classes is that of these files, not that of ILSVRC.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import make_data_error, open_file, read_npz_headers, refuse_large
from .arrays_only import read_pickled_arrays
from .records import PIXELS, Records, pack_records

CLASSES = 1000
TRAIN, TEST = tuple(f"train_data_batch_{k}" for k in range(1, 11)), ("val_data",)
"""Names of the files, to which npz files add their ending."""

_HINT = "give the published files of 32 x 32 pixels, downloaded again"


def read_imagenet_records(path: Path) -> Records:
    """Return the pictures of one file; labels, 1 to 1000 there, count from 0.

    Raises
    ------
    DataError
        When the file is damaged, holds more than plain arrays, or other arrays.
    """
    held = _read_npz(path) if path.suffix == ".npz" else read_pickled_arrays(path)
    if not isinstance(held, dict) or not {"data", "labels"} <= held.keys():
        raise make_data_error(f"{path} holds no `data` with `labels`", _HINT)
    data, labels = held["data"], held["labels"]
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape != (len(data), PIXELS) or not len(data):
        raise make_data_error(f"{path}: `data` is no array of bytes (pictures, {PIXELS})", _HINT)
    return pack_records(_check_labels(path, labels, len(data)), data)


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    with open_file(path) as file:
        parts = read_npz_headers(file, ("data", "labels"))
        for part in parts.values():
            refuse_large(part)
        return {name: part.read() for name, part in parts.items()}


def _check_labels(path: Path, labels: Any, pictures: int) -> NDArray[np.uint8]:
    """Return the two bytes of every label, counted from 0."""
    whole = isinstance(labels, np.ndarray) and labels.ndim == 1 and labels.dtype.kind in "iu"
    if not (whole or (isinstance(labels, list) and set(map(type, labels)) == {int})) or len(labels) != pictures:
        raise make_data_error(f"{path}: `labels` are no {pictures} whole numbers", _HINT)
    wrong = next((k for k, label in enumerate(labels) if not 1 <= label <= CLASSES), None)
    if wrong is not None:
        raise make_data_error(f"{path}: label {wrong} is {labels[wrong]}, and labels go from 1 to {CLASSES}", _HINT)
    return (np.asarray(labels).astype(">u2") - 1).astype(">u2").view(np.uint8).reshape(-1, 2)
