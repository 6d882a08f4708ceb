"""Heat of settlings: the power at rest while they last, and what charging capacitors takes.

In a linear circuit without current sources ``w = u - u_rest`` decays by ``C dw/dt = -J w``. Kirchhoff's law at rest
leaves ``P = P_rest + w^T J w`` of the power, and ``int w^T J w dt = w_0^T C w_0 / 2``: a settling that ends turns
``P_rest T + sum C (dV - dV_0)^2 / 2`` into heat, the work that charges a capacitor through any resistor.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from devices.circuit.energy import CircuitEnergy

from ..circuit import Array, CircuitGraph, compute_power


class SettlingHeat(NamedTuple):
    """Of one settling of a batch."""

    power: Array
    """That elements turn into heat at rest, (batch,), in watt."""

    charging: Array
    """Heat of charging the capacitors, (batch,), in joule."""

    def compute_joules(self, energy: CircuitEnergy) -> Array:
        """Return the energy of the settling, (batch,), in joule; 0 where nothing says how long it lasts."""
        if energy.settling_time is None:
            return np.zeros(len(self.power))
        return np.asarray((self.power + energy.static) * energy.settling_time + self.charging)


def compute_heat(circuit: CircuitGraph, before: Array, after: Array) -> SettlingHeat:
    """Return the heat of settlings from some node voltages (batch, nodes) to those at rest."""
    parts, change = circuit.capacitors, after - before
    charging = 0.5 * (change[:, parts.a] - change[:, parts.b]) ** 2 @ parts.c
    return SettlingHeat(compute_power(circuit, after), np.asarray(charging))
