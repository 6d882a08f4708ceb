"""The membranes of one chip, and what the conductances of its synapses do to them.

Synapses whose output is a current load no node (`virtual-ground`), or do so with their noise alone
(`transconductor`). `passive` ones are resistors between the output of one unit and the membrane of another:

    C dV/dt = -(g_L + sum_j (G+ + G-)) V + sum_j (G+ - G-) V_A a + I

With ``L = sum_j (G+ + G-)/g_L`` and ``v = (1 + L) u`` this is the additive law ``tau/(1 + L) dv/dt = -v + h`` of
units with the curve ``a = g rho(s v/(1 + L))``: slower rows become faster ones of less slope, and the drive, the nudge
and the gradients ``dL/d drive`` stay what they are. The state of such a chip is `v`.

Thermal noise: every conductance adds its own. On a bare leak `u` has the variance ``sigma^2 = gamma k T/(C V_u^2)``;
with transconductors it is ``sigma^2 (1 + L)``, and behind passive ones again ``sigma^2``, since they also damp.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from devices.neuron import activation, curves
from devices.neuron.membrane import sample_unit_factors

from ..dynamics.transfer import Transfer
from ..laws.law import LAWS
from .design import Design, Fabrication

Array = NDArray[np.float64]


class Membranes:
    """Time constants, curves and noise of all units; they follow the conductances of the cells.

    Parameters
    ----------
    design : Design
        Neurons, and what the synapses are.
    fabrication : Fabrication
        Names the draws.

    Raises
    ------
    ValueError
        If a time constant, gain or slope is not positive, or synapses load units of another law than the additive.
    """

    def __init__(self, design: Design, fabrication: Fabrication) -> None:
        if design.synapse == "passive" and not LAWS[design.law].LOADED:
            raise ValueError('physical.synapse = "passive" loads additive units only: set network.law = "additive"')
        self._design, units = design, design.topology.units
        stream = fabrication.stream("neurons/tau")
        self._tau = sample_unit_factors(units, design.devices.neurons.tau_sigma, stream, "devices.neurons.tau_sigma")
        transfer = sample_transfer(design, fabrication)
        twin = design.devices.twin
        if (design.synapse == "passive" or (twin and twin.gain_sigma)) and len(transfer.gain) == 0:
            transfer = transfer._replace(gain=np.ones(units), steep=np.ones(units))
        self._steep = transfer.steep.copy()
        self.tau = self._tau.copy()
        """Time constant of every unit in units of tau, (units,)."""
        self.transfer = transfer
        """From states to activities."""
        self.thermal = np.ones(units)
        """Factor of the thermal noise of every unit, in units of its state, (units,)."""
        self.common = np.ones(units)
        """The same of the noise that all units share, which enters with the drive, (units,)."""
        slew = design.devices.neurons.slew
        self.slew = np.zeros(0) if slew is None else np.full(units, slew)
        """Largest change of the state of every unit per tau, (units,); (0,): no limit."""

    def follow(self, conductances: Mapping[str, Array]) -> None:
        """Take over the load of the cells, in place.

        Parameters
        ----------
        conductances : mapping of block name to array (pre, post)
            ``G+ + G-`` of every connection, in units of the weight; not read where synapses load nothing.
        """
        design, topology = self._design, self._design.topology
        if design.synapse == "virtual-ground":
            return
        total = np.ones(topology.units)
        for c in topology.connections:
            # A conductance of one weight is V_u/V_A leaks.
            total[topology.columns[c.post]] += design.volt_ratio * conductances[c.block].sum(axis=0)
        if design.synapse == "transconductor":
            self.thermal[...] = np.sqrt(total)
            return
        self.tau[...] = self._tau / total
        self.transfer.steep[...] = self._steep / total
        self.thermal[...] = total
        self.common[...] = np.sqrt(total)
        if design.devices.neurons.slew is not None:
            self.slew[...] = design.devices.neurons.slew * total


def sample_transfer(design: Design, fabrication: Fabrication) -> Transfer:
    """Return the transfer curves of a chip.

    Raises
    ------
    ValueError
        If a gain or a slope is not positive.
    """
    code, table = curves.find_activation_code(design.activation), activation.get_curve_table(design.activation)
    neurons, units = design.devices.neurons, design.topology.units
    if not neurons.curved:
        return Transfer(code, table, np.zeros(0), np.zeros(0))
    gain, steep = (
        sample_unit_factors(units, sigma, fabrication.stream(f"neurons/{name}"), f"devices.neurons.{name}_sigma")
        for name, sigma in (("gain", neurons.gain_sigma), ("slope", neurons.slope_sigma))
    )
    return Transfer(code, table, neurons.buffer_gain * gain, steep)
