"""What of a circuit's scenario has no meaning, or no effect, together with the rest; each fault at a key to change."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from devices.parameters import Parameters
from learning.circuits.coupled import Coupled
from substrate.network.wiring import LAYER_NAME

from .clock import find_clock_faults
from .continuous import find_continuous_faults
from .learning import CircuitSgd
from .network import ExponentialDiodes, GraphNetwork, Lattice, LayeredNetwork

if TYPE_CHECKING:  # the scenario asks for its faults
    from .scenario import CircuitSpec

MOST_CONDUCTORS = 100_000_000
"""Conductors between layers, or a memory would not hold them."""

Fault = tuple[tuple[str | int, ...], str, str | None]


def find_circuit_scenario_faults(scenario: CircuitSpec) -> list[Fault]:
    """Return what does not fit together, or changes nothing."""
    network = scenario.network
    found = [*(_find_layer_faults(network) if isinstance(network, LayeredNetwork) else _find_graph_faults(network))]
    if not found:
        found += [*_find_learning_faults(scenario), *_find_device_faults(scenario), *_find_settling_faults(scenario)]
        found += [
            *_find_time_faults(scenario),
            *_find_clock_faults(scenario),
            *find_continuous_faults(scenario),
            *_find_idle_faults(scenario),
            *_find_energy_faults(scenario),
        ]
    return found


def _find_layer_faults(network: LayeredNetwork) -> Iterator[Fault]:
    names, layers = list(network.layers), ("network", "layers")
    if len(names) < 2:
        yield layers, f"has {len(names)} layer", "give an input and an output at least"
        return
    for name in names:
        if not LAYER_NAME.fullmatch(name):
            yield (*layers, name), "not a layer name", "use a small letter, then small letters, digits or '_'"
    if (count := sum(a * b for a, b in pairwise(network.layers.values()))) > MOST_CONDUCTORS:
        words = f"there are {count:.3g} conductors between the layers, more than {MOST_CONDUCTORS:.3g}"
        yield layers, words, "use fewer nodes"
    yield from _find_connection_faults(network, names)
    yield from _find_hidden_faults(network)


def _find_connection_faults(network: LayeredNetwork, names: list[str]) -> Iterator[Fault]:
    place = ("network", "connections")
    usual = [f"{pre}-{post}" for pre, post in pairwise(names)]
    back = {f"{post}-{pre}": f"{pre}-{post}" for pre, post in pairwise(names)}
    for k, name in enumerate(network.connections):
        if name in back:
            words = f"{name!r} is the conductors {back[name]!r} seen from the other end"
            yield (*place, k), words, f"conductors have no direction: write {back[name]!r} once, or leave it out"
        elif name not in usual:
            words = f"{name!r} joins no layers that follow each other"
            yield (*place, k), words, "write " + ", ".join(map(repr, usual))
        elif name in network.connections[:k]:
            yield (*place, k), f"{name!r} stands there twice", "leave it out"
    for name in usual:
        if name not in network.connections:
            yield place, f"nothing joins {name.replace('-', ' and ')}", f"add {name!r}"


def _find_hidden_faults(network: LayeredNetwork) -> Iterator[Fault]:
    names = list(network.layers)
    for key in ("diodes", "amplifiers"):
        for name in getattr(network, key):
            if name not in names[1:-1]:
                hint = f"hidden layers are {', '.join(names[1:-1]) or 'none'}"
                yield ("network", key, name), f"{name!r} is no hidden layer", hint
    if network.init is None and network.parameters is None:
        hint = 'add init = { kind = "cut-uniform", unit = "10 uS" }'
        yield ("network",), "says no first conductances", hint
    if network.init is not None and network.parameters is not None:
        yield ("network", "init"), "changes nothing: network.parameters gives the conductances", "leave one of them out"


def _find_graph_faults(network: GraphNetwork) -> Iterator[Fault]:
    given = [key for key in ("elements", "lattice", "netlist") if getattr(network, key)]
    if len(given) != 1:
        words = "has no elements" if not given else f"{' and '.join(given)} exclude each other"
        yield ("network",), words, "give one of elements, lattice and netlist"
    for key in ("inputs", "outputs", "learn"):
        if getattr(network, key) and not network.netlist:
            yield ("network", key), "changes nothing: there is no netlist", "mark nodes and elements themselves"
    if network.nodes and not network.elements:
        yield ("network", "nodes"), "changes nothing without elements", "leave it out"
    yield from _find_node_faults(network)
    yield from _find_named_faults(network)
    yield from _find_lattice_faults(network.lattice) if network.lattice else ()


def _find_node_faults(network: GraphNetwork) -> Iterator[Fault]:
    """Yield named nodes that there are not, or that are none."""
    ends = {node for element in network.elements for node in element.between}
    for name in network.nodes if network.elements else ():
        place = ("network", "nodes", name)
        if name == "0":
            yield place, "is the ground, which is at 0 V", "take another node"
        elif name not in ends:
            yield place, "changes nothing: no element is there", "name it in between, or leave it out"


def _find_lattice_faults(lattice: Lattice) -> Iterator[Fault]:
    """Yield what is wrong with the nodes and first parameters of a lattice."""
    known = {f"r{r}c{c}" for r in range(lattice.rows) for c in range(lattice.columns)}
    last, seen = f"r{lattice.rows - 1}c{lattice.columns - 1}", set[str]()
    for key in ("input", "output", "held"):
        for k, name in enumerate(getattr(lattice, key)):
            place = ("network", "lattice", key, name if key == "held" else k)
            if name not in known:
                yield place, f"the lattice has no node {name!r}", f"nodes are r0c0 to {last}"
            elif name in seen:
                yield place, f"{name!r} stands there twice", "give every node one part to play"
            seen.add(name)
    first = {"conductance": ("resistors", '["10 uS", "100 uS"]'), "gate": ("transistors", '["2 V", "5 V"]')}
    own, other = ("conductance", "gate") if lattice.model is None else ("gate", "conductance")
    values, (edges, example) = getattr(lattice, own), first[own]
    if getattr(lattice, other) is not None:
        hint = "add a model" if lattice.model is None else "take the model away"
        yield ("network", "lattice", other), f"changes nothing: edges are {edges}", f"leave it out, or {hint}"
    if values is None:
        yield ("network", "lattice"), f"says nothing of its {edges}", f"add {own} = {example}"
    elif values[0] > values[1]:
        yield ("network", "lattice", own), "the first value is above the second", "give the lower one first"
    elif own == "conductance" and values[0] < 0.0:
        yield ("network", "lattice", own), "begins below 0 S", "conductances are 0 or more"


def _find_named_faults(network: GraphNetwork) -> Iterator[Fault]:
    """Yield what is wrong with elements and models by themselves."""
    names: set[str] = set()
    used = {getattr(element, "model", None) for element in network.elements}
    used |= {network.lattice.model} if network.lattice else set()
    for k, element in enumerate(network.elements):
        place = ("network", "elements", k)
        if element.name in names:
            yield (*place, "name"), f"{element.name!r} stands there twice", "give every element a name of its own"
        names.add(element.name)
        if element.between[0] == element.between[1]:
            yield (*place, "between"), "both ends are one node", "name two nodes"
        if element.kind == "conductor" and (element.resistance is None) == (element.conductance is None):
            yield place, "needs one of resistance and conductance", 'write resistance = "500 ohm"'
        model = getattr(element, "model", None)
        if model is not None and getattr(network.models.get(model), "kind", None) != element.kind:
            kinds = [name for name, one in network.models.items() if one.kind == element.kind]
            yield (*place, "model"), f"no {element.kind} model {model!r}", f"models are {', '.join(kinds) or 'none'}"
    model = network.lattice.model if network.lattice else None
    if model is not None and getattr(network.models.get(model), "kind", None) != "mos":
        yield ("network", "lattice", "model"), f"no mos model {model!r}", "add it to network.models"
    for name in network.models:
        if name not in used:
            yield ("network", "models", name), "changes nothing: no element has this model", "leave it out"


def _find_learning_faults(scenario: CircuitSpec) -> Iterator[Fault]:
    learning, plan = scenario.learning, scenario.experiment
    schemes, clamps = learning.all_schemes(), isinstance(learning.rule, Coupled)
    one = ("scheme",) if learning.scheme is not None else ("schemes",)
    if clamps and schemes:
        yield ("learning", *one), "changes nothing: coupled learning clamps the outputs", "leave it out"
    if not clamps and not schemes and plan.nudges and not plan.only_curves:
        hint = 'add [learning] scheme = { kind = "centred", beta = { fraction = 0.1 } }'
        yield ("learning",), "squared drops need a nudge scheme", hint
    for k, scheme in enumerate(schemes):
        place = ("learning", *one) if learning.scheme is not None else ("learning", *one, k)
        if scheme.points is not None and scheme.kind != "chebyshev":
            yield (*place, "points"), f"changes nothing: {scheme.kind} has points of its own", "leave it out"
        if scheme.seed is not None and scheme.kind != "random-sign":
            yield (*place, "seed"), f"changes nothing: {scheme.kind} draws no signs", "leave it out"
    if learning.metric == "none" and not _has_amplifiers(scenario):
        yield ("learning", "metric"), "changes nothing: there are no amplifiers", "leave it out"
    yield from _find_rate_faults(scenario, clamps)
    if scenario.phases.nudge == "held" and clamps:
        yield ("phases", "nudge"), "changes nothing: coupled learning does not nudge", "leave it out"


def _find_rate_faults(scenario: CircuitSpec, clamps: bool) -> Iterator[Fault]:
    rates, place, kinds = scenario.learning.optimiser, ("learning", "optimiser"), list_learned_kinds(scenario)
    right, wrong = ("coupled_rate", "rate") if clamps else ("rate", "coupled_rate")
    example = '"5 uS/V^2"' if clamps else '"0.6 uS^2/V^2"'
    if getattr(rates, wrong) is not None:
        rule = scenario.learning.rule.kind
        yield (*place, wrong), f"changes nothing under the rule {rule}", f"give {right} = {example}"
    linear = bool(kinds & {"conductance", "current"})
    blocks = [] if clamps else _list_layered_blocks(scenario.network)
    yield from _find_own_rate_faults(rates, blocks)
    whole = bool(blocks) and rates.rates.keys() >= set(blocks)
    if getattr(rates, right) is not None and not linear:
        yield (*place, right), "changes nothing: no conductance is learned", "give gate_rate"
    if rates.gate_rate is not None and "gate" not in kinds:
        yield (*place, "gate_rate"), "changes nothing: no gate is learned", f"give {right}"
    if scenario.experiment.resumes:
        if linear and getattr(rates, right) is None and not whole:
            yield place, "says no learning rate of conductances", f"add {right} = {example}"
        if "gate" in kinds and rates.gate_rate is None:
            yield place, "says no learning rate of gates", "add gate_rate = 1.0"
        if not kinds:
            yield ("network",), "has nothing to learn", "write learn = true at elements"
    elif rates.decay != 1.0:
        yield (*place, "decay"), "changes nothing: nothing is trained", "leave it out"


def _find_own_rate_faults(rates: CircuitSgd, blocks: list[str]) -> Iterator[Fault]:
    """Yield rates of what has none of its own, and a common rate that no block is left for."""
    place = ("learning", "optimiser")
    for name in rates.rates:
        if name not in blocks:
            hint = f"take one of {', '.join(blocks)}" if blocks else "leave it out: one rate is for all"
            yield (*place, "rates", name), "is no block of layers that squared drops teach", hint
    if blocks and rates.rate is not None and rates.rates.keys() >= set(blocks):
        yield (*place, "rate"), "changes nothing: every block has one of its own in rates", "leave it out"


def _list_layered_blocks(network: LayeredNetwork | GraphNetwork) -> list[str]:
    """Return what has a learning rate of its own in layers, by the names that the table of rates takes."""
    if not isinstance(network, LayeredNetwork):
        return []
    currents = [f"current/{name}" for name in list(network.layers)[1:]] if network.bias == "current" else []
    return [*network.connections, *currents]


def list_learned_kinds(scenario: CircuitSpec) -> set[str]:
    """Return the kinds of parameters that are learned; of a netlist, all that it may have."""
    network = scenario.network
    if isinstance(network, LayeredNetwork):
        return {"conductance", "current"} if network.bias == "current" else {"conductance"}
    if network.lattice:
        return {"conductance"} if network.lattice.model is None else {"gate"}
    if network.netlist:
        return {"conductance", "gate"} if network.learn else set()
    names = {"conductor": "conductance", "mos": "gate", "current": "current"}
    return {names[e.kind] for e in network.elements if getattr(e, "learn", False)}


def _has_amplifiers(scenario: CircuitSpec) -> bool:
    network = scenario.network
    if isinstance(network, LayeredNetwork):
        return bool(network.amplifiers)
    return bool(network.netlist) or any(element.kind == "amplifier" for element in network.elements)


def _has_conductors(network: LayeredNetwork | GraphNetwork) -> bool:
    if isinstance(network, LayeredNetwork):
        return True
    return bool(network.netlist) or any(element.kind == "conductor" for element in network.elements)


def _has_junctions(network: LayeredNetwork | GraphNetwork) -> bool:
    if isinstance(network, LayeredNetwork):
        return any(isinstance(diode, ExponentialDiodes) for diode in network.diodes.values())
    return bool(network.netlist) or any(e.kind == "diode" and e.model for e in network.elements)


def _find_idle_faults(scenario: CircuitSpec) -> Iterator[Fault]:
    """Yield keys that change nothing for want of another one."""
    network, plan = scenario.network, scenario.experiment
    if isinstance(network, GraphNetwork) and "temperature" in _list_given(network):
        place = ("network", "temperature")
        if network.netlist:
            yield place, "changes nothing: the netlist says it", "write .temp in the netlist"
        elif not _has_junctions(network):
            yield place, "changes nothing: there are no exponential diodes", "leave it out"
    if scenario.task.kind in ("voltages", "alternating"):
        for key in set(_list_given(scenario.physical)) & {"input_volts", "target_volts"}:
            yield ("physical", key), "changes nothing: the task is written in volts", "leave it out"
    written = scenario.devices.model_fields_set | scenario.dynamics.model_fields_set
    if getattr(plan, "interactions", False) and not written:
        words = "changes nothing: there is no cause of error in devices or dynamics"
        yield ("experiment", "interactions"), words, "leave it out"
    noisy = "noise" in scenario.devices.drops.model_fields_set  # 0 is meant where it is written, as in a sweep
    for above, table in ((("experiment",), plan), (("experiment", "ledger"), getattr(plan, "ledger", None))):
        if getattr(table, "repeats", None) is not None and not noisy:
            yield (*above, "repeats"), "changes nothing: no two measurements differ", "give devices.drops.noise"


def _find_device_faults(scenario: CircuitSpec) -> Iterator[Fault]:
    network, devices = scenario.network, scenario.devices
    mos = isinstance(network, GraphNetwork) and (
        bool(network.netlist or (network.lattice and network.lattice.model))
        or any(e.kind == "mos" for e in network.elements)
    )
    resistors, none = _has_conductors(network), "there are no resistors"
    weights, drops = devices.weights, devices.drops
    needs: list[tuple[tuple[str, ...], Parameters, tuple[str, ...], bool, str]] = [
        (("transistors",), devices.transistors, (), mos, "there are no transistors"),
        (("amplifiers",), devices.amplifiers, (), _has_amplifiers(scenario), "there are no amplifiers"),
        (("diodes",), devices.diodes, (), _has_junctions(network), "there are no exponential diodes"),
        (("weights",), weights, ("mismatch_sigma",), resistors, none),
        (("weights",), weights, ("wires",), resistors or mos, "there are no resistors and no transistors"),
        (("weights", "noise"), weights.noise, (), resistors, none),
        (("drops",), drops, ("twin_noise",), drops.twin_sigma > 0.0, "there is no second copy, which twin_sigma makes"),
    ]
    for place, table, keys, met, why in needs:
        for key in () if met else _list_given(table):
            if not keys or key in keys:
                yield ("devices", *place, key), f"changes nothing: {why}", "leave it out"
    window, levels = devices.weights.window, devices.weights.levels
    if levels is not None and window is None:
        yield ("devices", "weights", "levels"), "changes nothing without a window", 'give window = ["1 uS", "100 uS"]'
    for place, bounds in ((("weights", "window"), window), (("transistors", "gate"), devices.transistors.gate)):
        if bounds is not None and not bounds[0] < bounds[1]:
            yield ("devices", *place), "the first value is not below the second", "give the lower one first"
    if window is not None and window[0] < 0.0:
        yield ("devices", "weights", "window"), "begins below 0 S", "conductances are 0 or more"


def _list_given(table: Parameters) -> list[str]:
    """Return the keys of a table that have another value than the default."""
    fields = type(table).model_fields
    return [key for key in fields if getattr(table, key) != fields[key].get_default()]


def is_fast(scenario: CircuitSpec) -> bool:
    """Tell whether a circuit is settled layer by layer: ideal diodes or none, no amplifiers, clamps, clock.

    Of devices, the window and the spread of conductances are known there.
    """
    network, devices = scenario.network, scenario.devices
    if isinstance(network, GraphNetwork) or network.amplifiers or isinstance(scenario.learning.rule, Coupled):
        return False
    if scenario.dynamics.ends_by_clock:
        return False
    known = devices.weights.model_copy(update={"window": None, "mismatch_sigma": 0.0})
    plain = devices.model_copy(update={"weights": known})
    ideal = not any(isinstance(diode, ExponentialDiodes) for diode in network.diodes.values())
    return ideal and plain == type(devices)()


def _find_time_faults(scenario: CircuitSpec) -> Iterator[Fault]:
    """Yield what keeps a circuit from being followed in time."""
    network, clock, plan = scenario.network, scenario.dynamics.ends_by_clock, scenario.experiment
    if not plan.only_curves and not clock:
        return
    if plan.only_curves:
        yield from _find_untimed_devices(scenario)
    none = "no settling curves" if plan.only_curves else "no phase can end by the clock"
    coupled = isinstance(scenario.learning.rule, Coupled)
    if coupled and (plan.only_curves or scenario.dynamics.nudged.duration is not None):
        yield ("learning", "rule"), f"clamps the outputs, which makes voltages jump: {none}", "nudge them"
    if isinstance(network, LayeredNetwork):
        for name, diode in network.diodes.items():
            if not isinstance(diode, ExponentialDiodes):
                hint = 'take { kind = "exponential", saturation = "1 nA" }'
                yield ("network", "diodes", name), f"makes voltages jump: {none} with ideal diodes", hint
        if scenario.physical.capacitance is None:
            yield ("physical", "capacitance"), "is missing: without it voltages jump", 'write capacitance = "1 pF"'
    for k, element in enumerate(network.elements) if isinstance(network, GraphNetwork) else ():
        if element.kind == "diode" and element.model is None:
            words = f"is an ideal diode, which makes voltages jump: {none}"
            yield ("network", "elements", k), words, "give it a model"


def _find_untimed_devices(scenario: CircuitSpec) -> Iterator[Fault]:
    """Yield what acts on reads, nudges and single settlings, of which curves know nothing."""
    devices = scenario.devices
    tables = {("drops",): devices.drops, ("nudge",): devices.nudge, ("weights", "noise"): devices.weights.noise}
    for place, table in tables.items():
        for key in _list_given(table):
            yield ("devices", *place, key), "changes nothing: curves are followed without it", "leave it out"


def _find_energy_faults(scenario: CircuitSpec) -> Iterator[Fault]:
    energy, plan = scenario.energy, scenario.experiment
    for key in _list_given(energy):
        if not (plan.compares_gradients or plan.resumes):
            words = "changes nothing: energy is counted where gradients are measured or a circuit is trained"
            yield ("energy", key), words, "leave it out"
        elif key == "static" and energy.settling_time is None:
            yield ("energy", key), "changes nothing without a time", 'add settling_time = "1 us"'
        elif key == "per_write" and not plan.resumes:
            yield ("energy", key), "changes nothing: nothing is written", "leave it out"


def _find_clock_faults(scenario: CircuitSpec) -> Iterator[Fault]:
    dynamics = scenario.dynamics
    durations = {"free": dynamics.free.duration, "nudged": dynamics.nudged.duration}
    return find_clock_faults(durations, dynamics.tolerance, scenario.experiment, scenario.devices)


def _find_settling_faults(scenario: CircuitSpec) -> Iterator[Fault]:
    dynamics = scenario.dynamics
    if is_fast(scenario):
        return
    why = "layers with ideal diodes, no clock and no devices but weights alone are settled by sweeps"
    for key in _list_given(dynamics):
        if key not in ("tolerance", "free", "nudged"):
            yield ("dynamics", key), f"changes nothing: {why}", "leave it out"
