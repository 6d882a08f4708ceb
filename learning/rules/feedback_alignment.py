"""Feedback alignment: the feedback weights stay as they were made; the forward weights align with them.

Lillicrap et al. 2016, carried over to networks that settle.
"""

from __future__ import annotations

from typing import Literal

from devices.parameters import Parameters
from substrate.protocol import Bench

from ..estimator import measure_free
from ..training import Gradient, Samples
from .error_vector import Method, error_vector_gradient, feedback


class FeedbackAlignment(Parameters):
    """Error vector times presynaptic activity for all but the feedback connections, which are never written."""

    kind: Literal["feedback-alignment"] = "feedback-alignment"

    def gradient(self, bench: Bench, samples: Samples, how: Method) -> Gradient:
        """Measure the gradient of one batch on `bench`, without the blocks of the feedback connections."""
        free = measure_free(bench, samples.x, samples.ids, samples.epoch)
        found = error_vector_gradient(bench, free, samples.target, how)
        fixed = {f"weight/{pre}-{post}" for pre, post in feedback(bench, free)}
        return found._replace(blocks={name: block for name, block in found.blocks.items() if name not in fixed})
