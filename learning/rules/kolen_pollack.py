"""Kolen-Pollack: both directions of a pair get one update and decay, so that they become alike.

With the same requested change in both, the difference of forward and feedback weight only decays:
``D <- (1 - rate decay) D`` per write without momentum, on a chip that writes what is asked (Kolen &
Pollack 1994; Akrout et al. 2019).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from substrate.protocol import Bench

from .error_vector import Blocks, ErrorVector, find_feedback_connections
from .rule import RULES, Record


@RULES.register
class KolenPollack(ErrorVector):
    """The forward gradient for both directions of every reciprocal pair, and weight decay on both."""

    kind: Literal["kolen-pollack"] = "kolen-pollack"  # type: ignore[assignment]

    decay: Annotated[float, Field(ge=0.0, le=10.0)] = 1e-3
    """Decay, added to the gradient as ``decay W``; 0 to 10. Per write a weight loses the share rate * decay."""

    def requests(self, blocks: Blocks, bench: Bench, programmed: Record | None) -> Blocks:
        """Return the blocks with the forward gradient in both directions of every pair, and the decay on both.

        Raises
        ------
        ValueError
            If there is a decay, but no record of the programmed weights.
        """
        if self.decay > 0.0 and programmed is None:
            raise ValueError("kolen-pollack: a decay needs the record of programmed weights: give it, or set decay = 0")
        changed, known = dict(blocks), set(bench.connections)
        record = programmed() if programmed is not None and self.decay > 0.0 else {}
        for pre, post in find_feedback_connections(bench):
            if (post, pre) not in known:
                continue
            forward, back = f"weight/{post}-{pre}", f"weight/{pre}-{post}"
            changed[back] = bench.mirror(forward, changed[forward]).copy()
            if self.decay > 0.0:
                for name in (forward, back):
                    changed[name] = changed[name] + self.decay * record[name]
        return changed
