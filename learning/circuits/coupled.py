"""Coupled learning: the outputs are clamped a step closer to their targets, and squared drops are compared.

``[(dV_C)^2 - (dV_F)^2] / (2 eta)`` between the clamped circuit, outputs at ``V_F + eta (y - V_F)``, and the free one
(Stern, Hexner, Rocks & Liu, Phys. Rev. X 11, 021045, 2021). Its unit is V^2, without the 1/S of a gradient. For eta ->
0 the clamping force is ``eta S e`` with the conductance matrix S of the outputs: EP whose error ``e = V - y`` went
through S, a metric error wherever there are several outputs. At eta = 1 it is the exact gradient of another goal, the
co-content of the clamped circuit minus that of the free one; above 1 it is over-clamped, with more signal and a worse
direction.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from substrate.protocol import CircuitBench, ClampingBench

from ..schemes.scheme import Scheme
from ..training import Samples
from .rule import CIRCUIT_RULES, CircuitReading, CircuitRule, Contrast, measure_free_circuit


@CIRCUIT_RULES.register
class Coupled(CircuitRule):
    """Squared drops with clamped outputs against free ones."""

    kind: Literal["coupled"] = "coupled"

    clamp: Annotated[float, Field(gt=0.0, le=100.0)] = 1.0
    """``eta``: share of the way to the target at which outputs are clamped; above 0, beyond 1 is over-clamping."""

    @property
    def needs_scheme(self) -> bool:
        """It clamps, and does not nudge."""
        return False

    def measure(self, bench: CircuitBench, samples: Samples, scheme: Scheme | None) -> CircuitReading:  # noqa: ARG002
        """Settle freely, then clamped; the scheme is not used.

        Raises
        ------
        TypeError
            If the outputs of the circuit cannot be held.
        """
        if not isinstance(bench, ClampingBench):
            raise TypeError("the outputs of this circuit cannot be held at a voltage")
        free = measure_free_circuit(bench, samples)
        settled = bench.clamp(self.clamp, samples.target)
        read = bench.read()
        status = np.maximum(free.settled.status, settled.status)
        names = list(free.activity)[1:]
        delta = {name: -(read[name] - free.activity[name]) / self.clamp for name in names}
        contrast = Contrast(read, free.activity, 0.5 / self.clamp)
        return CircuitReading(free, [contrast], status, settled.steps, delta)
