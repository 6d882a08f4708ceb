"""How gradients are measured on a circuit, and what is done with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from devices.circuit.units import Conductance, WithUnit
from devices.parameters import Parameters, Ratio
from learning.circuits.coupled import Coupled
from learning.circuits.rule import CIRCUIT_RULES
from learning.circuits.squared import SquaredDrops

from ..learning import take_names

_Share = Annotated[Ratio, Field(gt=0.0, le=0.5)]


class CriticalShare(Parameters):
    """A nudge as a share of the critical one, beyond which an output runs away under a negative nudge."""

    fraction: _Share
    """``beta / b_crit`` of the first batch; above 0, at most 0.5. A centred nudge errs by about its square."""


_Beta = Annotated[
    Annotated[Conductance, Field(gt=0.0, le=1000.0), Tag("<size>")] | Annotated[CriticalShare, Tag("<share>")],
    Discriminator(lambda value: "<share>" if isinstance(value, dict | CriticalShare) else "<size>"),
]


class CircuitScheme(Parameters):
    """Nudges and weights: as `Scheme`, but a nudge is a conductance."""

    kind: Literal["one-sided", "backward", "random-sign", "centred", "chebyshev"]
    """Which nudges: at `beta`, at ``-beta``, at one of them drawn by sample, at both, at Chebyshev points."""

    beta: _Beta
    """Size of the nudge: a conductance such as ``"10 uS"``, or ``{ fraction = 0.2 }`` of the critical one."""

    points: Literal[2, 4, 6, 8, 10, 12, 14, 16] | None = None
    """Number of points of `chebyshev`; absent: 4."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None
    """Seed of the signs of `random-sign`; absent: 0."""


if TYPE_CHECKING:
    Rule = SquaredDrops | Coupled
else:
    Rule = take_names(CIRCUIT_RULES)


class CircuitSgd(Parameters):
    """Gradient descent in which every element changes itself: ``dg = -rate dL/dg``, without memory."""

    kind: Literal["sgd"] = "sgd"
    """Plain gradient descent."""

    rate: Annotated[float, Field(gt=0.0), WithUnit("S^2/V^2")] | None = None
    """Learning rate of conductances, such as ``"0.6 uS^2/V^2"``, and of currents, in A^2/V^2, for squared drops."""

    rates: dict[str, Annotated[float, Field(ge=0.0), WithUnit("S^2/V^2")]] = Field(default_factory=dict)
    """Rates in place of `rate`, of layers, by connection (`h1-h2`) or block (`current/h1`); ``"0 S^2/V^2"``: it never
    changes."""

    coupled_rate: Annotated[float, Field(gt=0.0), WithUnit("S/V^2")] | None = None
    """Learning rate of conductances for coupled learning, which measures V^2, such as ``"5 uS/V^2"``."""

    gate_rate: Annotated[float, Field(gt=0.0, le=1e12)] | None = None
    """Learning rate of gate voltages: volts per measured ``dL/dG`` in V for squared drops, in S V for coupled
    learning."""

    decay: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Factor of all rates after every epoch."""


class CircuitLearning(Parameters):
    """How gradients are measured, and what is done with them."""

    scheme: CircuitScheme | None = None
    """One nudge scheme."""

    schemes: Annotated[list[CircuitScheme], Field(min_length=1, max_length=64)] | None = None
    """Several nudge schemes, measured side by side."""

    rule: Rule = SquaredDrops()
    """`contrastive`: squared drops over the nudges of a scheme; `coupled`: with clamped outputs."""

    metric: Literal["nominal", "none"] = "nominal"
    """Whether squared drops are weighed by the nominal gains of amplifiers; only with amplifiers."""

    optimiser: CircuitSgd = CircuitSgd()
    """How gradients become changes."""

    @model_validator(mode="before")
    @classmethod
    def _without_homeostasis(cls, given: Any) -> Any:
        """Refuse homeostasis: the current of a resistor, diode or source is one number at both of its ends."""
        if isinstance(given, dict) and "homeostasis" in given:
            words = (
                "`homeostasis` has nothing to pull: elements with two ends are symmetric by construction, amplifiers "
                "need equal gains in every layer (`metric`), and transistors have nothing to trim"
            )
            raise PydanticCustomError("homeostasis", "{words}", {"words": words, "hint": "leave it out"})
        return given

    @model_validator(mode="after")
    def _one_way(self) -> CircuitLearning:
        if self.scheme is not None and self.schemes is not None:
            raise PydanticCustomError("schemes", "`scheme` and `schemes` exclude each other: one scheme or a list")
        return self

    def all_schemes(self) -> list[CircuitScheme]:
        """Return the schemes, however they were written."""
        return self.schemes or ([self.scheme] if self.scheme else [])
