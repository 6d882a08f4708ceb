"""Constants of cells that were measured on a real chip, from the file that a scenario names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from devices.programming.sampled import CellConstants
from substrate.network.topology import Topology

from .arrays import DataError, LazyArray, FileContent, Words, compute_digest, read_npz_headers, open_file, refuse_large
from ..language.faults import find_similar, ask_did_you_mean
from ..language.load import LoadedScenario
from ..language.named_files import find_named_files

Array = NDArray[np.float64]

PLACE = ("devices", "update", "measured")


def read_cell_constants(loaded: LoadedScenario) -> FileContent:
    """Return the measured constants by ``<block>/<name>``, and everything that does not fit.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    network = loaded.scenario.network
    shapes = Topology(network.layers, network.connections).shapes
    known = {f"{block}/{name}": shape for block, shape in shapes.items() for name in CellConstants._fields}
    arrays: dict[str, Array] = {}
    found: list[Words] = []
    with open_file(find_named_files(loaded)[PLACE]) as file:
        for name, part in read_npz_headers(file).items():
            if name not in known:
                meant = find_similar(name, known) if "/" in name else None
                hint = ask_did_you_mean(meant) or "names are <block>/<constant>, such as weight/in-l1/step_up"
                found.append((f"{name!r} is no constant of a cell here", hint))
            elif part.shape != known[name]:
                turned = ": transpose it" if part.shape == known[name][::-1] else ""
                words = f"it must be {known[name]}, as its block{turned}"
                found.append((f"{name!r} has shape {part.shape}", words))
            else:
                found += _read_cell_array(name, part, arrays)
    found = found or [fault for name in arrays if (fault := _describe_order_fault(name, arrays))]
    names = sorted({name.rpartition("/")[2] for name in arrays})
    return FileContent(arrays, f"{len(arrays)} arrays of {', '.join(names)}", compute_digest(arrays), tuple(found))


def _describe_order_fault(name: str, arrays: dict[str, Array]) -> Words | None:
    """Return what is wrong with a lower bound that stands beside its upper one."""
    upper = arrays.get(name.removesuffix("/low") + "/high") if name.endswith("/low") else None
    if upper is None or (arrays[name] <= upper).all():
        return None
    return f"{name!r} has cells whose lower bound lies above the upper one", "give bounds in order"


def _read_cell_array(name: str, part: LazyArray, arrays: dict[str, Array]) -> list[Words]:
    """Read an array into `arrays`; return what is wrong with its numbers."""
    try:
        if part.dtype.kind not in "iuf":
            return [(f"{name!r} has the type {part.dtype}", "give real numbers")]
        refuse_large(part)
        arrays[name] = values = np.asarray(part.read(), dtype=np.float64)
    except DataError as error:
        return [(error.message, error.hint)]
    if not np.isfinite(values).all():
        return [(f"{name!r} has entries that are not finite", "replace nan and inf")]
    if "/step_" in name and (values < 0.0).any():
        return [(f"{name!r} has entries below 0", "give sizes of steps; a down step is a size, too")]
    return []
