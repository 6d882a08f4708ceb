"""Everything that the scenario of a circuit describes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.draws import combine_seeds
from learning.schemes.scheme import SCHEMES, Scheme
from substrate.circuits.chip import CircuitChip
from substrate.circuits.design import CircuitDesign, PhaseClock, place_blocks
from substrate.circuits.effects.sources import add_source_resistance
from substrate.circuits.effects.wires import add_crossbars, add_leads
from substrate.circuits.exact import CircuitOracle
from substrate.circuits.faults import find_circuit_faults, find_floating_nodes
from substrate.circuits.forms import AnyCircuitChip, make_oracle
from substrate.circuits.layered.chip import LayeredChip
from substrate.circuits.layered.design import LayeredDesign, draw_parameters
from substrate.circuits.motion.transient import invert_capacitance
from substrate.circuits.spice.deck import ElementNames
from substrate.circuits.system import LIMIT, assemble_system

from ..changes import ChangedSetup
from ..data.arrays import DataError, FileContent, compute_digest
from ..data.datasets import Data
from ..data.readers import PARAMETERS, read_parameters
from ..data.shelf import Shelf
from ..language.faults import Finding, ScenarioError, ScenarioFault, format_dotted_key
from ..language.load import LoadedScenario, make_scenario_error
from ..language.named_files import find_named_files
from ..schema.circuit.faults import is_fast
from ..schema.circuit.learning import CircuitScheme, CriticalShare
from ..schema.circuit.network import ExponentialDiodes, LayeredNetwork
from ..schema.circuit.scenario import AlternatingTask, CircuitSpec
from ..schema.plan import ExperimentPlan
from .data import read_circuit_data
from .elements import BuiltCircuit, add_capacitance, build_graph, list_lattice_elements
from .layers import build_layers
from .netlists import read_netlist_circuit
from .updates import find_update_faults

Array = NDArray[np.float64]

_FIRST_BATCH = 4
"""Samples by which the critical nudge is judged."""


class CircuitFabrication(NamedTuple):
    """Which piece of hardware."""

    seed: int
    instance: int


class CircuitSetup(NamedTuple):
    """Everything that the scenario of a circuit describes, in SI units; the counterpart of `scenarios.build.Setup`."""

    scenario: CircuitSpec
    design: CircuitDesign | LayeredDesign
    graph: CircuitDesign
    """The same circuit on a graph, whatever form it is simulated in."""

    programmed: Mapping[str, Array]
    """Parameters to programme, by block; siemens, volts and amperes."""

    names: Mapping[str, list[str]]
    """Names of learned elements by block, of circuits on graphs."""

    elements: ElementNames
    """Names of all elements but ideal diodes, of circuits on graphs."""

    data: Data
    fabrication: CircuitFabrication
    content: dict[str, str]
    """Digest of what every file holds that the scenario names, by key."""

    taken: list[str]
    """What every file was taken for, one line each."""

    changes: tuple[ChangedSetup[Any], ...] = ()
    """What changes of the design make of it."""

    @property
    def plan(self) -> ExperimentPlan:
        """What is done with the circuit."""
        return self.scenario.experiment

    @property
    def batch_size(self) -> int:
        """Samples of a batch of a training.

        Raises
        ------
        TypeError
            If tasks alternate, so that there are no batches.
        """
        task = self.scenario.task
        if isinstance(task, AlternatingTask):
            raise TypeError("tasks that alternate have no batches")
        return task.batch

    def chip(
        self,
        instance: int | None = None,
        programmed: Mapping[str, Array] | None = None,
        threads: int | None = None,
    ) -> AnyCircuitChip:
        """Return a circuit of this design; absent a number, the piece of hardware of the scenario."""
        seed, own = self.fabrication
        blocks = programmed or self.programmed
        number = own if instance is None else instance
        if isinstance(self.design, LayeredDesign):
            return LayeredChip(self.design, blocks, threads, seed, number)
        return CircuitChip(self.design, blocks, seed, number)

    def schemes(self) -> list[Scheme | None]:
        """Return the nudge schemes with their sizes in siemens; one None for a rule that does not nudge.

        Raises
        ------
        ScenarioError
            If a nudge is a share of a critical one that there is not.
        """
        given = self.scenario.learning.all_schemes()
        return [make_scheme(one, self.find_critical_nudge, self.scenario.seed) for one in given] or [None]

    def find_critical_nudge(self) -> float:
        """Return the smallest critical nudge of the first samples, in siemens, of the circuit as it is programmed.

        Infinity where none has one, as where diodes hold all outputs.
        """
        rows = slice(_FIRST_BATCH)
        x, y = np.asarray(self.data.x[rows]), np.asarray(self.data.y[rows])
        oracle: CircuitOracle = make_oracle(self.chip())
        point = oracle.find_point(x, y)
        return float(point.critical[point.reached & (point.critical > 0.0)].min(initial=np.inf))


def make_scheme(given: CircuitScheme, critical: Any, seed: int) -> Scheme:
    """Return a nudge scheme whose size is a conductance in siemens; `critical` gives the critical one where needed."""
    beta = given.beta.fraction * critical() if isinstance(given.beta, CriticalShare) else given.beta
    if beta == np.inf:
        words = "no sample of the first batch has a critical nudge, of which this would be a share"
        raise ScenarioError([ScenarioFault(("learning", "scheme", "beta"), words, 'give beta = "10 uS"')])
    keys: dict[str, Any] = {"beta": beta}
    if given.points is not None:
        keys["points"] = given.points
    if given.kind == "random-sign":
        keys["seed"] = combine_seeds(seed, given.seed or 0)
    kind = next(kind for kind in SCHEMES if kind.model_fields["kind"].default == given.kind)
    return kind.model_construct(**keys)  # the range of `beta` there is that of rate networks


def make_circuit_setup(loaded: LoadedScenario, spec: CircuitSpec, shelf: Shelf | None = None) -> CircuitSetup:
    """Return what the scenario of a circuit describes: each of its files is read, once.

    Raises
    ------
    ScenarioError
        With everything that is wrong with its elements, its files, and how they fit.
    """
    files = find_named_files(loaded)
    built, content, taken, found = _build_circuit(spec, files)
    if found or built is None:
        raise make_scenario_error(loaded, found)
    found += [*_find_element_faults(spec, built.design), *find_update_faults(spec, built)]
    found = found or _find_wire_faults(spec, built.design)
    if found:
        raise make_scenario_error(loaded, found)
    graph = _surround(spec, built.design)
    if found := _find_time_faults(spec, graph):
        raise make_scenario_error(loaded, found)
    programmed, more, words, faults = _find_parameters(loaded, spec, built, shelf or Shelf())
    faults = faults or _find_floating_faults(spec, built.design, programmed)
    data, wrong = _read_data(loaded, spec, built.design)
    if data is None or faults or wrong:
        raise make_scenario_error(loaded, [*faults, *wrong])
    path = files.get(("task", "path"))
    digests = content | more | ({"task.path": data.sha256} if path else {})
    lines = taken + words + ([_describe_data(data, path)] if path else [])
    design = _make_layered_design(spec) if is_fast(spec) else graph
    fabrication = CircuitFabrication(spec.seed, spec.chip.instance)
    return CircuitSetup(spec, design, graph, programmed, built.names, built.elements, data, fabrication, digests, lines)


def _build_circuit(
    spec: CircuitSpec, files: Mapping[tuple[str, ...], Path]
) -> tuple[BuiltCircuit | None, dict[str, str], list[str], list[Finding]]:
    """Return the circuit, digests and words of the files that describe it, and what is wrong with them."""
    network = spec.network
    if isinstance(network, LayeredNetwork):
        return BuiltCircuit(build_layers(network), {}, {}, {}), {}, [], []
    if network.netlist is not None:
        return read_netlist_circuit(network, files[("network", "netlist")])
    return build_graph(network, list_lattice_elements(network, spec.seed)), {}, [], []


def _surround(spec: CircuitSpec, design: CircuitDesign) -> CircuitDesign:
    """Return a circuit with what lies between its elements and around its nodes, and how it is used."""
    if (ohms := spec.devices.inputs.resistance) is not None:
        design = add_source_resistance(design, ohms)
    if (ohms := spec.devices.weights.wires) is not None:
        add = add_crossbars if isinstance(spec.network, LayeredNetwork) else add_leads
        design = add(design, ohms)
    circuit = add_capacitance(design.circuit, spec.physical.capacitance)
    design = design._replace(devices=spec.devices, nudge=spec.phases.nudge, energy=spec.energy)
    clock = PhaseClock(spec.dynamics.free.duration, spec.dynamics.nudged.duration)
    return design._replace(circuit=circuit, tolerance=spec.dynamics.limit, clock=clock)


def _find_wire_faults(spec: CircuitSpec, design: CircuitDesign) -> list[Finding]:
    """Return that wires add more nodes than such a circuit may have."""
    if spec.devices.weights.wires is None:
        return []
    circuit = design.circuit
    added = len(circuit.conductors.g) * (2 if isinstance(spec.network, LayeredNetwork) else 1)
    count = len(circuit.free) + len(circuit.transistors.gate) + added
    if count <= LIMIT:
        return []
    words = f"makes {count:,} free nodes, more than {LIMIT:,} that such a circuit may have"
    return [(("devices", "weights", "wires"), words, "use fewer nodes, or leave the wires out")]


def _find_time_faults(spec: CircuitSpec, design: CircuitDesign) -> list[Finding]:
    if not spec.experiment.only_curves and not spec.dynamics.ends_by_clock:
        return []
    try:
        invert_capacitance(assemble_system(design.circuit))
    except ValueError as error:
        return [(("physical",), str(error), 'write capacitance = "1 pF"')]
    return []


def _find_element_faults(spec: CircuitSpec, design: CircuitDesign) -> list[Finding]:
    place = ("network",)
    found: list[Finding] = []
    file = getattr(spec.network, "netlist", None) is not None
    if not design.inputs[1]:
        hint = 'write inputs = { x0 = "Vx0" }' if file else 'write a node such as x = "input"'
        found.append((place, "has no input node", hint))
    if not len(design.circuit.outputs):
        hint = 'write outputs = ["out"]' if file else 'write a node such as out = "output"'
        found.append((place, "has no output node", hint))
    if not isinstance(spec.network, LayeredNetwork):
        faults = find_circuit_faults(design.circuit)
        found += [(place, f"{fault.subject} {fault.message}", fault.hint) for fault in faults]
    if not found and not is_fast(spec) and len(design.circuit.free) > LIMIT:
        words = f"{len(design.circuit.free):,} free nodes, more than {LIMIT:,} that such a circuit may have"
        found.append(
            (place, words, "use fewer nodes; layers with ideal diodes, of devices mismatch alone, have no limit")
        )
    return found


def _find_parameters(
    loaded: LoadedScenario, spec: CircuitSpec, built: BuiltCircuit, shelf: Shelf
) -> tuple[dict[str, Array], dict[str, str], list[str], list[Finding]]:
    """Return the parameters to programme, with digest and words of their file, and what is wrong with it."""
    network = spec.network
    if not isinstance(network, LayeredNetwork):
        return built.programmed, {}, [], []
    if network.init is not None:
        design = _make_layered_design(spec)
        return draw_parameters(design, network.init.unit, spec.seed, 0, network.init.scale), {}, [], []
    try:
        read: FileContent = read_parameters(loaded, shelf)
    except DataError as error:
        return {}, {}, [], [(("network", "parameters"), error.message, error.hint)]
    found: list[Finding] = []
    bounds = _make_layered_design(spec).window
    for name, block in built.design.blocks.items():
        shape = block.elements.shape
        values = read.value.get(name)
        low, high = bounds if block.kind == "conductance" else (-np.inf, np.inf)
        if values is None or values.shape != shape or not np.isfinite(values).all():
            words = "lacks" if values is None else "does not hold finite numbers of this shape in"
            found.append((PARAMETERS, f"the file {words} {name!r}", f"add an array of shape {shape}"))
        elif not ((values >= low) & (values <= high)).all():
            words = f"the file has conductances outside of {low:g} S to {high:g} S in {name!r}"
            found.append((PARAMETERS, words, "change them, or widen devices.weights.window"))
    digest = {format_dotted_key(PARAMETERS): compute_digest(read.value)}
    words = f"{format_dotted_key(PARAMETERS)} = {network.parameters}: {len(read.value)} blocks in siemens and amperes"
    return {name: read.value[name] for name in built.design.blocks if name in read.value}, digest, [words], found


def _find_floating_faults(spec: CircuitSpec, design: CircuitDesign, programmed: Mapping[str, Array]) -> list[Finding]:
    """Return the nodes of layers whose first conductances are all 0; those of graphs are seen before."""
    network = spec.network
    if not isinstance(network, LayeredNetwork):
        return []
    place = PARAMETERS if network.init is None else ("network", "init")
    hint = "take more nodes, another seed, or devices.weights.window above 0 S"
    return [
        (place, f"{fault.subject} float: all first conductances that lead there are 0 S", hint)
        for fault in find_floating_nodes(place_blocks(design, programmed))
    ]


def _make_layered_design(spec: CircuitSpec) -> LayeredDesign:
    network, dynamics = spec.network, spec.dynamics
    if not isinstance(network, LayeredNetwork):
        raise TypeError("only layers have a layered design")
    window = spec.devices.weights.window
    ideal = tuple(name for name, diode in network.diodes.items() if not isinstance(diode, ExponentialDiodes))
    return LayeredDesign(
        network.layers,
        network.rails,
        ideal,
        network.bias,
        (window[0], window[1]) if window else (0.0, np.inf),
        spec.phases.nudge,
        dynamics.sweeps,
        dynamics.limit,
        dynamics.precision,
        spec.physical.capacitance or 0.0,
        spec.energy,
        spec.devices.weights.mismatch_sigma,
    )


def _read_data(loaded: LoadedScenario, spec: CircuitSpec, design: CircuitDesign) -> tuple[Data | None, list[Finding]]:
    try:
        return read_circuit_data(loaded, spec, design.inputs[1], len(design.circuit.outputs)), []
    except DataError as error:
        return None, [(tuple(error.field.split(".", 2)), error.message, error.hint)]


def _describe_data(data: Data, path: Path | None) -> str:
    name = path.name if path else ""
    return f"task.path = {name}: {len(data.x)} training and {len(data.x_test)} test samples"
