"""The chip of a scenario."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from substrate.chip import Chip
from substrate.design import Design, Fabrication

from .build import Parts
from .schema import Scenario

Array = NDArray[np.float64]


def make_chip(
    scenario: Scenario, parts: Parts, programmed: Mapping[str, Array], instance: int, threads: int | None
) -> Chip:
    """Return a chip of the scenario's design with the given parameters."""
    network, devices = scenario.network, scenario.devices_in_units()
    design = Design(
        parts.topology,
        parts.activation,
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
        measured_cells=parts.cells,
        measured_weights=parts.weights,
        measured_converters=parts.converters,
    )
    return Chip(design, programmed, Fabrication(scenario.seed, instance), threads)
