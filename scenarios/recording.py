"""Settling curves that are more than may be kept: known before anything runs."""

from __future__ import annotations

from substrate.network.topology import Topology
from substrate.settling.recording import size_fault, times_kept

from .schema.devices import Found
from .schema.plan import Record
from .schema.scenario import ScenarioSpec


def find_record_faults(scenario: ScenarioSpec, samples: int) -> Found:
    """Return why settling curves of a task of so many samples are more than may be kept."""
    plan, place = scenario.experiment, ("experiment", "record", "limit_mb")
    record: Record | None = getattr(plan, "record", None)
    if record is None:
        return []
    dynamics, layers = scenario.in_units().dynamics, Topology(scenario.network.layers, scenario.network.connections)
    units = sum(min(layers.layers[name], record.units or layers.units) for name in layers.names)
    planar = any(scheme.needs_complex for scheme in scenario.tried())
    for phase, planes in ((dynamics.free, False), (dynamics.nudged, planar)):
        shape = times_kept(dynamics, phase, record.every_steps), min(record.samples, samples), units
        if fault := size_fault(shape, planes, record.limit_mb * 2**20):
            hint = "record fewer samples or units, or keep fewer steps (every_steps); or raise the limit"
            return [(place, fault, hint)]
    return []
