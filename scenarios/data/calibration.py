"""What was measured of a board, unit by unit: scales of its converters, and cells that do not move."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.network.topology import Topology

from ..language.load import LoadedScenario
from ..language.named_files import find_named_files
from .arrays import FileContent, compute_digest, make_data_error, open_file, read_npz_headers, refuse_large

PLACE = ("hardware", "calibration")
STUCK = "stuck/"
"""What the names of arrays begin with that mark cells."""


class Calibration(NamedTuple):
    """What was measured of a board."""

    scales: dict[str, NDArray[np.float64]]
    """Such as ``adc_scale``, (units,)."""

    stuck: dict[str, NDArray[np.bool_]]
    """Cells that do not move, by block."""


def read_calibration(loaded: LoadedScenario) -> FileContent:
    """Return the arrays of a calibration by name.

    Raises
    ------
    DataError
        If the file cannot be read, or an array does not fit.
    """
    network = loaded.scenario.network
    shapes = _list_shapes(Topology(network.layers, network.connections))
    found = Calibration({}, {})
    with open_file(find_named_files(loaded)[PLACE]) as file:
        for name, part in read_npz_headers(file).items():
            if name not in shapes:
                raise make_data_error(f"{part.where}: no such array", f"give {', '.join(shapes)}")
            refuse_large(part)
            kinds, words = ("b", "booleans") if name.startswith(STUCK) else ("iuf", "real numbers")
            if part.dtype.kind not in kinds or tuple(part.shape) != shapes[name]:
                hint = f"give {words} of shape {shapes[name]}"
                raise make_data_error(f"{part.where} has type {part.dtype} and shape {tuple(part.shape)}", hint)
            array = part.read()
            if kinds == "b":
                found.stuck[name.removeprefix(STUCK)] = np.asarray(array, dtype=np.bool_)
                continue
            found.scales[name] = np.asarray(array, dtype=np.float64)
            if not np.isfinite(array).all() or (name.endswith("_scale") and not (array > 0).all()):
                raise make_data_error(f"{part.where} has entries that cannot be", "scales are above 0, all are finite")
    stuck = sum(int(np.count_nonzero(cells)) for cells in found.stuck.values())
    words = f"{', '.join(found.scales) or 'no scales'}; {stuck} cells are stuck"
    return FileContent(found, words, compute_digest(found.scales | {STUCK + n: c for n, c in found.stuck.items()}))


def _list_shapes(topology: Topology) -> dict[str, tuple[int, ...]]:
    """Return the shape of every array that a calibration may hold."""
    counts = {"adc": topology.units, "dac": topology.units, "input": topology.layers[topology.input]}
    scales = {f"{name}_{part}": (count,) for name, count in counts.items() for part in ("scale", "offset")}
    return scales | {STUCK + name: shape for name, shape in topology.shapes.items()}
