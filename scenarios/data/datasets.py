"""The data of a task: the bundled images, IDX files, your own arrays, or samples that are made.

A source is first opened as a set of parts, `x`, `y` and perhaps `x_test`, `y_test`, of which only
the headers have been read. Everything that headers can tell is checked there, before any pixel is
loaded: a file that claims more than it should is refused without being unpacked.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arrays import LARGEST, DataError, LazyArray, compute_digest, make_data_error, find_path, describe_arrays, read_npz_headers, open_file, convert_read_errors, refuse_large
from .foreign import refuse_known_layout
from .generated import generate_arrays
from .images.augment import PictureRows
from .images.rows import LazyRows, OneHotRows, encode_one_hot
from .images.source import PictureSource, open_pictures
from ..schema.tasks import BundledTask, CifarTask, IdxTask, ImageNetTask, MoonsTask, Task, TeacherTask

_STEMS = {
    "x": "train-images-idx3-ubyte",
    "y": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
"""The arrays of a source, and the IDX files that hold them."""

_SOURCES = {"bundled": "task.name", "two-moons": "task.kind", "teacher": "task.kind"}
"""The key that chooses the source, where it is no path."""

_TRAIN, _TEST = ("x", "y"), {"x_test", "y_test"}
_BUNDLED = Path(__file__).parents[1] / "data"


Rows = NDArray[np.float64] | LazyRows


class Data(NamedTuple):
    """Inputs and targets of a task, in the order of the source; those of pictures are made when they are asked for."""

    x: Rows
    """Training inputs, shape (samples, inputs)."""
    y: Rows
    """Training targets, shape (samples, classes); one-hot when the source holds labels."""
    x_test: Rows
    """Test inputs, shape (test samples, inputs); no rows when the source has no test part."""
    y_test: Rows
    """Test targets, shape (test samples, classes)."""
    labels: NDArray[np.int64] | None
    """Class of every training sample, shape (samples,); None when the source holds targets."""
    sha256: str
    """Digest of the arrays of the source, whatever their compression."""
    note: str = ""
    """What has to be said of how the source was read, begun by a semicolon."""

    def present(self, ids: NDArray[np.int64], epoch: int, seed: int) -> NDArray[np.float64]:
        """Return training inputs (batch, inputs) as one epoch of a training shows them.

        Parameters
        ----------
        ids : int array (batch,)
            Which samples.
        epoch : int
            How often they have been shown before.
        seed : int
            Of the scenario.
        """
        return self.x.present(ids, epoch, seed) if isinstance(self.x, PictureRows) else self.x[ids]


class Outline(NamedTuple):
    """What the headers of a source tell."""

    samples: int
    inputs: int
    classes: int
    """Largest label + 1, or the width of the targets."""
    test_samples: int
    """0 when the source has no test part."""
    form: tuple[int, ...] = ()
    """Rows, columns and channels of samples that are images; they count in this order, the channels fastest."""


def load_task_data(task: Task, folder: Path, inputs: int, outputs: int | None) -> Data:
    """Load the data of a task.

    Pixels of bundled and IDX images are divided by 255. Your own arrays are converted to double
    precision and not scaled, whatever their type: 8-bit pixels stay 0 to 255.

    Parameters
    ----------
    task : Task
        The task of the scenario.
    folder : Path
        Folder that relative paths of the task start from.
    inputs : int
        Units of the input layer.
    outputs : int or None
        Units of the output layer when the targets are compared with them (cost `mse`); None when
        the number of classes is free (cost `cross-entropy`).

    Raises
    ------
    DataError
        When the source is missing, damaged, empty, too large, not finite, or does not fit.
    """
    with open_task_source(task, folder) as source:
        return load_source_data(source, inputs, outputs)


def read_outline(task: Task, folder: Path) -> Outline:
    """Return the size of a task's data from headers and labels, without loading the inputs.

    Task and folder are those of `load_task_data`.

    Raises
    ------
    DataError
        When the source is missing, damaged, empty or too large, as far as headers show it.
    """
    with open_task_source(task, folder) as source:
        return source.outline


class TaskSource(NamedTuple):
    """The data of a task, of which headers and labels have been read."""

    task: Task
    parts: dict[str, LazyArray]
    """Of pictures the labels alone."""
    outline: Outline
    pictures: PictureSource | None = None


@contextmanager
def open_task_source(task: Task, folder: Path) -> Iterator[TaskSource]:
    """Open the files of a task, each once; task, folder and errors are those of `describe`."""
    if isinstance(task, CifarTask | ImageNetTask):
        yield _make_picture_source(task, open_pictures(task, folder))
        return
    with ExitStack() as stack:
        parts = _open_task_files(task, folder, stack)
        yield TaskSource(task, parts, _check_headers(parts))


def load_source_data(source: TaskSource, inputs: int, outputs: int | None) -> Data:
    """Load the data of an open source; the numbers of units and the errors are those of `load_task_data`."""
    task, parts, outline = source[:3]
    _check_layer_sizes(outline, parts, _SOURCES.get(task.kind, "task.path"), inputs, outputs)
    width = outputs or outline.classes
    if source.pictures is not None:
        return _select_pictures(source.pictures, width)
    rows = max(part.shape[0] for part in parts.values())
    if rows * width * 8 > LARGEST:
        message = f"y has {rows} targets of {width} classes, above 8 GB"
        raise DataError(_SOURCES.get(task.kind, "task.path"), message, "number the classes 0, 1, 2, ...")
    raw = {name: part.read() for name, part in parts.items()}
    raw |= {name: array.reshape(len(array), -1) for name, array in raw.items() if array.ndim == 4}
    scale = 255.0 if isinstance(task, BundledTask | IdxTask) else 1.0
    arrays = {
        name: encode_one_hot(array, width) if array.ndim == 1 else _convert_to_double(array, parts[name].where, scale)
        for name, array in raw.items()
    }
    x_test, y_test = arrays.get("x_test", np.zeros((0, inputs))), arrays.get("y_test", np.zeros((0, width)))
    labels = raw["y"].astype(np.int64) if raw["y"].ndim == 1 else None
    return Data(arrays["x"], arrays["y"], x_test, y_test, labels, compute_digest(raw))


def _select_pictures(found: PictureSource, width: int) -> Data:
    y, y_test = OneHotRows(found.labels, width), OneHotRows(found.labels_test, width)
    return Data(found.x, y, found.x_test, y_test, found.labels, found.digest, found.note)


def _make_picture_source(task: CifarTask | ImageNetTask, found: PictureSource) -> TaskSource:
    y = LazyArray(f"the labels in {task.path}", found.labels.shape, found.labels.dtype, lambda: found.labels)
    outline = Outline(len(found.x), found.x.columns, found.classes, len(found.x_test), found.x.form)
    return TaskSource(task, {"y": y}, outline, found)


def _open_task_files(task: Task, folder: Path, stack: ExitStack) -> dict[str, LazyArray]:
    if isinstance(task, BundledTask):
        return read_npz_headers(stack.enter_context(open_file(_BUNDLED / f"{task.name}.npz")), _STEMS)
    if isinstance(task, MoonsTask | TeacherTask):
        return generate_arrays(task)
    path = folder / task.path
    return _read_idx_headers(path, stack) if isinstance(task, IdxTask) else _read_npz_task(path, stack)


def _read_npz_task(path: Path, stack: ExitStack) -> dict[str, LazyArray]:
    with convert_read_errors(path, "an npz file"):
        if path.is_dir():
            refuse_known_layout(path, f"{path} is a folder, not an npz file")
    file = stack.enter_context(open_file(path))
    parts = read_npz_headers(file, _STEMS)
    for name in _STEMS if parts.keys() & _TEST else _TRAIN:
        if name not in parts:
            hint = "save it as numpy.savez(path, x=..., y=...), and with x_test and y_test or neither"
            raise make_data_error(f"there is no array {name}; {path.name} holds {describe_arrays(file)}", hint)
    return parts


def _read_idx_headers(folder: Path, stack: ExitStack) -> dict[str, LazyArray]:
    with convert_read_errors(folder, "a folder of IDX files"):
        find_path(folder, folder=True)
        candidates = ((name, folder / f"{stem}{end}") for name, stem in _STEMS.items() for end in (".gz", ""))
        files = {name: path for name, path in candidates if path.is_file()}
        if not files:
            refuse_known_layout(folder, f"no {_STEMS['x']} in {folder}")
        for name in _STEMS if files.keys() & _TEST else _TRAIN:
            if name not in files:
                raise make_data_error(f"no {_STEMS[name]} in {folder}", f"copy it there, plain or as {_STEMS[name]}.gz")
        return {name: _read_idx_header(path, stack, images=name[0] == "x") for name, path in files.items()}


def _open_idx(path: Path, stack: ExitStack) -> BinaryIO | gzip.GzipFile:
    handle = stack.enter_context(open_file(path)).handle
    return stack.enter_context(gzip.open(handle)) if path.suffix == ".gz" else handle


def _read_idx_header(path: Path, stack: ExitStack, *, images: bool) -> LazyArray:
    magic, size = (2051, 16) if images else (2049, 8)
    with convert_read_errors(path, "an IDX file"):
        file = _open_idx(path, stack)
        header = file.read(size)
    if len(header) < size:
        raise make_data_error(f"{path} ends within its header of {size} bytes", "copy it again")
    first, samples, *sides = np.frombuffer(header, ">u4").tolist()
    if first != magic:
        raise make_data_error(f"{path} starts with {first}, not {magic}", "give the official IDX files")
    shape = (samples, math.prod(sides)) if sides else (samples,)
    return LazyArray(str(path), shape, np.dtype(np.uint8), partial(_read_idx_array, path, file, size, shape))


def _read_idx_array(path: Path, file: BinaryIO | gzip.GzipFile, header: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    size = math.prod(shape)
    with convert_read_errors(path, "an IDX file"):
        file.seek(header)
        body = file.read(size + 1)
    if len(body) != size:
        held = "more" if len(body) > size else f"{len(body)}"
        raise make_data_error(f"{path} promises {size} bytes and holds {held}", "copy it again")
    return np.frombuffer(body, np.uint8).reshape(shape)


def _check_headers(parts: Mapping[str, LazyArray]) -> Outline:
    """Check what headers and labels can tell; return the outline."""
    for name, part in parts.items():
        _check_header(name, part)
    for x, y in (("x", "y"), ("x_test", "y_test")):
        if x in parts and parts[x].shape[0] != parts[y].shape[0]:
            raise make_data_error(f"{x} and {y} differ in samples: {parts[x].shape[0]} and {parts[y].shape[0]}", "give as many")
    for train, test in (("x", "x_test"), ("y", "y_test")):
        if test in parts and parts[test].shape[1:] != parts[train].shape[1:]:
            shapes = f"{parts[train].shape} and {parts[test].shape}"
            raise make_data_error(f"{train} and {test} have the shapes {shapes}", "only the samples may differ in number")
    labels = [part for name, part in parts.items() if name[0] == "y" and len(part.shape) == 1]
    classes = max(_count_label_classes(part) for part in labels) if labels else parts["y"].shape[1]
    tests = parts["x_test"].shape[0] if "x_test" in parts else 0
    samples, *sides = parts["x"].shape
    return Outline(samples, math.prod(sides), classes, tests, tuple(sides) if len(sides) == 3 else ())


def _check_header(name: str, part: LazyArray) -> None:
    labels = name[0] == "y" and len(part.shape) == 1
    if part.dtype.kind not in ("iu" if labels else "biuf"):
        hint = "labels are integers: y.astype(int), if they are whole" if labels else "give real numbers"
        raise make_data_error(f"{part.where} has the type {part.dtype}", hint)
    images = name[0] == "x" and len(part.shape) == 4
    if len(part.shape) != 2 and not labels and not images:
        inputs = "one row per sample, as in x.reshape(len(x), -1), or images (samples, rows, columns, channels)"
        hint = inputs if name[0] == "x" else "(samples, classes), or labels"
        raise make_data_error(f"{part.where} has the shape {part.shape}", hint)
    if min(part.shape) < 1:
        raise make_data_error(f"{part.where} is empty, shape {part.shape}", "give at least one sample and one column")
    refuse_large(part)


def _count_label_classes(part: LazyArray) -> int:
    labels = part.read()
    if labels.min() < 0:
        raise make_data_error(f"{part.where} has the label {labels.min()}", "labels count from 0")
    return int(labels.max()) + 1


def _check_layer_sizes(outline: Outline, parts: Mapping[str, LazyArray], field: str, inputs: int, outputs: int | None) -> None:
    labels = len(parts["y"].shape) == 1
    if outline.inputs != inputs:
        message = f"x has {outline.inputs} columns, the input layer {inputs} units"
        raise DataError(field, message, f"set the first of network.layers to {outline.inputs}")
    if not labels and outline.classes == 1 and outputs != 1 and parts["y"].dtype.kind in "iu":
        raise DataError(field, f"y is a column of shape {parts['y'].shape}", "labels stand in a row: y.reshape(-1)")
    if outputs is None and outline.classes < 2:
        message = "y has 1 class" + (", every label is 0" if labels else "")
        raise DataError(field, message, "cross-entropy needs at least 2; take cost mse for a single target")
    if outputs is not None and (outline.classes > outputs if labels else outline.classes != outputs):
        raise DataError(field, *_describe_width_fault(parts["y"], outline, outputs))


def _describe_width_fault(y: LazyArray, outline: Outline, outputs: int) -> tuple[str, str]:
    """Return why targets do not fit the output layer, and what to try."""
    if len(y.shape) == 1:
        found = np.unique(y.read())
        if found[0] == 1 and found[-1] == outputs:
            return f"labels go from 1 to {outputs}, and labels count from 0", "subtract 1 from the labels"
        if len(found) <= outputs:
            words = f"labels go up to {found[-1]}, the output layer has {outputs} units"
            return words, f"number the {len(found)} classes 0, 1, 2, ... without gaps"
    words = f"y has {outline.classes} classes, the output layer {outputs} units"
    return words, f"set the last of network.layers to {outline.classes}"


def _convert_to_double(array: NDArray[Any], where: str, scale: float) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        double: NDArray[np.float64] = np.divide(array, scale, dtype=np.float64, casting="same_kind")
    if array.dtype.kind == "f" and not np.isfinite(double).all():
        row, column = np.argwhere(~np.isfinite(double))[0].tolist()
        raise make_data_error(f"{where} holds {double[row, column]} at [{row}, {column}]", "give finite numbers")
    return double
