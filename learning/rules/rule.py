"""Learning rules: how the readings of one batch become a gradient.

A rule is a class of parameters with one method, ``gradient(bench, samples, how)``: it clamps, settles, reads and
returns requested directions by block. What a rule needs beyond the bench is in `RuleContext`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.kinds import KindRegistry
from devices.parameters import Parameters
from substrate.protocol import BackwardModel, Bench, Port

from ..schemes.scheme import QuasiStaticSwing, Scheme
from ..schemes.unnudged import Unnudged
from ..training import Gradient, Rule, Samples

Array = NDArray[np.float64]
Record = Callable[[], Mapping[str, Array]]


class RuleContext(NamedTuple):
    """How a rule measures."""

    scheme: Scheme | QuasiStaticSwing
    """Nudges and weights."""

    presynaptic: Literal["mean", "free"] = "mean"
    """Presynaptic factor of a weight gradient: mean over the readings, or the free activity."""

    mirror: bool = True
    """Whether a settling may stand for its conjugate; else both are settled."""

    programmed: Record | None = None
    """The controller's own record of what is programmed now, by block; only a decay needs it."""

    model: BackwardModel | None = None
    """The controller's model of the chip, for rules that compute errors with it."""

    whole: bool = False
    """Whether a rule that draws probes takes a complete set of them, which leaves nothing to chance."""

    repeat: int = 0
    """Which measurement of the same presentation this is: names what a rule draws."""


class ModelNeed(NamedTuple):
    """What a rule wants to know of the chip."""

    knowledge: Literal["programmed", "exact", "record", "measured"] = "programmed"
    """Weights and curves of the units: as programmed and designed, or as they are; `record`: weights as requested, with
    cells that are never read back; `measured`: weights as free states tell them."""

    sigma: float = 0.0
    """Relative error of every weight, one standard deviation."""

    spread: float = 0.0
    """Of a model that is measured: spread of effective weights that is expected, over the rms of their block."""

    read_sigma: float = 0.0
    """The same: noise of a read that is expected."""


class LearningRule(Parameters):
    """What every rule is derived from."""

    kind: str
    """Which rule."""

    takes_presynaptic: ClassVar[bool] = True
    """Whether it leaves the choice of the presynaptic factor to the scenario."""

    takes_scheme: ClassVar[bool] = True
    """Whether a nudge scheme makes its estimate; where it does not, a scheme may stand there all the same."""

    nudges: ClassVar[bool] = True
    """Whether errors reach a layer only along the connections from the outputs to it."""

    injects: ClassVar[bool] = False
    """Whether its nudges are constant drives of all units, and no pull of the nudge circuit at the outputs."""

    computes: ClassVar[bool] = False
    """Whether the controller makes multiply-adds in digital to find errors, beyond those of the readout."""

    moves_weights: ClassVar[bool] = False
    """Whether it moves every cell for itself, which cells that share a number cannot."""

    draws: ClassVar[bool] = False
    """Whether it draws probes, so that no two of its measurements are alike."""

    ports: ClassVar[frozenset[Port]] = frozenset()
    """Ports of the bench that it needs, beside those of its scheme."""

    needs_rising: ClassVar[bool] = False
    """Whether it tells the state of a unit from its activity, so that no activity may belong to several states."""

    @property
    def needs_scheme(self) -> bool:
        """Whether it can do nothing without a nudge scheme."""
        return self.takes_scheme

    def find_scheme_fault(self, scheme: Scheme) -> str:  # noqa: ARG002
        """Return why it cannot nudge as a scheme says; empty if it can."""
        return ""

    @property
    def model_need(self) -> ModelNeed | None:
        """What its model of the chip knows; None for rules that have no such model."""
        return None

    @property
    def needs(self) -> frozenset[Port]:
        """Ports of the bench that it needs, those of its model included, beside those of its scheme."""
        return self.ports if self.model_need is None else self.ports | {"model"}

    @property
    def label(self) -> str:
        """Short name used in tables, figures and files: the kind and every parameter that is not the usual one."""
        fields = type(self).model_fields
        own = {n: value for n, value in self if n not in ("kind", "seed") and value != fields[n].default}
        return self.kind + "".join(f", {name.replace('_', ' ')} {value}" for name, value in own.items())

    def stand_in(self, given: Sequence[Scheme]) -> Unnudged:
        """Return what stands for this rule where results tell schemes apart; `given` are those of the scenario."""
        return Unnudged(kind=self.label, beside=given[0] if given and self.needs_scheme else None)

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
    how : RuleContext
        How to measure.
    """
    return lambda samples: rule.gradient(bench, samples, how)
