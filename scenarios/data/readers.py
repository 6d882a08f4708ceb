"""What reads the files that a scenario names, one reader for every key; nothing here knows a chip."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from substrate.network.wiring import list_forms

from .arrays import DataError, FileContent, compute_digest, make_data_error, find_path, detect_file_type, read_npz_headers, open_file, refuse_large
from .datasets import Data, Outline, load_source_data, open_task_source
from ..language.load import LoadedScenario
from .calibration import PLACE as CALIBRATION
from .calibration import read_calibration
from .measured_cells import PLACE as CELLS
from .measured_cells import read_cell_constants
from .measured_converters import PLACES as CONVERTERS
from .measured_converters import read_converter_levels
from .measured_curve import PLACE as CURVE
from .measured_curve import read_transfer_curve
from .measured_weights import PLACES as WEIGHTS
from .measured_weights import read_measured_weights
from ..language.named_files import FileKey, find_named_files
from .shelf import Shelf, make_stamp

Array = NDArray[np.float64]

DATA, PARAMETERS = ("task", "path"), ("network", "parameters")


def read_task_data(loaded: LoadedScenario, shelf: Shelf) -> Data:
    """Return the data of the task, from files or not.

    Raises
    ------
    DataError
        If they cannot be read or do not fit; its field is a key of ``[task]``, or the input layer.
    """
    return shelf.get(_make_data_key(loaded), lambda: _load_network_data(loaded))


def _load_network_data(loaded: LoadedScenario) -> Data:
    network, task = loaded.scenario.network, loaded.scenario.task
    (first, form), *_, (_, last) = list_forms(network.layers).items()
    inputs = math.prod(form)
    with open_task_source(task, loaded.folder(*DATA)) as source:
        if fault := _describe_input_fault(first, form, source.outline):
            raise DataError(f"network.layers.{first}", *fault)
        return load_source_data(source, inputs, math.prod(last) if network.cost == "mse" else None)


def _describe_input_fault(name: str, form: tuple[int, ...], outline: Outline) -> tuple[str, str] | None:
    """Return why the samples do not fit the input layer, and what to try; None where they do."""
    inputs, units, images = outline.inputs, math.prod(form), list(outline.form)
    if images and len(form) > 1 and list(form) != images:
        return f"{list(form)}, but the samples of the task are {images}", f"write {name} = {images}"
    if inputs == units:
        return None
    hint = f"write {name} = {images or inputs}"
    if len(form) > 1:
        hint = f"give rows, columns and channels that make {inputs}"
    return f"{units} units, but the samples of the task have {inputs} inputs", hint


def read_parameters(loaded: LoadedScenario, shelf: Shelf) -> FileContent:
    """Return the blocks to programme.

    Raises
    ------
    DataError
        If they cannot be read.
    """
    path = find_named_files(loaded)[PARAMETERS]
    blocks = shelf.get(("blocks", make_stamp(path)), lambda: _read_parameter_blocks(path))
    sizes = [float(np.abs(block).max(initial=0.0)) for name, block in blocks.items() if name.startswith("weight/")]
    largest = max(sizes, default=0.0)
    words = f"{len(blocks)} blocks in units of the weight, weights up to {largest:.3g}"
    return FileContent(blocks, words, compute_digest(blocks))


def _make_data_key(loaded: LoadedScenario) -> Hashable:
    """Return what the data of a task depend on: what is said of them, the files, and the layers that they fit."""
    network, path = loaded.scenario.network, find_named_files(loaded).get(DATA)
    ends = [*network.layers.items()][:1], [*network.layers.values()][-1] if network.cost == "mse" else None
    return loaded.scenario.task.model_dump_json(), make_stamp(path) if path else None, str(ends)


def _read_task_content(loaded: LoadedScenario, shelf: Shelf) -> FileContent:
    data = read_task_data(loaded, shelf)
    outline = Outline(len(data.x), data.x.shape[1], data.y.shape[1], len(data.x_test))
    return FileContent(data, _describe_outline(outline) + data.note, data.sha256)


READERS: dict[FileKey, Callable[[LoadedScenario, Shelf], FileContent]] = {
    DATA: _read_task_content,
    PARAMETERS: read_parameters,
    CURVE: lambda loaded, _: read_transfer_curve(loaded),
    CALIBRATION: lambda loaded, _: read_calibration(loaded),
    CELLS: lambda loaded, _: read_cell_constants(loaded),
    WEIGHTS["weights"]: lambda loaded, _: read_measured_weights(loaded, "weights"),
    WEIGHTS["feedback"]: lambda loaded, _: read_measured_weights(loaded, "feedback"),
    CONVERTERS["readout"]: lambda loaded, _: read_converter_levels(loaded, "readout"),
    CONVERTERS["nudge"]: lambda loaded, _: read_converter_levels(loaded, "nudge"),
}
"""What reads the file of each key; every key of `named_files.FILE_KEYS` has its own."""


def _describe_outline(outline: Outline) -> str:
    test = f" and {outline.test_samples}" if outline.test_samples else " and no"
    width = f"{outline.inputs} inputs, {outline.classes} classes or outputs"
    return f"{outline.samples} training{test} test samples of {width}"


def _read_parameter_blocks(path: Path) -> dict[str, Array]:
    if path.suffix in (".h5", ".hdf5"):
        return _read_trained_blocks(find_path(path))
    blocks = {}
    with open_file(path) as file:
        if detect_file_type(file) == "an HDF5 file":
            return _read_trained_blocks(path)
        for name, part in read_npz_headers(file).items():
            if part.dtype.kind not in "iuf":
                raise make_data_error(f"{part.where} has the type {part.dtype}", "give real numbers")
            refuse_large(part)
            blocks[name] = np.asarray(part.read(), dtype=np.float64)
    return blocks


def _read_trained_blocks(path: Path) -> dict[str, Array]:
    """Return the programmed parameters that a training left in its result file."""
    from ..results.store import StoreError, read_result_file

    try:
        groups = read_result_file(path).groups
    except StoreError as error:
        raise make_data_error(str(error), "give the run.h5 of a training, or an npz file") from error
    found = {name.removeprefix("weights/"): group for name, group in groups.items() if name.startswith("weights/")}
    if not found:
        raise make_data_error(f"{path} holds no weights", "give the run.h5 of a training")
    if "bias" not in found:  # of a circuit
        return {name: group["programmed"].data for name, group in found.items()}
    blocks = {f"bias/{name}": v.data for name, v in found.pop("bias").items() if v.dims != (name,)}
    blocks |= {f"readout/{name}": found["readout"][name].data for name in ("weight", "bias") if "readout" in found}
    found.pop("readout", None)
    return blocks | {f"weight/{name}": group["programmed"].data for name, group in found.items()}
