"""Durations of phases that change nothing, or with what a clock cannot end them; each fault at a key to change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from devices.circuit.components import CircuitDevices

from ..plan import ExperimentPlan


def find_clock_faults(
    durations: Mapping[str, float | None], tolerance: float | None, plan: ExperimentPlan, devices: CircuitDevices
) -> Iterator[tuple[tuple[str | int, ...], str, str | None]]:
    """Yield durations of phases that change nothing, or that a second copy of the circuit cannot have."""
    idle = {"free": plan.only_curves or plan.alternates, "nudged": not plan.nudges or plan.only_curves}
    why = "experiment.duration is how long curves are" if plan.only_curves else f"{plan.kind} has no such phase"
    for name in ("free", "nudged"):
        if durations[name] is not None and idle[name]:
            yield ("dynamics", name, "duration"), f"changes nothing: {why}", "leave it out"
    if durations["nudged"] is not None and devices.drops.twin_sigma > 0.0:
        words = "cannot end a settling in a second copy of the circuit, which starts from a state of its own"
        hint = "leave it out, or take devices.drops.twin_sigma away"
        yield ("dynamics", "nudged", "duration"), words, hint
    if set(durations.values()) != {None} and devices.weights.noise.fast > 0.0:
        words = "has no form under a clock: conductances would have to move while the circuit does"
        yield ("devices", "weights", "noise", "fast"), words, "leave it out, or let phases end at rest"
    both = durations["free"] is not None and (durations["nudged"] is not None or not plan.nudges)
    if both and tolerance is not None:
        yield ("dynamics", "tolerance"), "changes nothing: the clock ends every phase", "leave it out"
