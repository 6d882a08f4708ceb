"""From a validated scenario to a chip and its data: the only place where strings become objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.block import DeviceBlock, fingerprint_block
from devices.neuron.activation import Curve
from devices.neuron.curves import find_own_activation
from devices.programming.own import WriteLaw
from learning.draws import combine_seeds
from learning.policies.policy import KnownCells
from learning.schemes.scheme import Scheme
from substrate.chip.design import Design, Fabrication
from substrate.dynamics.methods import INSTALL_JAX
from substrate.network.topology import Topology

from .cell_noise import find_cell_noise_faults
from .changes import ChangedSetup, list_changed_scenarios
from .data.arrays import DataError, FileContent, compute_digest
from .data.calibration import PLACE as CALIBRATION
from .data.calibration import Calibration
from .data.datasets import Data
from .data.measured_cells import PLACE as CELLS
from .data.measured_converters import PLACES as CONVERTERS
from .data.measured_curve import PLACE as CURVE
from .data.measured_weights import PLACES as WEIGHTS
from .data.measured_weights import assign_measured_weights
from .data.readers import DATA, PARAMETERS, READERS
from .data.shelf import Shelf
from .fabrication import find_fabrication_faults
from .initial import InitialParameters, sample_initial_parameters
from .language.faults import format_dotted_key
from .language.load import LoadedScenario, make_scenario_error
from .language.named_files import FileKey, find_named_files
from .recording import find_record_faults
from .schema.circuit.scenario import CircuitSpec
from .schema.experiments import Experiment
from .schema.learning import Learning, describe_cells
from .schema.network import Network
from .schema.scenario import ScenarioSpec

if TYPE_CHECKING:  # they need compiled code
    from substrate.chip.chip import Chip

    from .circuits.setup import CircuitSetup

Array = NDArray[np.float64]
Found = list[tuple[tuple[str | int, ...], str, str | None]]


class Setup(NamedTuple):
    """Everything that a scenario describes, in units of the model; free of compiled code."""

    scenario: ScenarioSpec
    """Every number in units of the model; its seed has entered those of its schemes and of homeostasis."""

    design: Design
    programmed: Mapping[str, Array]
    """Parameters to programme, by block."""

    data: Data
    fabrication: Fabrication
    content: dict[str, str]
    """Digest of what every file holds that the scenario names, and of what its user's own laws compute, by key."""

    taken: list[str]
    """What every file was taken for, one line each."""

    changes: tuple[ChangedSetup[Any], ...] = ()
    """What changes of the design make of it."""

    calibration: Calibration = Calibration({}, {})
    """Scales and stuck cells of the board, as they were measured."""

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

    @property
    def known_cells(self) -> KnownCells:
        """What the controller knows of the cells."""
        return describe_cells(self.design.devices, self.design.topology)

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


if TYPE_CHECKING:
    AnySetup = Setup | CircuitSetup
    """What a scenario describes: a rate network or a circuit."""


def make_any_setup(loaded: LoadedScenario, shelf: Shelf | None = None) -> AnySetup:
    """Return what a scenario describes, whatever it is, and its changes; errors as those of `make_setup`."""
    shelf, setup = shelf or Shelf(), _make_plain_setup(loaded, shelf)
    changes = tuple(
        ChangedSetup(change, _make_plain_setup(changed, shelf), changed.spec.to_toml())
        for change, changed in list_changed_scenarios(loaded)
    )
    content = dict(setup.content)
    for k, one in enumerate(changes):
        content |= {f"change {k}: {key}": digest for key, digest in one.setup.content.items()}
    return setup._replace(changes=changes, content=content)


def _make_plain_setup(loaded: LoadedScenario, shelf: Shelf | None) -> AnySetup:
    """Return what a scenario describes before any change of its design."""
    if isinstance(loaded.spec, CircuitSpec):
        from .circuits.setup import make_circuit_setup

        return make_circuit_setup(loaded, loaded.spec, shelf)
    return make_setup(loaded, shelf)


