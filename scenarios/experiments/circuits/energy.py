"""What the settlings and reads of a measurement take, by what was applied and by sample."""

from __future__ import annotations

import numpy as np

from devices.circuit.energy import CircuitEnergy
from learning.oracle.circuits.ledger import CircuitMeasurement
from substrate.circuits.effects.energy import SettlingHeat

from ...results.store import Group, Variable
from ...results.views import format_quantity


def make_energy_group(energy: CircuitEnergy, found: CircuitMeasurement) -> Group:
    """Return power at rest and, where the scenario says what they take, the energy of settlings and reads.

    A phase stands there once, whatever schemes have it.
    """
    heats: dict[str, SettlingHeat] = {}
    for part in found.heats:
        heats |= {name: heat for name, heat in part.items() if name not in heats}
    group: Group = {
        "phase": Variable(("phase",), np.array([_name_phase(name) for name in heats]), long_name="settling"),
        "power": Variable(
            ("phase", "sample"),
            np.array([heat.power for heat in heats.values()]),
            "W",
            long_name="power that the elements turn into heat at rest",
        ),
    }
    whole = 0.0
    if energy.settling_time is not None:
        joules = np.array([heat.compute_joules(energy) for heat in heats.values()])
        words = "heat of the settling, with that of charging capacitors"
        group["settling"] = Variable(("phase", "sample"), joules, "J", long_name=words)
        whole += float(joules.mean(axis=1).sum())
    if energy.per_read > 0.0:
        nodes = sum(width for width in list(found.chip.layers.values())[1:])
        words = "energy of one read of all nodes"
        group["read"] = Variable((), energy.per_read * nodes, "J", long_name=words)
        whole += energy.per_read * nodes * len(heats)
    if {"settling", "read"} & set(group):
        words = "energy of every settling and a read after it, mean over the samples"
        group["whole"] = Variable((), whole, "J", long_name=words)
    return group


def _name_phase(name: str) -> str:
    """Return the name of a phase for readers: a nudge is given in siemens."""
    if name[0].isalpha():
        return name
    size = float(name)
    return f"nudge {'-' if size < 0.0 else '+'}{format_quantity(abs(size), 'S')}"
