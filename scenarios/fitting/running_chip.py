"""Spreads of a running chip that a scenario describes, as values of a device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.identification.reads import FreeReads, get_wiring, read_free_states
from learning.identification.spreads import MOST_UNITS, IdentifiedSpreads, estimate_spreads
from substrate.protocol import SettlingBench
from substrate.theory.inverse_curve import InverseCurve

from ..build import Setup
from ..data.arrays import DataError
from .columns import make_fit_error, read_arrays
from .fitted import FitError, FitResult, FittedValue, make_value

if TYPE_CHECKING:
    from ..build import AnySetup

Array = NDArray[np.float64]
_NOTHING: Mapping[str, Array] = MappingProxyType({})

UNKNOWN = (
    "not to be told at rest: time constants; of one unit, its slope apart from what all cells of its row share and the"
    " gain of its converter apart from what all that it feeds share (their spreads are told, as cells differ by"
    " themselves); the gain of the nudge; cells of units that are not read"
)
"""What no free read tells."""

_PLACES = {
    "forward": ("weights", "mismatch_sigma", "1"),
    "feedback": ("feedback", "mismatch_sigma", "1"),
    "offset": ("neurons", "offset_sigma", "state"),
    "read": ("noise", "read", "activity"),
    "slope": ("neurons", "slope_sigma", "1"),
    "gain": ("neurons", "gain_sigma", "1"),
    "converter_gain": ("converters", "readout.gain_sigma", "1"),
    "converter_offset": ("converters", "readout.offset_sigma", "activity"),
}
"""Table, key and unit of every spread."""

_WORDS = {
    "forward": "forward cells",
    "feedback": "feedback cells",
    "offset": "offsets of units",
    "read": "noise of reads",
    "slope": "slopes of units",
    "gain": "gains of units",
    "converter_gain": "gains of converters",
    "converter_offset": "offsets of converters",
}
_MANY = 0.5
"""Share of the cells of a row that are stuck and tell that the row is dead."""


class RunningChip(NamedTuple):
    """What is read, and what is known of it."""

    setup: Setup
    programmed: dict[str, Array]
    """Weights (pre, post) and biases as they were programmed, by block."""


def identify_chip(
    setup: AnySetup,
    bench: SettlingBench | None,
    reads: int,
    instance: int | None = None,
    file: Path | None = None,
    programmed: Mapping[str, Array] = _NOTHING,
) -> FitResult:
    """Return the spreads of a bench, of a file of reads or, without both, of the chip of a scenario.

    Raises
    ------
    FitError
        If nothing can be identified; the text says why.
    """
    if not isinstance(setup, Setup):
        raise FitError("network.law: circuits have no rows of weights; identify reads rate networks")
    given = dict(setup.programmed) | dict(programmed)
    chip = RunningChip(setup, given)
    if file is not None:
        return identify_reads(*read_states_file(chip, file))
    return identify_bench(chip, bench or setup.chip(instance, given), reads)


def identify_bench(chip: RunningChip, bench: SettlingBench, reads: int) -> FitResult:
    """Return the spreads of a chip from free reads of the first training samples of its task.

    Parameters
    ----------
    chip : RunningChip
        What is known of it.
    bench : SettlingBench
        The chip.
    reads : int
        Samples, each read once; 2 or more.

    Raises
    ------
    FitError
        If there are too few samples, a connection is not dense, an activity belongs to several states, or no unit tells
        anything.
    """
    if reads < 2:
        raise FitError(f"reads = {reads}: must be 2 or more; 20 suffice for most networks")
    inputs = np.asarray(chip.setup.data.x[:reads], dtype=np.float64)
    if len(inputs) < reads:
        raise FitError(f"reads = {reads}: the task has {len(inputs)} training samples; lower it, or give a larger task")
    by_clock = chip.setup.design.dynamics.free.fixed or chip.setup.scenario.hardware is not None
    try:
        taken = read_free_states(bench, inputs, by_clock)
    except ValueError as error:
        raise FitError(f"the chip cannot be read: {error}; see devices and dynamics of the scenario") from error
    return identify_reads(chip, taken, bench)


def read_states_file(chip: RunningChip, path: Path) -> tuple[RunningChip, FreeReads]:
    """Return activities of a file by layer, and the chip with the weights that the file gives.

    An npz or HDF5 file holds ``in``, ``l1`` and so on (samples, units), the activities of free states; and, where they
    are not those of the scenario, ``weight/in-l1`` (pre, post), ``bias/l1`` and so on as programmed.

    Raises
    ------
    FitError
        If the file is damaged or does not fit the network.
    """
    try:
        arrays = read_arrays(path)
    except DataError as error:
        raise make_fit_error(path, error) from error
    topology = chip.setup.design.topology
    shapes = {name: shape for name, shape in topology.shapes.items() if not name.startswith("readout/")}
    samples = len(arrays[topology.input]) if arrays.get(topology.input, np.zeros(())).ndim else 0
    if samples < 2:
        raise FitError(f"{path.name} has no inputs {topology.input!r}; give two samples or more of every layer read")
    wanted = {name: (samples, units) for name, units in topology.layers.items()} | shapes
    for name, array in arrays.items():
        if name not in wanted:
            raise FitError(f"{path.name}: {name!r} is neither a layer nor a block; names are {', '.join(wanted)}")
        if array.shape != wanted[name] or not np.isfinite(array).all():
            raise FitError(f"{path.name}: {name!r} has shape {array.shape}; it must be finite and {wanted[name]}")
    activity = {name: arrays[name] for name in topology.layers if name in arrays}
    blocks = {name: arrays[name] for name in shapes if name in arrays}
    return chip._replace(programmed=chip.programmed | blocks), FreeReads(activity, 0)


def identify_reads(chip: RunningChip, taken: FreeReads, bench: SettlingBench | None = None) -> FitResult:
    """Return what free states tell of a chip; `bench` has its wiring, absent: that of the scenario.

    Raises
    ------
    FitError
        As `identify_bench`.
    """
    design = chip.setup.design
    devices = design.devices
    feedback = devices.feedback.over(devices.weights)
    shared = devices.feedback.storage == "shared-device"
    try:
        wiring = get_wiring(bench or chip.setup.chip(programmed=chip.programmed))
        curve = InverseCurve(design.law, design.activation)
        law: Literal["relative", "additive"]
        law = "relative" if {devices.weights.mismatch, feedback.mismatch} == {"relative"} else "additive"
        found = estimate_spreads(wiring, taken, curve, chip.programmed, law, shared)
    except ValueError as error:
        raise FitError(f"nothing can be identified: {error}") from error
    return _make_result(chip, found, law, shared)


def _make_result(chip: RunningChip, found: IdentifiedSpreads, law: str, shared: bool) -> FitResult:
    tables: dict[str, dict[str, FittedValue]] = {}
    converters = chip.setup.design.devices.converters.readout is not None
    for name, spread in found.spreads.items():
        table, key, unit = _PLACES[name]
        if table == "converters" and not converters:  # facts: a scenario without converters takes no spread of them
            table, key = "reads", f"{name}_sigma"
        if law != "relative" and key == "mismatch_sigma":
            tables.setdefault(table, {})["mismatch"] = FittedValue("additive")
            unit = "weight"
        ends = spread.low, spread.high
        tables.setdefault(table, {})[key] = make_value(spread.value, unit, ends, found.rows)
    told = f"{found.samples} free reads, {found.rows} equations of units"
    notes = [*_describe_losses(found), *_describe_stuck(chip, found), *_describe_strangers(chip), UNKNOWN]
    if shared:
        notes.insert(
            0,
            "one cell serves both directions, so its errors count twice and its interval is too narrow by up to root 2",
        )
    return FitResult(f"Spreads of {chip.setup.scenario.name}, identified from free reads", tables, told, notes=notes)


def _describe_strangers(chip: RunningChip) -> list[str]:
    """Return what the scenario says of the chip that free reads take for something else."""
    if (adc := chip.setup.design.devices.converters.readout) is None:
        return []
    steps = [f"devices.converters.readout.{key}" for key in ("unit_sigma", "measured") if getattr(adc, key)]
    notes = [f"the scenario says {key}: unequal steps of converters look like noise of reads here" for key in steps]
    if adc.shared and adc.spreads:
        told = "devices.converters.readout.shared: one converter for all has one gain and one offset, no spread of them"
        notes.append(f"the scenario says {told}; what is found of converters is their size")
    return notes


def _describe_losses(found: IdentifiedSpreads) -> list[str]:
    notes = [
        f"{_WORDS[one]} and {_WORDS[other]} are not told apart here: what is found of the former is both"
        for one, other in found.together
    ]
    if not found.coupled:
        told = "spreads of converters are looked for where up to"
        notes.append(f"{told} {MOST_UNITS} units are read; here they count as spread of gains, cells and offsets")
    if lost := {name: count for name, count in found.saturated.items() if count}:
        told = ", ".join(f"{count} in {name}" for name, count in lost.items())
        notes.append(f"activities too near an end of their range, which tell nothing: {told}")
    if found.unsettled:
        notes.append(f"samples left out because they did not settle: {found.unsettled}")
    if found.strange:
        told = ", ".join(f"{name} {units}" for name, units in found.strange.items())
        notes.append(f"units left out that do not fit the rest, as with many stuck cells: {told}")
    if found.unread:
        notes.append(f"nothing is known of cells into layers that are not read: {', '.join(found.unread)}")
    return notes


def _describe_stuck(chip: RunningChip, found: IdentifiedSpreads) -> list[str]:
    """Return how many cells are stuck, and rows of them."""
    if not found.stuck:
        return []
    count = sum(len(cells) for cells in found.stuck.values())
    told = ", ".join(f"{len(cells)} in {name.removeprefix('weight/')}" for name, cells in found.stuck.items())
    notes = [f"cells left out that do not fit the rest, as stuck ones: {count} ({told}); smaller errors do not show"]
    for name, cells in found.stuck.items():
        size = chip.programmed[name].shape[1]
        rows, counts = np.unique([pre for pre, _ in cells], return_counts=True)
        if dead := [int(row) for row, many in zip(rows, counts, strict=True) if many >= _MANY * size and size > 1]:
            notes.append(f"most cells of {name.removeprefix('weight/')} are stuck in rows {dead}: these are dead")
    return notes