def make_setup(loaded: LoadedScenario, shelf: Shelf | None = None) -> Setup:
    """Return what a scenario describes: each of its files is read, once, and its numbers are in units of the model.

    Parameters
    ----------
    loaded : Loaded
        The scenario.
    shelf : Shelf, optional
        What other points of a sweep have read and drawn before.

    Raises
    ------
    ScenarioError
        With everything that is wrong with its files, and with how they fit the rest of it.
    """
    shelf, network, files = shelf or Shelf(), loaded.scenario.network, find_named_files(loaded)
    read, found = _read_files(loaded, files, shelf)
    found += _find_engine_faults(loaded.scenario)
    values = {key: one.value for key, one in read.items()}
    topology = Topology(network.layers, network.connections, _count_readout_classes(network, values))
    if PARAMETERS in values:
        found += _find_shape_faults(topology, values[PARAMETERS])
    if DATA in values:
        found += find_record_faults(loaded.scenario, len(values[DATA].x))
    if found:
        raise make_scenario_error(loaded, found)
    data: Data = values[DATA]
    programmed = values.get(PARAMETERS) or _make_initial(loaded, topology, shelf)
    # Initial weights of tied cells are equal.
    tied = loaded.scenario.devices.feedback.tied and PARAMETERS in values
    if tied and (unequal := _find_transpose_faults(topology, programmed)):
        raise make_scenario_error(loaded, unequal)
    cells = assign_measured_weights(
        loaded, {name: values[key] for name, key in WEIGHTS.items() if key in values}, programmed
    )
    scenario = loaded.scenario.in_units()
    design = make_design(scenario, topology, values.get(CURVE, network.activation))._replace(
        measured_cells=values.get(CELLS),
        measured_weights=cells,
        measured_converters={name: values[key] for name, key in CONVERTERS.items() if key in values},
    )
    first = Fabrication(scenario.seed, scenario.chip.instance)
    faults = list(find_fabrication_faults(design, first, scenario.experiment.chip_count))
    if faults := [*faults, *find_cell_noise_faults(design, scenario.learning), *_find_plan_faults(scenario, data)]:
        raise make_scenario_error(loaded, faults)
    return Setup(
        _fill_in_seed(scenario),
        design,
        programmed,
        data,
        first,
        {format_dotted_key(key): read[key].digest for key in files} | _digest_own_laws(scenario),
        [f"{format_dotted_key(key)} = {path.name}: {read[key].taken}" for key, path in files.items()],
        calibration=values.get(CALIBRATION, Calibration({}, {})),
    )


def _read_files(
    loaded: LoadedScenario, files: Iterable[FileKey], shelf: Shelf
) -> tuple[dict[FileKey, FileContent], Found]:
    """Return what the task and the files of a scenario hold by key, as far as they can be read, and what is wrong."""
    read: dict[FileKey, FileContent] = {}
    found: Found = []
    for key in dict.fromkeys([*files, DATA]):  # a task without a file is read, too
        try:
            read[key] = READERS[key](loaded, shelf)
            found += [(key, *words) for words in read[key].faults]
        except DataError as error:
            place = tuple(error.field.split(".", 2)) if key == DATA else key
            found.append((place, error.message, error.hint))
    return read, found + (_find_target_faults(loaded, read[DATA].value) if DATA in read else [])


def _find_plan_faults(scenario: ScenarioSpec, data: Data) -> list[tuple[tuple[str, ...], str, str]]:
    """Return what an experiment lacks for its samples; the numbers of the scenario are plain."""
    topology = Topology(scenario.network.layers, scenario.network.connections)
    found = scenario.experiment.find_setup_faults(scenario, topology, len(data.x))
    return [(("experiment", *place), words, hint) for place, words, hint in found]


def _find_engine_faults(scenario: ScenarioSpec) -> Found:
    """Return what the engine that is asked for lacks on this machine, or cannot do."""
    if scenario.dynamics.engine == "cpu":
        return []
    found: Found = []
    if lacking := [name for name in ("jax", "jaxlib") if find_spec(name) is None]:
        found.append((("dynamics", "engine"), f"not installed here: {', '.join(lacking)}", INSTALL_JAX))
    activation = scenario.network.activation
    if isinstance(activation, str) and find_own_activation(activation) is not None:
        words = f"{activation!r}, an activation of your own, is compiled for the processor"
        found.append((("network", "activation"), words, 'set dynamics.engine = "cpu"'))
    return found


def _find_target_faults(loaded: LoadedScenario, data: Data) -> Found:
    """Return why the targets are no probabilities of classes, where they must be."""
    task, network = loaded.scenario.task, loaded.scenario.network
    if network.cost != "cross-entropy" or data.labels is not None or _are_distributions(y := np.asarray(data.y)):
        return []
    place, hint = "path", "give integer labels, or rows that are not negative and sum to 1 within 1e-6"
    if task.kind == "teacher":
        place, hint = "targets", 'take "classes", or network.cost = "mse"'
    return [(("task", place), _describe_target_fault(y), hint)]


def make_design(scenario: ScenarioSpec, topology: Topology, activation: str | Curve) -> Design:
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
    network, physical = scenario.network, scenario.physical
    return Design(
        topology,
        activation,
        network.cost,
        scenario.dynamics,
        scenario.devices,
        network.law,
        scenario.phases,
        scenario.learning.correction,
        scenario.energy,
        scenario.tau,
        batch=scenario.task.batch,
        synapse=physical.synapse if physical else "virtual-ground",
        volt_ratio=physical.volt_ratio if physical else 1.0,
        arrays=scenario.learning.write.extra_arrays,
    )


