"""The imperfections of a chip by name, each of which can be taken away alone."""

from __future__ import annotations

from collections.abc import Callable

from devices.converter import NudgeCircuit
from devices.neurons import NeuronDevices
from devices.retention import Retention
from devices.sampling import Hold
from devices.wires import Wires

from .design import Design

_WIDE = 1e6
"""Upper end of a window that limits nothing."""


def _with_cells(design: Design, **ideal: object) -> Design:
    """Return the design with ideal values of keys of its cells, of the feedback cells where they have their own."""
    own = {k: v for k, v in ideal.items() if getattr(design.feedback, k) is not None}
    return design._replace(
        weights=design.weights.model_copy(update=ideal), feedback=design.feedback.model_copy(update=own)
    )


def _unlimited(design: Design) -> Design:
    # The lower end is where a device of a pair rests: that is no limit.
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
    return design._replace(noise=design.noise.model_copy(update=silent))


def _still(design: Design) -> Design:
    silent = {"read": 0.0, "read_flicker": 0.0, "telegraph": None}
    return design._replace(noise=design.noise.model_copy(update=silent))


def _knowing(design: Design) -> Design:
    # Without errors of the cells the programmed weights are the effective ones.
    ignorant = design.correction == "programmed" and any(CAUSES[name](design) != design for name in CELLS)
    return design._replace(correction="exact") if ignorant else design


CELLS = ("mismatch", "stuck", "window", "path-gain", "wires")
"""Causes that make effective weights differ from programmed ones."""

CAUSES: dict[str, Callable[[Design], Design]] = {
    "mismatch": lambda d: _with_cells(d, mismatch_sigma=0.0, pelgrom=None),
    "stuck": lambda d: _with_cells(d, stuck_fraction=0.0),
    "window": _unlimited,
    "path-gain": lambda d: _with_cells(d, gain_sigma=0.0, mirror=None),
    "wires": lambda d: d._replace(wires=Wires()),
    "loading": lambda d: d if d.synapse != "passive" else d._replace(synapse="virtual-ground"),
    "twin": lambda d: d._replace(twin=None),
    "neurons": lambda d: d if not d.neurons.on else d._replace(neurons=NeuronDevices()),
    "noise": _quiet,
    "read-noise": _still,
    "adc": lambda d: d._replace(converters=d.converters.model_copy(update={"readout": None})),
    "hold": lambda d: d if d.hold.ideal else d._replace(hold=Hold()),
    "nudge-circuit": lambda d: d._replace(converters=d.converters.model_copy(update={"nudge": NudgeCircuit()})),
    "write": lambda d: d._replace(update=None, comparator=None),
    "retention": lambda d: d if not d.retention.on else d._replace(retention=Retention()),
    "correction-knowledge": _knowing,
}
"""What takes each imperfection away: from a design to the same design without it."""


COMMON, DIFFERENT, RANDOM, SLOW, WRITE = "common to both phases", "phase-different", "random", "slow", "write"
UNSETTLED = "unsettled"

EFFECTS = {
    COMMON: "shifts all phases alike; what is left of it is asymmetry",
    DIFFERENT: "differs between phases: a bias of its size over beta",
    RANDOM: "fresh in every read: a variance of its square over beta squared",
    SLOW: "almost alike in successive phases: their difference loses most of it",
    UNSETTLED: "the state is still on its way: what is left of the free one over beta, and slow modes count less",
    WRITE: "acts on the change that is written",
}
"""What an imperfection of each class does to an estimate."""

_CLASSES = {
    "twin": DIFFERENT,
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
    """Return the class of a cause, a key of `EFFECTS`; noise is slow if none of it is white."""
    noise = design.noise
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
