"""Constants of cells that were measured on a real chip, from the file that a scenario names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from devices.programming.laws import Pulsed
from devices.programming.sampled import Cells
from substrate.network.topology import Topology

from .arrays import DataError, Part, Read, digest_of, npz_parts, refuse_large
from ..language.faults import close, did_you_mean
from ..language.load import Loaded

Array = NDArray[np.float64]
Found = list[tuple[tuple[str | int, ...], str, str | None]]

PLACE = ("devices", "update", "measured")


def cell_faults(loaded: Loaded) -> Found:
    """Return everything wrong with the file of measured cells; nothing where there is none."""
    try:
        parts = _parts(loaded)
    except DataError as error:
        return [(PLACE, error.message, error.hint)]
    network = loaded.scenario.network
    shapes = Topology(network.layers, network.connections).shapes
    known = {f"{block}/{name}": shape for block, shape in shapes.items() for name in Cells._fields}
    found: Found = []
    for name, part in parts.items():
        if name not in known:
            meant = close(name, known) if "/" in name else None
            hint = did_you_mean(meant) or "names are <block>/<constant>, such as weight/in-l1/step_up"
            found.append((PLACE, f"{name!r} is no constant of a cell here", hint))
        elif part.shape != known[name]:
            turned = ": transpose it" if part.shape == known[name][::-1] else ""
            found.append((PLACE, f"{name!r} has shape {part.shape}", f"it must be {known[name]}, as its block{turned}"))
        elif fault := _value_fault(name, part):
            found.append((PLACE, *fault))
    return found or [(PLACE, *fault) for name in parts if (fault := _order_fault(name, parts))]


def read_cells(loaded: Loaded) -> Read:
    """Return the measured constants by ``<block>/<name>``.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    arrays = {name: np.asarray(part.read(), dtype=np.float64) for name, part in _parts(loaded).items()}
    names = sorted({name.rpartition("/")[2] for name in arrays})
    return Read(arrays, f"{len(arrays)} arrays of {', '.join(names)}", digest_of(arrays))


def _parts(loaded: Loaded) -> dict[str, Part]:
    law = loaded.scenario.devices.update
    if not isinstance(law, Pulsed) or law.measured is None:
        return {}
    return npz_parts(loaded.folder(*PLACE) / law.measured)


def _order_fault(name: str, parts: dict[str, Part]) -> tuple[str, str] | None:
    """Return what is wrong with a lower bound that stands beside its upper one."""
    upper = parts.get(name.removesuffix("/low") + "/high") if name.endswith("/low") else None
    if upper is None or (np.asarray(parts[name].read()) <= np.asarray(upper.read())).all():
        return None
    return f"{name!r} has cells whose lower bound lies above the upper one", "give bounds in order"


def _value_fault(name: str, part: Part) -> tuple[str, str] | None:
    try:
        if part.dtype.kind not in "iuf":
            return f"{name!r} has the type {part.dtype}", "give real numbers"
        refuse_large(part)
        values = np.asarray(part.read(), dtype=np.float64)
    except DataError as error:
        return error.message, error.hint
    if not np.isfinite(values).all():
        return f"{name!r} has entries that are not finite", "replace nan and inf"
    if "/step_" in name and (values < 0.0).any():
        return f"{name!r} has entries below 0", "give sizes of steps; a down step is a size, too"
    return None
