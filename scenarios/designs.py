"""The design of the chip that a scenario describes; free of compiled code."""

from __future__ import annotations

from devices.neuron.activation import Curve
from substrate.chip.design import Design
from substrate.network.topology import Topology

from .schema.scenario import Scenario


def design_of(scenario: Scenario, topology: Topology, activation: str | Curve) -> Design:
    """Return the design of a scenario in units of the model, without what was measured and is kept in files.

    Parameters
    ----------
    scenario : Scenario
        All its numbers are plain.
    topology : Topology
        Its wiring.
    activation : str or Curve
        By name, or as it was measured.
    """
    network, devices = scenario.network, scenario.devices_in_units()
    return Design(
        topology,
        activation,
        network.cost,
        scenario.dynamics_in_tau(),
        devices.feedback,
        network.law,
        devices.neurons,
        devices.noise,
        scenario.phases_in_tau(),
        devices.converters,
        devices.hold,
        devices.update,
        correction=scenario.learning.correction,
        energy=scenario.energy,
        weights=devices.weights,
        wires=devices.wires,
        twin=devices.twin,
        tau=scenario.tau,
        retention=devices.retention,
        comparator=devices.comparator,
        synapse=scenario.physical.synapse if scenario.physical else "virtual-ground",
        volt_ratio=scenario.physical.volt_ratio if scenario.physical else 1.0,
    )
