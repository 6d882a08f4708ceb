"""From a validated scenario to a chip and its data: the only place where strings become objects."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.neuron.activation import Curve
from devices.random import Stream
from learning.draws import both_seeds
from learning.schemes.scheme import Scheme
from substrate.chip.design import Design, Fabrication
from substrate.network.topology import Topology

from .data.arrays import DataError
from .data.datasets import Data
from .data.measured_cells import PLACE as CELLS
from .data.measured_cells import cell_faults
from .data.measured_converters import PLACES as CONVERTERS
from .data.measured_converters import converter_faults
from .data.measured_curve import PLACE as CURVE
from .data.measured_weights import PLACES as WEIGHTS
from .data.measured_weights import measured_weights, weight_faults
from .data.readers import PARAMETERS, READERS, read_data, read_outline, read_parameters
from .data.shelf import Shelf
from .language.faults import dotted
from .language.load import Loaded, faults_at
from .language.named_files import named_files
from .schema.experiments import Experiment
from .schema.scenario import Learning, Network, Scenario

if TYPE_CHECKING:  # it needs compiled code
    from substrate.chip.chip import Chip

Array = NDArray[np.float64]
Found = list[tuple[tuple[str | int, ...], str, str | None]]


_CUT_SPREAD = 0.87962566103423978
"""Standard deviation of a standard normal cut at 2."""


class Setup(NamedTuple):
    """Everything that a scenario describes, in units of the model; free of compiled code."""

    scenario: Scenario
    """Every number in units of the model; its seed has entered those of its schemes and of homeostasis."""

    design: Design
    programmed: dict[str, Array]
    """Parameters to programme, by block."""

    data: Data
    fabrication: Fabrication
    content: dict[str, str]
    """Digest of what every file holds that the scenario names, by its key."""

    taken: list[str]
    """What every file was taken for, one line each."""

    @property
    def schemes(self) -> list[Scheme]:
        """Every scheme that is measured."""
        return self.scenario.tried()

    @property
    def learning(self) -> Learning:
        """How gradients are estimated."""
        return self.scenario.learning

    @property
    def plan(self) -> Experiment:
        """What is done with the chip."""
        return self.scenario.experiment

    def chip(
        self,
        instance: int | None = None,
        programmed: Mapping[str, Array] | None = None,
        threads: int | None = None,
    ) -> Chip:
        """Return a chip of this design.

        Parameters
        ----------
        instance : int, optional
            Number of the fabricated chip; absent: that of the scenario.
        programmed : mapping of block name to array, optional
            Other parameters, and what a chip kept beside them.
        threads : int, optional
            Threads that share a batch; absent: all cores.
        """
        from substrate.chip.chip import Chip

        seed, own = self.fabrication
        made = Fabrication(seed, own if instance is None else instance)
        return Chip(self.design, programmed or self.programmed, made, threads)


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
        outline = read_outline(loaded, shelf)
        classes = outline.classes
        found += _width_faults(scenario.network, outline.inputs)
    except DataError as error:
        found.append((("task", *error.field.split(".")[1:]), error.message, error.hint))
    found += _parameter_faults(loaded, classes, shelf)
    found += _curve_faults(loaded, shelf)
    found += cell_faults(loaded)
    found += weight_faults(loaded)
    found += converter_faults(loaded)
    if found:
        raise faults_at(loaded, found)


def build(loaded: Loaded, shelf: Shelf | None = None) -> Setup:
    """Return what a scenario describes: its files are read, and its numbers are in units of the model.

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
    files = named_files(loaded)
    read = {key: READERS[key](loaded, shelf) for key in files}
    values = {key: found.value for key, found in read.items()}
    topology = Topology(network.layers, network.connections, None if network.cost == "mse" else data.y.shape[1])
    programmed = values.get(PARAMETERS)
    if programmed is None:
        programmed = _initial(loaded, topology, shelf)
    else:
        _refuse(loaded, _shape_faults(topology, programmed))
    if loaded.scenario.devices.feedback.tied:
        _refuse(loaded, _unequal_faults(topology, programmed))
    cells = measured_weights(loaded, {name: values[key] for name, key in WEIGHTS.items() if key in values}, programmed)
    scenario = loaded.scenario.in_units()
    design = design_of(scenario, topology, values.get(CURVE, network.activation))._replace(
        measured_cells=values.get(CELLS),
        measured_weights=cells,
        measured_converters={name: values[key] for name, key in CONVERTERS.items() if key in values},
    )
    return Setup(
        _with_seed(scenario),
        design,
        programmed,
        data,
        Fabrication(scenario.seed, scenario.chip.instance),
        {dotted(key): found.digest for key, found in read.items()},
        [f"{dotted(key)} = {path.name}: {read[key].taken}" for key, path in files.items()],
    )


