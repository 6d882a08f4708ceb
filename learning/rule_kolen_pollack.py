"""Kolen-Pollack: both directions of a pair get one update and decay, so that they become alike.

With the same requested change in both, the difference of forward and feedback weight only decays:
``D <- (1 - rate decay) D`` per write without momentum, on a chip that writes what is asked (Kolen &
Pollack 1994; Akrout et al. 2019).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from devices.parameters import Parameters
from substrate.protocol import Bench

from .estimators import measure_free
from .rule_error_vector import Method, error_vector_gradient, feedback
from .training import Gradient, Samples


class KolenPollack(Parameters):
    """The forward gradient for both directions of every reciprocal pair, and weight decay on both."""

    kind: Literal["kolen-pollack"] = "kolen-pollack"

    decay: Annotated[float, Field(ge=0.0, le=10.0)] = 1e-3
    """Decay, added to the gradient as ``decay W``; 0 to 10. Per write a weight loses the share rate * decay."""

    def gradient(self, bench: Bench, samples: Samples, how: Method) -> Gradient:
        """Measure the gradient of one batch on `bench`.

        Raises
        ------
        ValueError
            If there is a decay, but no record of the programmed weights.
        """
        if self.decay > 0.0 and how.programmed is None:
            raise ValueError("kolen-pollack: a decay needs the record of programmed weights: give it, or set decay = 0")
        free = measure_free(bench, samples.x, samples.ids, samples.epoch)
        found = error_vector_gradient(bench, free, samples.target, how)
        programmed = how.programmed() if how.programmed is not None else {}
        connections = set(bench.connections)
        for pre, post in feedback(bench, free):
            if (post, pre) not in connections:
                continue
            forward, back = f"weight/{post}-{pre}", f"weight/{pre}-{post}"
            found.blocks[back] = found.blocks[forward].T.copy()
            if self.decay > 0.0:
                for name in (forward, back):
                    found.blocks[name] = found.blocks[name] + self.decay * programmed[name]
        return found
