"""The imperfections of a chip by name, each of which can be taken away alone; blocks of devices declare their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from devices.hardware import DeclaredCause, list_declared_causes, order_keys
from devices.imperfection import COMMON, UNSETTLED, CauseContext

from .boards.regimes import list_pace
from .design import Design

DECLARED: dict[str, DeclaredCause] = {}
"""What the blocks of devices declare."""


def list_weight_causes() -> list[str]:
    """Return the causes that make effective weights differ from programmed ones.

    Laws of writing that are not faithful do so, too.
    """
    return [name for name, one in DECLARED.items() if one.cause.of_weights]


def list_kind_causes(kind: str) -> tuple[str, ...]:
    """Return the causes that blocks declare with a class, a key of `devices.imperfection.EFFECTS`."""
    return tuple(name for name, one in DECLARED.items() if one.cause.kind == kind)


def _remove_declared_cause(declared: DeclaredCause, design: Design) -> Design:
    devices = declared.take_from(design.devices, _make_cause_context(design))
    # The steps stay as fine as noise that is taken away needs them, so that chips with and without can be compared.
    quiet = design._replace(devices=devices)
    before, after = list_pace(design), list_pace(quiet)
    if devices is design.devices or before == after:
        return design if devices is design.devices else quiet
    return quiet._replace(paced_by=tuple(sorted({*(design.paced_by or ()), *(before or ())})))


def _make_cause_context(design: Design) -> CauseContext:
    topology = design.topology
    returns = any(topology.is_feedback(c) for c in topology.connections)
    return CauseContext(design.devices, design.phases.hold_time > 0.0, returns)


def _remove_loading(design: Design) -> Design:
    return design if design.synapse != "passive" else design._replace(synapse="virtual-ground")


def _correct_exactly(design: Design) -> Design:
    # Without errors of the cells the programmed weights are the effective ones.
    if design.correction != "programmed":
        return design
    wrong = any(CAUSES[name](design) != design for name in list_weight_causes())
    update = design.devices.update
    wrong = wrong or (update is not None and not update.faithful)
    return design._replace(correction="exact") if wrong else design


CAUSES: dict[str, Callable[[Design], Design]] = {}
"""What takes each imperfection away: from a design to the same design without it, or to itself where nothing acts."""


def collect_causes() -> None:
    """Collect the causes from the blocks of devices: once here, and again when a block is added to them."""
    DECLARED.clear()
    DECLARED.update(list_declared_causes())
    taken = {name: partial(_remove_declared_cause, one) for name, one in DECLARED.items()}
    whole = taken | {"loading": _remove_loading, "correction-knowledge": _correct_exactly}
    CAUSES.clear()
    CAUSES.update(order_keys(whole, {"loading": "twin"}))


collect_causes()

UNFINISHED = ("free-phase", "nudged-phase", "synapse-pole", "slew")
"""What can end a phase before it is settled; see `unsettled`."""


def classify_cause(design: Design, cause: str) -> str:
    """Return the class of a cause, a key of `devices.imperfection.EFFECTS`; noise is slow if none of it is white."""
    if cause in UNFINISHED:
        return UNSETTLED
    return DECLARED[cause].kind_in(design.devices) if cause in DECLARED else COMMON


def list_causes(design: Design) -> list[str]:
    """Return the names of the imperfections of a design, in the order of `CAUSES`."""
    return [name for name, ideal in CAUSES.items() if ideal(design) != design]


def list_unsettled_phases(design: Design) -> list[str]:
    """Return what can end a phase of a design before it is settled.

    They are phases of a fixed length, and what slows such phases: a synaptic pole, membranes of limited speed. They
    belong to how the chip is used, so that they are not in `CAUSES`.
    """
    fixed = [name for name in ("free", "nudged") if getattr(design.dynamics, name).fixed]
    neurons = design.devices.neurons
    slow = {"synapse-pole": neurons.synapse_tau > 0.0, "slew": neurons.slew is not None}
    return [f"{name}-phase" for name in fixed] + [name for name, acts in slow.items() if fixed and acts]


def remove_causes(design: Design, *names: str) -> Design:
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
