"""Learning rules: how the readings of one batch become a gradient.

A rule is a class of parameters with one method, ``gradient(bench, samples, how)``: it clamps, settles, reads and
returns requested directions by block. What a rule needs beyond the bench is in `Method`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.kinds import KindRegistry
from devices.parameters import Parameters
from substrate.protocol import Bench

from ..schemes.scheme import Scheme
from ..training import Gradient, Rule, Samples

Array = NDArray[np.float64]
Record = Callable[[], Mapping[str, Array]]


class RuleContext(NamedTuple):
    """How a rule measures."""

    scheme: Scheme
    """Nudges and weights."""

    presynaptic: Literal["mean", "free"] = "mean"
    """Presynaptic factor of a weight gradient: mean over the readings, or the free activity."""

    mirror: bool = True
    """Whether a settling may stand for its conjugate; else both are settled."""

    programmed: Record | None = None
    """The controller's own record of what is programmed now, by block; only a decay needs it."""


class LearningRule(Parameters):
    """What every rule is derived from."""

    kind: str
    """Which rule."""

    takes_presynaptic: ClassVar[bool] = True
    """Whether it leaves the choice of the presynaptic factor to the scenario."""

    @abstractmethod
    def gradient(self, bench: Bench, samples: Samples, how: RuleContext) -> Gradient:
        """Measure the gradient of one batch on `bench`, and leave the batch clamped."""


RULES: KindRegistry[LearningRule] = KindRegistry("learning rule", LearningRule)  # type: ignore[type-abstract]
"""Every rule that a scenario may name."""


def make_rule(rule: LearningRule, bench: Bench, how: RuleContext) -> Rule:
    """Return the rule that measures gradients on `bench`.

    Parameters
    ----------
    rule : LearningRule
        Which rule.
    bench : Bench
        Chip; for ``asym-ep`` one with a correction.
    how : Method
        How to measure.
    """
    return lambda samples: rule.gradient(bench, samples, how)
