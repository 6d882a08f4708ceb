"""The imperfections of a chip by name, each of which can be taken away alone."""

from __future__ import annotations

from collections.abc import Callable

from devices.interface.converter import NudgeCircuit
from devices.interface.hold import Hold
from devices.neuron.membrane import NeuronDevices
from devices.synapse.cell import WeightDevices
from devices.synapse.retention import Retention
from devices.synapse.wires import Wires

from .design import Design

_WIDE = 1e6
"""Upper end of a window that limits nothing."""


def _kinds(design: Design) -> list[WeightDevices]:
    """Return what the cells of the connections of a design are like: of the forward ones, and of any feedback ones."""
    topology = design.topology
    backward = any(topology.is_feedback(c) for c in topology.connections)
    return [design.weights, *([design.feedback.over(design.weights)] if backward else [])]


def _with_cells(acts: Callable[[WeightDevices], bool], **ideal: object) -> Callable[[Design], Design]:
    """Return what gives keys of the cells ideal values, of feedback cells where they have their own, if any acts."""

    def taken(design: Design) -> Design:
        if not any(acts(cells) for cells in _kinds(design)):
            return design
        own = {k: v for k, v in ideal.items() if getattr(design.feedback, k) is not None}
        return design._replace(
            weights=design.weights.model_copy(update=ideal), feedback=design.feedback.model_copy(update=own)
        )

    return taken


def _limits(cells: WeightDevices) -> bool:
    # The lower end is where a device of a pair rests: that is no limit.
    return cells.window is not None and (cells.levels is not None or cells.cell == "single" or cells.window[1] != _WIDE)


def _unlimited(design: Design) -> Design:
    if not any(_limits(cells) for cells in _kinds(design)):
        return design
    wide = [
        None if c.window is None or c.cell == "single" else [c.window[0], _WIDE]
        for c in (design.weights, design.feedback.over(design.weights))
    ]
    feedback = design.feedback
    return design._replace(
        weights=design.weights.model_copy(update={"window": wide[0], "levels": None}),
        feedback=feedback.model_copy(update={"window": wide[1] if feedback.window else None, "levels": None}),
    )


def _quiet(design: Design) -> Design:
    silent = dict.fromkeys(("thermal", "common", "coloured", "flicker"), 0.0)
    # The steps stay as fine as the noise needs them, so that chips with and without it can be compared.
    paced_by = design.noise if design.noise.on else design.paced_by
    return design._replace(noise=design.noise.model_copy(update=silent), paced_by=paced_by)


def _still(design: Design) -> Design:
    silent = {"read": 0.0, "read_flicker": 0.0, "telegraph": None}
    return design._replace(noise=design.noise.model_copy(update=silent)) if design.noise.reads else design


def _unheld(design: Design) -> Design:
    waits = design.phases.hold_time > 0.0 or design.hold.read_skew > 0.0
    return design._replace(hold=Hold()) if design.hold.changes(waits) else design


def _straight(design: Design) -> Design:
    ideal = design.converters.model_copy(update={"nudge": NudgeCircuit()})
    return design if design.converters.nudge.ideal else design._replace(converters=ideal)


def _knowing(design: Design) -> Design:
    # Without errors of the cells the programmed weights are the effective ones.
    if design.correction != "programmed":
        return design
    wrong = any(CAUSES[name](design) != design for name in CELLS)
    wrong = wrong or (design.update is not None and not design.update.faithful)
    return design._replace(correction="exact") if wrong else design


CELLS = ("mismatch", "stuck", "window", "path-gain", "wires", "retention")
"""Causes that make effective weights differ from programmed ones; so do laws of writing that are not faithful."""

