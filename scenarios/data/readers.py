"""What reads the files that a scenario names, one reader for every key; nothing here knows a chip."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .arrays import DataError, Read, digest_of, fault, find, kind_of, npz_parts, open_file, refuse_large
from .datasets import Data, Outline, load_source, open_source
from ..language.load import Loaded
from .measured_cells import PLACE as CELLS
from .measured_cells import read_cells
from .measured_converters import PLACES as CONVERTERS
from .measured_converters import read_converter
from .measured_curve import PLACE as CURVE
from .measured_curve import read_curve
from .measured_weights import PLACES as WEIGHTS
from .measured_weights import read_weights
from ..language.named_files import FileKey, named_files
from .shelf import Shelf, stamp

Array = NDArray[np.float64]

DATA, PARAMETERS = ("task", "path"), ("network", "parameters")


def read_data(loaded: Loaded, shelf: Shelf) -> Data:
    """Return the data of the task, from files or not.

    Raises
    ------
    DataError
        If they cannot be read or do not fit; its field is a key of ``[task]``, or the input layer.
    """
    return shelf.get(_source(loaded), lambda: _load(loaded))


def _load(loaded: Loaded) -> Data:
    network, task = loaded.scenario.network, loaded.scenario.task
    (first, inputs), *_, (_, last) = network.layers.items()
    with open_source(task, loaded.folder(*DATA)) as source:
        if source.outline.inputs != inputs:
            found = source.outline.inputs
            words = f"{inputs} units, but the samples of the task have {found} inputs"
            raise DataError(f"network.layers.{first}", words, f"write {first} = {found}")
        return load_source(source, inputs, last if network.cost == "mse" else None)


def read_parameters(loaded: Loaded, shelf: Shelf) -> Read:
    """Return the blocks to programme.

    Raises
    ------
    DataError
        If they cannot be read.
    """
    path = named_files(loaded)[PARAMETERS]
    blocks = shelf.get(("blocks", stamp(path)), lambda: _read_blocks(path))
    sizes = [float(np.abs(block).max(initial=0.0)) for name, block in blocks.items() if name.startswith("weight/")]
    largest = max(sizes, default=0.0)
    words = f"{len(blocks)} blocks in units of the weight, weights up to {largest:.3g}"
    return Read(blocks, words, digest_of(blocks))


def _source(loaded: Loaded) -> Hashable:
    """Return what the data of a task depend on: what is said of them, the files, and the layers that they fit."""
    network, path = loaded.scenario.network, named_files(loaded).get(DATA)
    ends = [*network.layers.items()][:1], [*network.layers.values()][-1] if network.cost == "mse" else None
    return loaded.scenario.task.model_dump_json(), stamp(path) if path else None, str(ends)


def _read_data(loaded: Loaded, shelf: Shelf) -> Read:
    data = read_data(loaded, shelf)
    outline = Outline(len(data.x), data.x.shape[1], data.y.shape[1], len(data.x_test))
    return Read(data, _told(outline), data.sha256)


READERS: dict[FileKey, Callable[[Loaded, Shelf], Read]] = {
    DATA: _read_data,
    PARAMETERS: read_parameters,
    CURVE: lambda loaded, _: read_curve(loaded),
    CELLS: lambda loaded, _: read_cells(loaded),
    WEIGHTS["weights"]: lambda loaded, _: read_weights(loaded, "weights"),
    WEIGHTS["feedback"]: lambda loaded, _: read_weights(loaded, "feedback"),
    CONVERTERS["readout"]: lambda loaded, _: read_converter(loaded, "readout"),
    CONVERTERS["nudge"]: lambda loaded, _: read_converter(loaded, "nudge"),
}
"""What reads the file of each key; every key of `named_files.FILE_KEYS` has its own."""


def _told(outline: Outline) -> str:
    test = f" and {outline.test_samples}" if outline.test_samples else " and no"
    width = f"{outline.inputs} inputs, {outline.classes} classes or outputs"
    return f"{outline.samples} training{test} test samples of {width}"


def _read_blocks(path: Path) -> dict[str, Array]:
    if path.suffix in (".h5", ".hdf5"):
        return _blocks_of_run(find(path))
    blocks = {}
    with open_file(path) as file:
        if kind_of(file) == "an HDF5 file":
            return _blocks_of_run(path)
        for name, part in npz_parts(file).items():
            if part.dtype.kind not in "iuf":
                raise fault(f"{part.where} has the type {part.dtype}", "give real numbers")
            refuse_large(part)
            blocks[name] = np.asarray(part.read(), dtype=np.float64)
    return blocks


def _blocks_of_run(path: Path) -> dict[str, Array]:
    """Return the programmed parameters that a training left in its result file."""
    from ..results.store import StoreError, load

    try:
        groups = load(path).groups
    except StoreError as error:
        raise fault(str(error), "give the run.h5 of a training, or an npz file") from error
    found = {name.removeprefix("weights/"): group for name, group in groups.items() if name.startswith("weights/")}
    if not found:
        raise fault(f"{path} holds no weights", "give the run.h5 of a training")
    blocks = {f"bias/{name}": v.data for name, v in found.pop("bias").items() if not name.startswith("unit_")}
    blocks |= {f"readout/{name}": found["readout"][name].data for name in ("weight", "bias") if "readout" in found}
    found.pop("readout", None)
    return blocks | {f"weight/{name}": group["programmed"].data for name, group in found.items()}
