"""The chip of a scenario."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from substrate.chip.chip import Chip
from substrate.chip.design import Fabrication

from .build import Parts
from .designs import design_of
from .schema.scenario import Scenario

Array = NDArray[np.float64]


def make_chip(
    scenario: Scenario, parts: Parts, programmed: Mapping[str, Array], instance: int, threads: int | None
) -> Chip:
    """Return a chip of the scenario's design with the given parameters."""
    design = design_of(scenario, parts.topology, parts.activation)._replace(
        measured_cells=parts.cells, measured_weights=parts.weights, measured_converters=parts.converters
    )
    return Chip(design, programmed, Fabrication(scenario.seed, instance), threads)
