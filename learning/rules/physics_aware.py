"""Physics-aware training: the chip computes forwards, a digital model of it backwards.

The chip settles freely and is read; the controller tells the slopes `R` of its units from their activities and computes
``delta = R (1 - W_t^T R)^-1 e`` with the weights `W_t` it takes the chip for (Wright et al. 2022, carried over to
networks that settle). A model wrong by ``E = W_t - W`` makes, to first order, the error ``M^T E^T delta`` with
``M = (1 - R W)^-1 R``. No nudge divides the noise of the reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from substrate.protocol import BackwardModel, Bench

from .. import cost
from ..estimator import Estimate, FreeReading
from .error_vector import ErrorVector, Layers, take_free_estimate
from .rule import RULES, ModelNeed, RuleContext

Array = NDArray[np.float64]


@RULES.register
class PhysicsAware(ErrorVector):
    """Error vectors by a digital backward pass through a model of the chip; one free settling, all units read."""

    kind: Literal["pat"] = "pat"  # type: ignore[assignment]

    model: Literal["programmed", "exact", "record", "measured"] = "programmed"
    """`programmed`: the model has what the cells were programmed to, and units as designed; what noisy writes made of a
    request is read back, which is not counted. `record`: it adds up what was requested, and no cell is read back.
    `measured`: it starts from `programmed` and follows effective weights through the free states that are read anyway.
    `exact`: weights and units as they are."""

    spread: Annotated[float, Field(gt=0.0, le=10.0)] = 0.1
    """Spread of effective weights that a model which is measured expects, over the rms of their block; above 0."""

    read_sigma: Annotated[float, Field(gt=0.0, le=1.0)] = 1e-3
    """Noise of a read that it expects, one standard deviation of an activity; a plain number, above 0."""

    weight_sigma: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """Relative error of every weight of the model beside that, one standard deviation, drawn once; 0 to 10."""

    iterations: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Steps ``x <- R W^T x + R e`` of the backward pass; 1 to 100 000. Absent: its linear systems are solved."""

    takes_presynaptic: ClassVar[bool] = False
    nudges: ClassVar[bool] = False
    takes_scheme: ClassVar[bool] = False
    computes: ClassVar[bool] = True
    needs_rising: ClassVar[bool] = True
    terms: ClassVar[Mapping[str, str]] = {"asymmetry": "model", "finite_nudge": "iterations"}

    @property
    def model_need(self) -> ModelNeed:
        """What its model knows."""
        return ModelNeed(self.model, self.weight_sigma, self.spread, self.read_sigma)

    def estimate(self, bench: Bench, free: FreeReading, target: Array, how: RuleContext) -> Estimate:
        """Return the error vectors that the model has around the activities that were read."""
        force = cost.compute_cost_force(bench.readout, free.activity[list(bench.layers)[-1]], target)
        delta, macs = require_model(self.kind, how).backpropagate(free.activity, force, self.iterations)
        bench.count_macs(macs)
        return take_free_estimate(free, delta, free.settled.status, np.zeros_like(free.settled.steps))

    def limit(self, exact: Layers, activity: Layers, force: Array, how: RuleContext) -> Layers:  # noqa: ARG002
        """Return the error vectors that the model has around rest, solved completely."""
        return require_model(self.kind, how).backpropagate(activity, force)[0]


def require_model(kind: str, how: RuleContext) -> BackwardModel:
    """Return the model of the chip.

    Raises
    ------
    ValueError
        If there is none.
    """
    if how.model is None:
        raise ValueError(f"{kind} needs a model of the chip: give RuleContext(model = make_rule_model(rule, chip))")
    return how.model
