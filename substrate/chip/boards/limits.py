"""With what noise of cells cannot be combined: where it would need more than draws per unit or per batch."""

from __future__ import annotations

from typing import NamedTuple

from ...network.dense import are_dense
from ..design import Design
from .regimes import compute_sample_time, list_cell_processes


class NoiseFault(NamedTuple):
    """A combination that is refused."""

    key: tuple[str, ...]
    """Of a scenario."""

    words: str
    hint: str


MOST_UNITS = 512
"""Units of a chip with white noise of devices that are read both ways: for every sample 2 MB and 0.05 s to find the
matrix, and about 0.1 ms for every step of it, on one core."""

COMPLEX_NOISE = "faster than a batch it does not go with complex nudges: take real ones, or leave tau_c out"
"""The two planes of a complex state would share their cells."""

_SLOWER = "leave devices.weights.noise.tau_c out: one draw for every batch"


def find_cell_noise_fault(design: Design) -> NoiseFault | None:
    """Return why the noise of the cells of a design cannot be simulated; None if it can."""
    processes = list_cell_processes(design)
    if not processes:
        return None
    devices, place = design.devices, ("devices", "weights", "noise")
    fast = any(process.way != "frozen" for process in processes)
    timed = any(0.0 < process.time < float("inf") for process in processes)
    common = design.phases.noise == "common" and any(process.way == "white" for process in processes)
    found = {
        NoiseFault(place, "wires mix the noise of all cells of an array", "leave devices.wires out"): (
            devices.wires.segment > 0.0
        ),
        NoiseFault(
            place, "passive synapses would be noisy loads, too", 'set physical.synapse = "virtual-ground"'
        ): design.synapse == "passive",
        NoiseFault(
            place,
            "how noise with a correlation time acts depends on how long the phases take",
            f"give dynamics free.duration and nudged.duration, or {_SLOWER}",
        ): timed and compute_sample_time(design.dynamics, design.phases) is None,
        NoiseFault(place, "faster than a batch it does not go with these dynamics", design.dynamics.noise_fault()): (
            fast and bool(design.dynamics.noise_fault())
        ),
        NoiseFault(place, "cells of a kernel move many places at once, which no draw per unit shows", _SLOWER): fast
        and not are_dense([c.kind for c in design.topology.connections]),
        NoiseFault(
            place, "a pole between the cells and the membrane filters it", f"set neurons.synapse_tau = 0, or {_SLOWER}"
        ): fast and devices.neurons.synapse_tau > 0.0,
        NoiseFault(
            ("phases", "noise"),
            "cells have white noise of their own in every phase",
            'take phases.noise = "independent", or noise of cells with a correlation time',
        ): common,
    }
    fault = next((fault for fault, wrong in found.items() if wrong), None)
    return fault or (_find_shared_fault(design, any(p.way == "drift" for p in processes)) if fast else None)


def _find_shared_fault(design: Design, drifts: bool) -> NoiseFault | None:
    """Return why noise of devices that are read both ways cannot be simulated if it is faster than a batch."""
    devices, units = design.devices, design.topology.units
    if devices.feedback.storage != "shared-device" or not design.topology.pairs():
        return None
    found = {
        "a device read in both directions moves two units at once, which no slow process of a unit shows": drifts,
        f"devices read in both directions take {units}^2 numbers for every sample: {MOST_UNITS} units at most": (
            units > MOST_UNITS
        ),
        'a device read in both directions moves two units at once, which the engine "jax" cannot': (
            design.dynamics.engine == "jax"
        ),
    }
    words = next((words for words, wrong in found.items() if wrong), None)
    ways = ['spectrum = "white" without tau_c'] * drifts + ['devices.feedback.storage = "copied" or "independent"']
    hint = f"take {', '.join(ways)}, or {_SLOWER}"
    return None if words is None else NoiseFault(("devices", "weights", "noise"), words, hint)