def _digest_own_laws(scenario: ScenarioSpec) -> dict[str, str]:
    """Return the digest of what the user's own laws compute, by key: their names alone say little."""
    devices = scenario.devices
    blocks = {name: block for name, block in devices if isinstance(block, DeviceBlock)}
    found = {name: fingerprint_block(block) for name, block in blocks.items() if block != type(block)()}
    if isinstance(devices.update, WriteLaw):
        found["update"] = devices.update.shape().nodes
    digests = {f"devices.{name}": compute_digest({"values": values}) for name, values in found.items()}
    law = scenario.network.activation
    curve = find_own_activation(law) if isinstance(law, str) else None
    return digests | ({"network.activation": curve.digest} if curve else {})


def _fill_in_seed(scenario: ScenarioSpec) -> ScenarioSpec:
    """Return the scenario whose schemes, rule, homeostasis and writes draw by its own seed, too; done once."""
    learning = scenario.learning

    def drawn(part: Any) -> Any:
        own = getattr(part, "seed", None)
        return part if own is None else part.model_copy(update={"seed": combine_seeds(scenario.seed, own)})

    schemes = {"scheme": drawn(learning.scheme), "schemes": learning.schemes and [*map(drawn, learning.schemes)]}
    changes = schemes | {name: drawn(getattr(learning, name)) for name in ("rule", "homeostasis", "write")}
    return scenario.model_copy(update={"learning": learning.model_copy(update=changes)})


def _make_initial(loaded: LoadedScenario, topology: Topology, shelf: Shelf) -> InitialParameters:
    network, seed = loaded.scenario.network, loaded.scenario.seed
    key = str(network.layers), str(network.connections), topology.classes, network.asymmetry.angle, seed
    angle = network.asymmetry.angle
    return shelf.get(
        key, lambda: InitialParameters(topology.shapes, cache(lambda: sample_initial_parameters(topology, angle, seed)))
    )


def _count_readout_classes(network: Network, values: Mapping[FileKey, Any]) -> int | None:
    """Return the classes of the readout, by the data or, where these cannot be read, by the parameters."""
    if network.cost == "mse":
        return None
    if DATA in values:
        return int(values[DATA].y.shape[1])
    weight = values.get(PARAMETERS, {}).get("readout/weight")
    return int(weight.shape[-1]) if weight is not None and weight.ndim == 2 else 2


def _describe_target_fault(y: Array) -> str:
    """Return why rows of targets are no probabilities of classes."""
    sums = y.sum(axis=1)
    found = (
        f"its least entry is {y.min():g}" if y.min() < 0.0 else f"its rows sum to {sums.min():.6g} to {sums.max():.6g}"
    )
    return f"y does not hold class probabilities: {found}"


def _are_distributions(y: Array) -> bool:
    return bool((y >= 0.0).all() and np.allclose(y.sum(axis=1), 1.0, rtol=0.0, atol=1e-6))


def _find_shape_faults(topology: Topology, blocks: Mapping[str, Array]) -> Found:
    place = ("network", "parameters")
    found: Found = []
    orders = {c.block: f", ({', '.join(c.kind.dims)})" for c in topology.connections}
    for name, shape in topology.shapes.items():
        if name not in blocks:
            found.append((place, f"the file lacks {name!r}", f"add an array of shape {shape}"))
        elif blocks[name].shape != shape:
            turned = ": transpose it" if blocks[name].shape == shape[::-1] else ""
            words = f"{name!r} has shape {blocks[name].shape}"
            found.append((place, words, f"it must be {shape}{orders.get(name, '')}{turned}"))
        elif not np.isfinite(blocks[name]).all():
            found.append((place, f"{name!r} has entries that are not finite", "replace nan and inf"))
    found += [
        (place, f"{name!r} belongs to nothing in this network", "blocks are " + ", ".join(topology.shapes))
        for name in blocks
        if name not in topology.shapes
    ]
    return found


def _find_transpose_faults(topology: Topology, blocks: Mapping[str, Array]) -> Found:
    return [
        (
            ("devices", "feedback", "storage"),
            f"one number stands for both weights, but {back.block!r} is not the transpose of {forward.block!r}",
            'give network.parameters that are, or take storage = "independent"',
        )
        for forward, back in topology.pairs()
        if not np.array_equal(blocks[back.block], topology.mirror(forward.block, blocks[forward.block]))
    ]
