"""From a validated scenario to a chip and its data: the only place where strings become objects."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.activation import Curve, read_curve
from devices.random import Stream
from substrate.topology import Topology

from .arrays import DataError, Read, digest_of, fault, npz_parts, refuse_large
from .datasets import Data, describe, load_task
from .faults import dotted
from .load import Loaded, faults_at
from .measured_cells import PLACE as CELLS
from .measured_cells import cell_faults, read_cells
from .measured_converters import PLACES as CONVERTERS
from .measured_converters import converter_faults, read_converter
from .named_files import FileKey, named_files
from .schema import Network
from .shelf import Shelf, stamp

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
    cells: dict[str, Array] | None
    """Measured constants of cells, ``<block>/<name>``."""

    converters: dict[str, Array]
    """Measured tables of converters, `readout` and `nudge`."""

    content: dict[str, str]
    """Digest of what every file holds that the scenario names, by its key."""


def check(loaded: Loaded, shelf: Shelf | None = None) -> None:
    """Check what the schema cannot see: files, shapes and sizes, without loading the data.

    Parameters
    ----------
    loaded : Loaded
        The scenario.
    shelf : Shelf, optional
        What other points of a sweep have read before.

    Raises
    ------
    ScenarioError
        With every fault found.
    """
    scenario, shelf = loaded.scenario, shelf or Shelf()
    found: Found = []
    classes: int | None = None
    try:
        folder = loaded.folder(*_TASK)
        outline = shelf.get(("outline", *_source(loaded)), lambda: describe(scenario.task, folder))
        classes = outline.classes
        found += _width_faults(scenario.network, outline.inputs)
    except DataError as error:
        found.append((("task", *error.field.split(".")[1:]), error.message, error.hint))
    found += _parameter_faults(loaded, classes, shelf)
    found += _curve_faults(loaded)
    found += cell_faults(loaded)
    found += converter_faults(loaded)
    if found:
        raise faults_at(loaded, found)


def assemble(loaded: Loaded, shelf: Shelf | None = None) -> Parts:
    """Load the data and choose the programmed parameters of a scenario.

    Parameters
    ----------
    loaded : Loaded
        The scenario.
    shelf : Shelf, optional
        What other points of a sweep have read and drawn before.

    Raises
    ------
    ScenarioError
        If a file is missing or does not fit.
    """
    shelf, network = shelf or Shelf(), loaded.scenario.network
    check(loaded, shelf)
    data = _data(loaded, shelf)
    read = {key: READERS[key](loaded, shelf) for key in named_files(loaded)}
    values = {key: found.value for key, found in read.items()}
    topology = Topology(network.layers, network.connections, None if network.cost == "mse" else data.y.shape[1])
    programmed = values.get(_PARAMETERS)
    if programmed is None:
        programmed = _initial(loaded, topology, shelf)
    else:
        _refuse(loaded, _shape_faults(topology, programmed))
    if loaded.scenario.devices.feedback.tied:
        _refuse(loaded, _unequal_faults(topology, programmed))
    return Parts(
        topology,
        programmed,
        data,
        values.get(_CURVE, network.activation),
        values.get(CELLS),
        {name: values[key] for name, key in CONVERTERS.items() if key in values},
        {dotted(key): found.digest for key, found in read.items()},
    )


def _data(loaded: Loaded, shelf: Shelf) -> Data:
    """Return the data of the task.

    Raises
    ------
    ScenarioError
        If they cannot be read or do not fit.
    """
    task, network = loaded.scenario.task, loaded.scenario.network
    inputs, *_, last = network.layers.values()
    outputs, folder = last if network.cost == "mse" else None, loaded.folder(*_TASK)
    try:
        data = shelf.get((*_source(loaded), inputs, outputs), lambda: load_task(task, folder, inputs, outputs))
    except DataError as error:
        raise faults_at(loaded, [(("task", *error.field.split(".")[1:]), error.message, error.hint)]) from error
    if network.cost == "cross-entropy" and not _distributions(data.y):
        place, hint = "path", "give integer labels, or rows that are not negative and sum to 1"
        if task.kind == "teacher":
            place, hint = "targets", 'take "classes", or network.cost = "mse"'
        raise faults_at(loaded, [(("task", place), "y does not hold class probabilities", hint)])
    return data


def _source(loaded: Loaded) -> tuple[Hashable, Hashable]:
    """Return what the data of a task depend on: what is said of them, and the files."""
    path = named_files(loaded).get(_TASK)
    return loaded.scenario.task.model_dump_json(), stamp(path) if path else None


def _initial(loaded: Loaded, topology: Topology, shelf: Shelf) -> dict[str, Array]:
    network, seed = loaded.scenario.network, loaded.scenario.seed
    wiring = tuple(network.layers.items()), tuple(network.connections), topology.classes
    key = (*wiring, network.asymmetry.angle, seed)
    return shelf.get(key, lambda: initial_parameters(topology, network.asymmetry.angle, seed))


def _read_data(loaded: Loaded, shelf: Shelf) -> Read:
    data = _data(loaded, shelf)
    return Read(data, data.sha256)


def _read_parameters(loaded: Loaded, shelf: Shelf) -> Read:
    path = named_files(loaded)[_PARAMETERS]
    blocks = shelf.get(stamp(path), lambda: _read_blocks(path))
    return Read(blocks, digest_of(blocks))


def _read_activation(loaded: Loaded, _shelf: Shelf) -> Read:
    curve = read_curve(named_files(loaded)[_CURVE])
    return Read(curve, digest_of(curve._asdict()))


_TASK, _PARAMETERS, _CURVE = ("task", "path"), ("network", "parameters"), ("network", "activation", "table")

READERS: dict[FileKey, Callable[[Loaded, Shelf], Read]] = {
    _TASK: _read_data,
    _PARAMETERS: _read_parameters,
    _CURVE: _read_activation,
    CELLS: lambda loaded, _: read_cells(loaded),
    CONVERTERS["readout"]: lambda loaded, _: read_converter(loaded, "readout"),
    CONVERTERS["nudge"]: lambda loaded, _: read_converter(loaded, "nudge"),
}
"""What reads the file of each key; every key of `named_files.FILE_KEYS` has its own."""


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


def _parameter_faults(loaded: Loaded, classes: int | None, shelf: Shelf) -> Found:
    network = loaded.scenario.network
    if network.parameters is None:
        return []
    place = ("network", "parameters")
    try:
        blocks: dict[str, Array] = _read_parameters(loaded, shelf).value
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
    place = _CURVE
    if _CURVE not in named_files(loaded):
        return []
    try:
        _read_activation(loaded, Shelf())
    except ValueError as error:
        return [(place, str(error), "give a CSV file of two columns: state (increasing), activity (never falling)")]
    except OSError as error:
        return [(place, f"cannot be read ({error.strerror})", "paths start at the scenario file")]
    return []


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
