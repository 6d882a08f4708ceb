"""Direct feedback alignment: the error of the outputs reaches every layer through a fixed random matrix.

The chip settles freely and is read; the controller computes ``delta_l = R_l B_l e`` with the slopes `R_l` of the units
and a random `B_l` that is never learned (Nøkland 2016), and ``delta = R e`` for the outputs. At the start its squared
cosine to the exact error vector is, on average over `B`, ``sum R^2 delta^2 / (sum R^2 sum delta^2)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from substrate.protocol import Bench

from .. import cost
from ..draws import draw_matrix
from ..estimator import Estimate, FreeReading
from .error_vector import ErrorVector, Layers, take_free_estimate
from .physics_aware import require_model
from .rule import RULES, ModelNeed, RuleContext

Array = NDArray[np.float64]


@RULES.register
class DirectFeedback(ErrorVector):
    """Error vectors by fixed random projections of the output error; one free settling, all units read."""

    kind: Literal["dfa"] = "dfa"  # type: ignore[assignment]

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Seed of the projections; 0 to 2^63 - 1."""

    takes_presynaptic: ClassVar[bool] = False
    nudges: ClassVar[bool] = False
    takes_scheme: ClassVar[bool] = False
    computes: ClassVar[bool] = True
    needs_rising: ClassVar[bool] = True
    terms: ClassVar[Mapping[str, str]] = {"asymmetry": "projection", "finite_nudge": ""}

    @property
    def model_need(self) -> ModelNeed:
        """The curves of the units as designed; no weight enters."""
        return ModelNeed()

    def estimate(self, bench: Bench, free: FreeReading, target: Array, how: RuleContext) -> Estimate:
        """Return the projected errors."""
        names = list(free.activity)[1:]
        force = cost.compute_cost_force(bench.readout, free.activity[names[-1]], target)
        hidden = sum(free.activity[name].shape[1] for name in names[:-1])
        bench.count_macs(len(target) * force.shape[1] * hidden)
        delta = self._project(free.activity, force, how)
        return take_free_estimate(free, delta, free.settled.status, np.zeros_like(free.settled.steps))

    def limit(self, exact: Layers, activity: Layers, force: Array, how: RuleContext) -> Layers:  # noqa: ARG002
        """Return the projected errors at rest."""
        return self._project(activity, force, how)

    def _project(self, activity: Layers, force: Array, how: RuleContext) -> Layers:
        slopes = require_model(self.kind, how).slopes(activity)
        *hidden, output = slopes
        found = {}
        for k, name in enumerate(hidden):
            shape = slopes[name].shape[1], force.shape[1]
            found[name] = slopes[name] * (force @ draw_matrix(self.seed, k, shape).T)
        return found | {output: slopes[output] * force}