CAUSES: dict[str, Callable[[Design], Design]] = {
    "mismatch": _with_cells(
        lambda c: c.sigma > 0.0 or c.measured is not None, mismatch_sigma=0.0, pelgrom=None, measured=None
    ),
    "stuck": _with_cells(lambda c: c.stuck_fraction > 0.0, stuck_fraction=0.0),
    "window": _unlimited,
    "path-gain": _with_cells(lambda c: c.path_sigma > 0.0, gain_sigma=0.0, mirror=None),
    "wires": lambda d: d if d.wires.segment == 0.0 else d._replace(wires=Wires()),
    "loading": lambda d: d if d.synapse != "passive" else d._replace(synapse="virtual-ground"),
    "twin": lambda d: d if d.twin is None or d.twin.mismatch_sigma == 0.0 else d._replace(twin=None),
    "neurons": lambda d: d if not d.neurons.on else d._replace(neurons=NeuronDevices()),
    "noise": _quiet,
    "read-noise": _still,
    "adc": lambda d: d._replace(converters=d.converters.model_copy(update={"readout": None})),
    "hold": _unheld,
    "nudge-circuit": _straight,
    "write": lambda d: d._replace(update=None, comparator=None),
    "retention": lambda d: d if not d.retention.on else d._replace(retention=Retention()),
    "correction-knowledge": _knowing,
}
"""What takes each imperfection away: from a design to the same design without it, or to itself where nothing acts."""


COMMON, DIFFERENT, RANDOM, SLOW, WRITE = "common to both phases", "phase-different", "random", "slow", "write"
UNSETTLED = "unsettled"

EFFECTS = {
    COMMON: "shifts all phases alike; what is left of it is asymmetry",
    DIFFERENT: "differs between phases: a bias of its size over beta",
    RANDOM: "fresh in every read: a variance of its square over beta squared",
    SLOW: "runs on from phase to phase: their difference keeps what has changed in between",
    UNSETTLED: "the state is still on its way: what is left of the free one over beta, and slow modes count less",
    WRITE: "acts on the change that is written",
}
"""What an imperfection of each class does to an estimate."""

_CLASSES = {
    "twin": DIFFERENT,
    "adc": DIFFERENT,
    "hold": DIFFERENT,
    "nudge-circuit": DIFFERENT,
    "read-noise": RANDOM,
    "noise": RANDOM,
    "write": WRITE,
    "retention": WRITE,
    "free-phase": UNSETTLED,
    "nudged-phase": UNSETTLED,
    "synapse-pole": UNSETTLED,
    "slew": UNSETTLED,
}


def class_of(design: Design, cause: str) -> str:
    """Return the class of a cause, a key of `EFFECTS`; noise is slow if none of it is white.

    A converter rounds every phase by itself: what is left of its own gain and offset is small beside that.
    """
    noise = design.noise
    adc = design.converters.readout
    if cause == "adc" and adc is not None and adc.stochastic:
        return RANDOM
    if (cause == "noise" and noise.thermal == noise.common == 0.0) or (cause == "read-noise" and noise.read == 0.0):
        return SLOW
    return _CLASSES.get(cause, COMMON)


def causes(design: Design) -> list[str]:
    """Return the names of the imperfections of a design, in the order of `CAUSES`."""
    return [name for name, ideal in CAUSES.items() if ideal(design) != design]


def unsettled(design: Design) -> list[str]:
    """Return what can end a phase of a design before it is settled.

    They are phases of a fixed length, and what slows such phases: a synaptic pole, membranes of limited speed. They
    belong to how the chip is used, so that they are not in `CAUSES`.
    """
    fixed = [name for name in ("free", "nudged") if getattr(design.dynamics, name).fixed]
    neurons = design.neurons
    slow = {"synapse-pole": neurons.synapse_tau > 0.0, "slew": neurons.slew is not None}
    return [f"{name}-phase" for name in fixed] + [name for name, acts in slow.items() if fixed and acts]


def without(design: Design, *names: str) -> Design:
    """Return the design without the named imperfections.

    Raises
    ------
    ValueError
        If a name is not in `CAUSES`.
    """
    for name in names:
        if name not in CAUSES:
            raise ValueError(f"{name!r} is no cause of error: take one of {', '.join(CAUSES)}")
        design = CAUSES[name](design)
    return design
