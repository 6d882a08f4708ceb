"""Kolen-Pollack: both directions of a pair get one update and decay, so that they become alike.

With the same requested change in both, the difference of forward and feedback weight only decays:
``D <- (1 - rate decay) D`` per write without momentum, on a chip that writes what is asked (Kolen &
Pollack 1994; Akrout et al. 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from devices.parameters import Parameters
from substrate.protocol import Bench

from ..estimator import measure_free
from ..training import Gradient, Samples
from .error_vector import Method, error_vector_gradient, feedback

Array = NDArray[np.float64]


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
        return found._replace(blocks=self.paired(found.blocks, bench, feedback(bench, free), programmed))

    def paired(
        self,
        blocks: Mapping[str, Array],
        bench: Bench,
        backward: list[tuple[str, str]],
        programmed: Mapping[str, Array],
    ) -> dict[str, Array]:
        """Return the blocks with the forward gradient in both directions of every pair, and the decay on both.

        Parameters
        ----------
        blocks : mapping of block name to array
            Gradients of every connection on its own.
        bench : Bench
            Chip.
        backward : list of (pre, post)
            Connections that feed back.
        programmed : mapping of block name to array
            What is programmed now; only a decay needs it.
        """
        changed, known = dict(blocks), set(bench.connections)
        for pre, post in backward:
            if (post, pre) not in known:
                continue
            forward, back = f"weight/{post}-{pre}", f"weight/{pre}-{post}"
            changed[back] = bench.mirror(forward, changed[forward]).copy()
            if self.decay > 0.0:
                for name in (forward, back):
                    changed[name] = changed[name] + self.decay * programmed[name]
        return changed
