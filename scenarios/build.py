"""From a validated scenario to a chip and its data: the only place where strings become objects."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.activation import Curve, read_curve
from devices.random import Stream
from substrate.topology import Topology

from .arrays import DataError, fault, npz_parts, refuse_large
from .datasets import Data, describe, load_task
from .load import Loaded, faults_at
from .measured_cells import cell_faults, measured_cells
from .measured_converters import converter_faults, measured_converters
from .schema import Network

Array = NDArray[np.float64]
Found = list[tuple[tuple[str | int, ...], str, str | None]]


_CUT_SPREAD = 0.87962566103423978
"""Standard deviation of a standard normal cut at 2."""


class Parts(NamedTuple):
    """Everything a scenario describes, before the chip is made; free of compiled code."""

    topology: Topology
    programmed: dict[str, Array]
    data: Data
    activation: str | Curve
    cells: dict[str, Array] | None = None
    """Measured constants of cells, ``<block>/<name>``."""

    converters: dict[str, Array] | None = None
    """Measured tables of converters, `readout` and `nudge`."""


def check(loaded: Loaded) -> None:
    """Check what the schema cannot see: files, shapes and sizes, without loading the data.

    Raises
    ------
    ScenarioError
        With every fault found.
    """
    scenario = loaded.scenario
    found: Found = []
    classes: int | None = None
    try:
        outline = describe(scenario.task, loaded.folder("task", "path"))
        classes = outline.classes
        found += _width_faults(scenario.network, outline.inputs)
    except DataError as error:
        found.append((("task", *error.field.split(".")[1:]), error.message, error.hint))
    found += _parameter_faults(loaded, classes)
    found += _curve_faults(loaded)
    found += cell_faults(loaded)
    found += converter_faults(loaded)
    if found:
        raise faults_at(loaded, found)


def assemble(loaded: Loaded) -> Parts:
    """Load the data and choose the programmed parameters of a scenario.

    Raises
    ------
    ScenarioError
        If a file is missing or does not fit.
    """
    check(loaded)
    scenario = loaded.scenario
    network = scenario.network
    names = list(network.layers)
    outputs = network.layers[names[-1]] if network.cost == "mse" else None
    try:
        data = load_task(scenario.task, loaded.folder("task", "path"), network.layers[names[0]], outputs)
    except DataError as error:
        raise faults_at(loaded, [(("task", *error.field.split(".")[1:]), error.message, error.hint)]) from error
    if network.cost == "cross-entropy" and not _distributions(data.y):
        key, hint = "path", "give integer labels, or rows that are not negative and sum to 1"
        if scenario.task.kind == "teacher":
            key, hint = "targets", 'take "classes", or network.cost = "mse"'
        raise faults_at(loaded, [(("task", key), "y does not hold class probabilities", hint)])
    topology = Topology(network.layers, network.connections, None if network.cost == "mse" else data.y.shape[1])
    if network.parameters is None:
        programmed = initial_parameters(topology, network.asymmetry.angle, scenario.seed)
    else:
        programmed = _read_blocks(loaded.folder("network", "parameters") / network.parameters)
        _refuse(loaded, _shape_faults(topology, programmed))
    if scenario.devices.feedback.tied:
        _refuse(loaded, _unequal_faults(topology, programmed))
    converters = measured_converters(loaded)
    return Parts(topology, programmed, data, activation_law(loaded), measured_cells(loaded), converters)


def initial_parameters(topology: Topology, angle: float, seed: int) -> dict[str, Array]:
    """Return initial weights: truncated normal of variance 1/fan-in (LeCun), biases zero.

    The feedback of a reciprocal pair becomes ``sin(angle) W_back + cos(angle) W_fwd^T``.

    Parameters
    ----------
    topology : Topology
        Blocks to fill.
    angle : float
        Nominal asymmetry in degrees.
    seed : int
        Seed of the scenario; every block has its own stream.
    """
    blocks = {
        name: np.zeros(shape) if len(shape) == 1 else _lecun_normal(shape, Stream(seed, f"init/{name}"))
        for name, shape in topology.shapes.items()
    }
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    for forward, feedback in topology.pairs():
        blocks[feedback.block] = sine * blocks[feedback.block] + cosine * blocks[forward.block].T
    return blocks


def _lecun_normal(shape: tuple[int, ...], stream: Stream) -> Array:
    """Return normal numbers cut at two standard deviations, scaled to variance 1/shape[0]."""
    drawn, size = stream.normal(shape), math.prod(shape)
    attempt = 1
    while (outside := np.abs(drawn) > 2.0).any():
        drawn = np.where(outside, stream.normal(shape, first=attempt * size), drawn)
        attempt += 1
    return drawn / (_CUT_SPREAD * math.sqrt(shape[0]))


def _width_faults(network: Network, inputs: int) -> Found:
    first = next(iter(network.layers))
    if network.layers[first] == inputs:
        return []
    return [
        (
            ("network", "layers", first),
            f"{network.layers[first]} units, but the samples of the task have {inputs} inputs",
            f"write {first} = {inputs}",
        )
    ]


def _parameter_faults(loaded: Loaded, classes: int | None) -> Found:
    network = loaded.scenario.network
    if network.parameters is None:
        return []
    place = ("network", "parameters")
    try:
        blocks = _read_blocks(loaded.folder(*place) / network.parameters)
    except DataError as error:
        return [(place, error.message, "save it with numpy.savez(path, **blocks)")]
    if network.cost == "mse":
        classes = None
    elif classes is None:
        weight = blocks.get("readout/weight")
        classes = weight.shape[-1] if weight is not None and weight.ndim == 2 else 2
    return _shape_faults(Topology(network.layers, network.connections, classes), blocks)


def _distributions(y: Array) -> bool:
    return bool((y >= 0.0).all() and np.allclose(y.sum(axis=1), 1.0, rtol=0.0, atol=1e-6))


def _curve_faults(loaded: Loaded) -> Found:
    place = ("network", "activation", "table")
    try:
        activation_law(loaded)
    except ValueError as error:
        return [(place, str(error), "give a CSV file of two columns: state (increasing), activity (never falling)")]
    except OSError as error:
        return [(place, f"cannot be read ({error.strerror})", "paths start at the scenario file")]
    return []


def activation_law(loaded: Loaded) -> str | Curve:
    """Return the activation by name, or the measured curve that the scenario names.

    Raises
    ------
    OSError, ValueError
        If the file cannot be read or holds no such curve.
    """
    law = loaded.scenario.network.activation
    return law if isinstance(law, str) else read_curve(loaded.folder("network", "activation", "table") / law.table)


def _shape_faults(topology: Topology, blocks: Mapping[str, Array]) -> Found:
    place = ("network", "parameters")
    found: Found = []
    for name, shape in topology.shapes.items():
        if name not in blocks:
            found.append((place, f"the file lacks {name!r}", f"add an array of shape {shape}"))
        elif blocks[name].shape != shape:
            found.append((place, f"{name!r} has shape {blocks[name].shape}", f"it must be {shape}, (pre, post) units"))
        elif not np.isfinite(blocks[name]).all():
            found.append((place, f"{name!r} has entries that are not finite", "replace nan and inf"))
    found += [
        (place, f"{name!r} belongs to nothing in this network", "blocks are " + ", ".join(topology.shapes))
        for name in blocks
        if name not in topology.shapes
    ]
    return found


def _read_blocks(path: Path) -> dict[str, Array]:
    if path.suffix in (".h5", ".hdf5"):
        return _blocks_of_run(path)
    blocks = {}
    for name, part in npz_parts(path).items():
        if part.dtype.kind not in "iuf":
            raise fault(f"{part.where} has the type {part.dtype}", "give real numbers")
        refuse_large(part)
        blocks[name] = np.asarray(part.read(), dtype=np.float64)
    return blocks


def _unequal_faults(topology: Topology, blocks: Mapping[str, Array]) -> Found:
    return [
        (
            ("devices", "feedback", "storage"),
            f"one number stands for both weights, but {back.block!r} is not the transpose of {forward.block!r}",
            'give network.parameters that are, or take storage = "independent"',
        )
        for forward, back in topology.pairs()
        if not np.array_equal(blocks[back.block], blocks[forward.block].T)
    ]


def _refuse(loaded: Loaded, found: Found) -> None:
    if found:
        raise faults_at(loaded, found)


def _blocks_of_run(path: Path) -> dict[str, Array]:
    """Return the programmed parameters that a training left in its result file."""
    from .store import StoreError, load

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
