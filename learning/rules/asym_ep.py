"""AsymEP: measured like the error vector, on a chip that cancels its own asymmetry while nudged.

The chip adds the drive ``-2 A (a - a0)``, which turns its linearisation into the transpose (Scurria et
al. 2026): exact for a vanishing nudge. The correction is hardware; the rule only demands it.
"""

from __future__ import annotations

from typing import Literal

from devices.parameters import Parameters
from substrate.protocol import Bench

from ..estimator import measure_free
from ..training import Gradient, Samples
from .error_vector import Method, error_vector_gradient


class AsymEP(Parameters):
    """Error vector times presynaptic activity, on a chip that corrects its asymmetry in nudged settlings."""

    kind: Literal["asym-ep"] = "asym-ep"

    knowledge: Literal["programmed", "exact"] = "programmed"
    """Weights the correction is made from: `programmed`, what a controller knows, or `exact`, what the units feel."""

    def gradient(self, bench: Bench, samples: Samples, how: Method) -> Gradient:
        """Measure the gradient of one batch on `bench`, whose design holds the correction."""
        free = measure_free(bench, samples.x, samples.ids, samples.epoch)
        return error_vector_gradient(bench, free, samples.target, how)
