"""Record how a circuit settles: freely from 0 V, then from there under every constant nudge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from substrate.circuits.chip import CircuitChip
from substrate.circuits.motion.transient import Transient, follow_transient
from substrate.circuits.system import CircuitDrive, apply_nothing
from substrate.protocol import Status

from ...circuits.setup import CircuitSetup
from ...results.store import Group, Variable
from ..kind import COMPLETE, CircuitWork, Ending
from .plans import CircuitSettle

Array = NDArray[np.float64]


def run_settling(work: CircuitWork) -> tuple[dict[str, Group], Ending]:
    """Record the curves of the first samples."""
    setup, plan = work.setup, work.setup.plan
    if not isinstance(plan, CircuitSettle):
        raise TypeError(f"{plan.kind} records no settling curves")
    seed, instance = setup.fabrication
    chip = CircuitChip(setup.graph, setup.programmed, seed, instance)
    system, batch = chip.system(), work.batch(plan.samples)
    times = np.linspace(0.0, plan.duration, plan.points)
    free = apply_nothing(setup.graph.feeds.apply(batch.x), batch.target.shape[1])
    work.watch.say("free settling")
    paths = {"free": follow_transient(system, free, np.zeros((len(batch.x), system.nodes.unknowns)), times)}
    start = paths["free"].voltages[:, -1][:, system.nodes.free]
    betas = [node.beta for scheme in setup.schemes() if scheme is not None for node in scheme.nodes() if node.beta]
    for beta in dict.fromkeys(complex(beta).real for beta in betas):
        work.watch.say(f"nudge of {beta:+.4g} S")
        drive = _make_drive(chip, free, beta, batch.target, paths["free"].voltages[:, -1])
        ready = np.nan_to_num(start)
        paths[f"beta {beta:+.4g} S"] = follow_transient(system, drive, ready, times)
    return {"settling": _make_group(setup, plan, times, paths)}, COMPLETE


def _make_group(setup: CircuitSetup, plan: CircuitSettle, times: Array, paths: dict[str, Transient]) -> Group:
    members = np.concatenate(list(setup.graph.layers.values()))
    states = np.array([path.voltages[:, :, members].transpose(1, 0, 2) for path in paths.values()])
    owner = [name for name, nodes in setup.graph.layers.items() for _ in nodes]
    status = np.array([path.status for path in paths.values()])
    dims = ("phase", "time", "sample", "unit")
    ends = status.shape
    return {
        "phase": Variable(("phase",), np.array(list(paths)), long_name="settling"),
        "time": Variable(("time",), times, "s", "time"),
        "layer": Variable(("unit",), np.array(owner), long_name="layer of the node"),
        "state": Variable(dims, states.astype(np.float32), "V", "voltage of the node"),
        "distance": Variable(
            dims[:3], np.abs(states - states[:, -1:]).max(axis=3), "V", "largest distance of a node from its end"
        ),
        "heat": Variable(
            dims[:3],
            np.array([path.heat.T for path in paths.values()]),
            "J",
            "what elements have turned into heat since the settling began",
        ),
        "status": Variable(("phase", "sample"), status, flags=Status, long_name="how the settling ended"),
        "steps": Variable(("phase", "sample"), np.full(ends, len(times)), long_name="times that are kept"),
        "duration": Variable(("phase", "sample"), np.full(ends, plan.duration), "s", "time that was followed"),
        "tau_s": Variable((), 1.0, "s", "unit of the times"),
        "state_volts": Variable((), 1.0, "V", "unit of the states"),
    }


def _make_drive(chip: CircuitChip, free: CircuitDrive, beta: float, target: Array, rest: Array) -> CircuitDrive:
    """Return what is applied under a nudge; a held one keeps its current at the free state."""
    if chip.design.nudge == "held":
        return free._replace(current=beta * (rest[:, chip.design.circuit.outputs] - target))
    return free._replace(beta=np.full(len(target), beta), target=target)


RUN = run_settling
"""What this kind of experiment does."""