def design_of(scenario: Scenario, topology: Topology, activation: str | Curve) -> Design:
    """Return the design of a scenario, without what was measured and is kept in files.

    Parameters
    ----------
    scenario : Scenario
        In units of the model, see `Scenario.in_units`.
    topology : Topology
        Its wiring.
    activation : str or Curve
        By name, or as it was measured.
    """
    network, devices, physical = scenario.network, scenario.devices, scenario.physical
    return Design(
        topology,
        activation,
        network.cost,
        scenario.dynamics,
        devices.feedback,
        network.law,
        devices.neurons,
        devices.noise,
        scenario.phases,
        devices.converters,
        devices.hold,
        devices.update,
        correction=scenario.learning.correction,
        energy=scenario.energy,
        weights=devices.weights,
        wires=devices.wires,
        twin=devices.twin,
        tau=scenario.tau,
        retention=devices.retention,
        comparator=devices.comparator,
        synapse=physical.synapse if physical else "virtual-ground",
        volt_ratio=physical.volt_ratio if physical else 1.0,
    )


def _with_seed(scenario: Scenario) -> Scenario:
    """Return the scenario whose schemes and homeostasis draw by its own seed, too; done once."""
    learning = scenario.learning

    def drawn(part: Any) -> Any:
        own = getattr(part, "seed", None)
        return part if own is None else part.model_copy(update={"seed": both_seeds(scenario.seed, own)})

    schemes = {"scheme": drawn(learning.scheme), "schemes": learning.schemes and [*map(drawn, learning.schemes)]}
    changes = schemes | {"homeostasis": drawn(learning.homeostasis)}
    return scenario.model_copy(update={"learning": learning.model_copy(update=changes)})


def _data(loaded: Loaded, shelf: Shelf) -> Data:
    """Return the data of the task.

    Raises
    ------
    ScenarioError
        If they cannot be read or do not fit.
    """
    task, network = loaded.scenario.task, loaded.scenario.network
    try:
        data = read_data(loaded, shelf)
    except DataError as error:
        raise faults_at(loaded, [(("task", *error.field.split(".")[1:]), error.message, error.hint)]) from error
    if network.cost == "cross-entropy" and not _distributions(data.y):
        place, hint = "path", "give integer labels, or rows that are not negative and sum to 1 within 1e-6"
        if task.kind == "teacher":
            place, hint = "targets", 'take "classes", or network.cost = "mse"'
        raise faults_at(loaded, [(("task", place), _no_probabilities(data.y), hint)])
    return data


def _initial(loaded: Loaded, topology: Topology, shelf: Shelf) -> dict[str, Array]:
    network, seed = loaded.scenario.network, loaded.scenario.seed
    wiring = tuple(network.layers.items()), tuple(network.connections), topology.classes
    key = (*wiring, network.asymmetry.angle, seed)
    return shelf.get(key, lambda: initial_parameters(topology, network.asymmetry.angle, seed))


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
        blocks[feedback.block] = sine * blocks[feedback.block] + cosine * forward.kind.mirror(blocks[forward.block])
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
        blocks: dict[str, Array] = read_parameters(loaded, shelf).value
    except DataError as error:
        return [(place, error.message, error.hint)]
    if network.cost == "mse":
        classes = None
    elif classes is None:
        weight = blocks.get("readout/weight")
        classes = weight.shape[-1] if weight is not None and weight.ndim == 2 else 2
    return _shape_faults(Topology(network.layers, network.connections, classes), blocks)


def _no_probabilities(y: Array) -> str:
    """Return why rows of targets are no probabilities of classes."""
    sums = y.sum(axis=1)
    found = (
        f"its least entry is {y.min():g}" if y.min() < 0.0 else f"its rows sum to {sums.min():.6g} to {sums.max():.6g}"
    )
    return f"y does not hold class probabilities: {found}"


def _distributions(y: Array) -> bool:
    return bool((y >= 0.0).all() and np.allclose(y.sum(axis=1), 1.0, rtol=0.0, atol=1e-6))


def _curve_faults(loaded: Loaded, shelf: Shelf) -> Found:
    try:
        if CURVE in named_files(loaded):
            READERS[CURVE](loaded, shelf)
    except DataError as error:
        return [(CURVE, error.message, error.hint)]
    return []


def _shape_faults(topology: Topology, blocks: Mapping[str, Array]) -> Found:
    place = ("network", "parameters")
    found: Found = []
    for name, shape in topology.shapes.items():
        if name not in blocks:
            found.append((place, f"the file lacks {name!r}", f"add an array of shape {shape}"))
        elif blocks[name].shape != shape:
            turned = ": transpose it" if blocks[name].shape == shape[::-1] else ""
            words = f"{name!r} has shape {blocks[name].shape}"
            found.append((place, words, f"it must be {shape}, (pre, post) units{turned}"))
        elif not np.isfinite(blocks[name]).all():
            found.append((place, f"{name!r} has entries that are not finite", "replace nan and inf"))
    found += [
        (place, f"{name!r} belongs to nothing in this network", "blocks are " + ", ".join(topology.shapes))
        for name in blocks
        if name not in topology.shapes
    ]
    return found


def _unequal_faults(topology: Topology, blocks: Mapping[str, Array]) -> Found:
    return [
        (
            ("devices", "feedback", "storage"),
            f"one number stands for both weights, but {back.block!r} is not the transpose of {forward.block!r}",
            'give network.parameters that are, or take storage = "independent"',
        )
        for forward, back in topology.pairs()
        if not np.array_equal(blocks[back.block], topology.mirror(forward.block, blocks[forward.block]))
    ]


def _refuse(loaded: Loaded, found: Found) -> None:
    if found:
        raise faults_at(loaded, found)
