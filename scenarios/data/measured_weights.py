"""Weights that were measured, from the files that a scenario names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devices.synapse.measured import CellSample, MeasuredMap, make_cell_sample
from substrate.network.topology import Topology
from substrate.units.physical import convert_weight_to_siemens

from .arrays import OpenFile, FileContent, compute_digest, make_data_error, detect_file_type, describe_arrays, read_npz_headers, open_file, refuse_large
from ..language.load import LoadedScenario
from ..language.named_files import find_named_files
from .text_tables import TextTable, find_unit_factor, read_text_table

Array = NDArray[np.float64]
Found = list[tuple[tuple[str | int, ...], str, str | None]]

PLACES = {name: ("devices", name, "measured") for name in ("weights", "feedback")}
"""Where a scenario names a file, by table of cells."""

_FEWEST, _LARGEST = 8, 1e6
"""Cells of a test chip, and the largest weight."""

_TARGET = ("target", "programmed", "set", "ideal", "nominal", "requested", "wanted")
_MEASURED = ("measured", "actual", "real", "read", "effective", "held", "obtained")
_FORMS = (
    'give a CSV file of a test chip with the columns target,measured, or numpy.savez(path, **{"weight/in-l1": matrix})'
)


def read_measured_weights(loaded: LoadedScenario, table: str) -> FileContent:
    """Return a `CellSample`, or the matrices by block and ``<block>/target``, as the cells of `table` were measured.

    Raises
    ------
    DataError
        If the file cannot be read or does not fit.
    """
    with open_file(find_named_files(loaded)[PLACES[table]]) as file:
        if detect_file_type(file) == "an npz file":
            matrices = _read_weight_matrices(file, _list_cell_blocks(loaded, table))
            blocks = [name for name in matrices if not name.endswith("/target")]
            return FileContent(matrices, f"effective weights of {', '.join(blocks)}", compute_digest(matrices))
        target, measured = read_text_table(file, lambda found: _find_weight_columns(loaded, found))
    error = measured - target
    words = f"{len(target)} cells of a test chip, targets {target.min():.3g} to {target.max():.3g}"
    words += f", errors {error.mean():.2g} in the mean and {error.std():.2g} rms around it"
    return FileContent(make_cell_sample(target, measured), words, compute_digest({"target": target, "measured": measured}))


def assign_measured_weights(
    loaded: LoadedScenario, found: Mapping[str, CellSample | dict[str, Array]], programmed: Mapping[str, Array]
) -> dict[str, MeasuredMap | CellSample]:
    """Return what was measured of every block.

    Parameters
    ----------
    loaded : Loaded
        The scenario.
    found : mapping of table to CellSample or matrices
        What the files hold.
    programmed : mapping of block name to array
        The first programmed weights, at which matrices without targets were measured.
    """
    made: dict[str, MeasuredMap | CellSample] = {}
    for table, what in found.items():
        for block in _list_cell_blocks(loaded, table):
            if isinstance(what, CellSample):
                made[block] = what
            elif block in what:
                made[block] = MeasuredMap(what.get(f"{block}/target", programmed[block]), what[block])
    return made


def _list_cell_blocks(loaded: LoadedScenario, table: str) -> dict[str, tuple[int, ...]]:
    """Return the blocks whose cells a table describes, with the shapes of these cells."""
    network, feedback = loaded.scenario.network, loaded.scenario.devices.feedback
    topology = Topology(network.layers, network.connections)
    shared = {b.block for _, b in topology.pairs()} if feedback.storage == "shared-device" else set()
    own = {c.block for c in topology.connections if topology.is_feedback(c)} if feedback.measured else set()
    blocks = {c.block for c in topology.connections}
    chosen = own if table == "feedback" else blocks - own - shared
    return {name: shape for name, shape in topology.cells.items() if name in chosen}


def _read_weight_matrices(file: OpenFile, blocks: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    found = {}
    for name, part in read_npz_headers(file).items():
        shape = blocks.get(name.removesuffix("/target"))
        if shape is None:
            words = f"{name!r} is no block of these cells; {file.path.name} holds {describe_arrays(file)}"
            raise make_data_error(words, "blocks are " + ", ".join(blocks))
        if part.dtype.kind not in "iuf" or part.shape != shape:
            turned = ": transpose it" if part.shape == shape[::-1] else ""
            raise make_data_error(f"{name!r} is {part.dtype} {part.shape}", f"give numbers {shape}, one per cell{turned}")
        refuse_large(part)
        found[name] = np.asarray(part.read(), dtype=np.float64)
        if not (np.abs(found[name]) <= _LARGEST).all():
            raise make_data_error(f"{name!r} has entries that are not finite or beyond {_LARGEST:g}", "replace nan and inf")
    lonely = sorted(name for name in found if name.endswith("/target") and name.removesuffix("/target") not in found)
    if lonely or not found:
        raise make_data_error(f"{file.path.name} holds no measured weights for {', '.join(lonely) or 'any block'}", _FORMS)
    return found


def _find_weight_columns(loaded: LoadedScenario, table: TextTable) -> tuple[Array, Array]:
    """Return targets and measured weights of the cells of a test chip."""
    columns = [next(iter(table.column(*words)), None) for words in (_TARGET, _MEASURED)]
    pair = [k for k in columns if k is not None]
    if len(pair) < 2:
        if table.values.shape[1] != 2:
            raise make_data_error(f"the table has {table.values.shape[1]} columns and no names target and measured", _FORMS)
        pair = [0, 1]
    table = table.only(pair)
    scale = 1.0
    if unit := table.unit:
        siemens, physical = find_unit_factor(unit, "S"), loaded.scenario.physical
        if siemens is None:
            raise make_data_error(
                f"the weights are in {unit!r}", "give them as plain numbers (units of the weight), or in siemens"
            )
        known = physical.resolved() if physical else None
        if known is None or None in (known.leak, known.volt_scale, known.activity_volts):
            words = "is in siemens, which needs [physical] leak, volt_scale, activity_volts"
            raise make_data_error(words, "add them, or give plain numbers in units of the weight")
        scale = siemens / convert_weight_to_siemens(known, 1.0)
    target, measured = (table.values * scale).T
    if len(target) < _FEWEST or not (np.abs([target, measured]) <= _LARGEST).all():
        hint = f"give {_FEWEST} or more, all of them finite and below {_LARGEST:g}"
        raise make_data_error(f"the table has {len(target)} cells, up to {np.abs([target, measured]).max():.3g}", hint)
    return target, measured
