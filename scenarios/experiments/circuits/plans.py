"""What is done with a circuit."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from devices.circuit.units import Duration
from devices.parameters import Parameters, Unit

from ...schema.plan import Changes, ExperimentPlan, Repeats


class CircuitMeasure(ExperimentPlan):
    """Measure gradients on the circuit and compare them with the exact ones; nothing is learned."""

    compares_gradients: ClassVar = True

    kind: Literal["measure"]
    samples: Annotated[int, Field(ge=1, le=100_000)] = 16
    """The first so many training samples."""

    repeats: Repeats | None = None
    """Measurements with noise of their own, of which the bias is the mean; absent: 8 with noise, else 1."""

    interactions: bool = False
    """Measure also every cause alone, the circuit without each of them, and pairs of those that interact most; takes
    several times as long."""

    change: Changes | None = None
    """Changes of the design, each measured on top of those before: ``[[experiment.change]]``; absent: none."""


class CircuitLedgerPlan(Parameters):
    """When a training stops to measure where its gradient error comes from."""

    every_epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Measure before training, then every so many epochs and after the last."""

    samples: Annotated[int, Field(ge=1, le=100_000)] = 8
    """The first so many training samples."""

    repeats: Repeats | None = None
    """Measurements with noise of their own; absent: 8 with noise, else 1."""


class CircuitTrain(ExperimentPlan):
    """Train the circuit through its own measurements."""

    resumes: ClassVar = True

    kind: Literal["train"]
    epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    """Passes over the training samples."""

    samples: Annotated[int, Field(ge=1)] | None = None
    """Train on the first so many samples; absent: all."""

    test_samples: Annotated[int, Field(ge=1)] | None = None
    """Test on the first so many samples; absent: all."""

    ledger: CircuitLedgerPlan | None = None
    """Measurements along the way; absent: none."""

    reference: bool = False
    """Train the same circuit once more with its exact gradients, from the same start, to compare with."""

    checkpoint_seconds: Annotated[float, Field(gt=0.0, le=86_400.0), Unit("s")] = 60.0
    """Keep a checkpoint after the first batch that ends so long after the last one, and at the end; seconds."""


class CircuitSettle(ExperimentPlan):
    """Record settling curves: the free phase from 0 V, then every nudge of every scheme."""

    only_curves: ClassVar = True

    kind: Literal["settle"]
    duration: Annotated[Duration, Field(gt=0.0)]
    """Time for which every settling is followed."""

    samples: Annotated[int, Field(ge=1, le=100)] = 2
    """The first so many training samples."""

    points: Annotated[int, Field(ge=3, le=100_000)] = 200
    """Times that are kept, equally spaced."""


class CircuitEvaluate(ExperimentPlan):
    """Accuracy of the given parameters over many pieces of hardware; nothing is learned."""

    nudges: ClassVar = False

    kind: Literal["evaluate"]
    chips: Annotated[int, Field(ge=1, le=100_000)] = 10
    """Number of chips, from `chip.instance` on."""

    samples: Annotated[int, Field(ge=1)] | None = None
    """Test on the first so many samples; absent: all."""


class SelfLearning(ExperimentPlan):
    """Let the circuit learn by itself while tasks alternate, until its parameters go round in a cycle."""

    nudges: ClassVar = False
    alternates: ClassVar = True

    kind: Literal["self-learning"]
    periods: (
        Annotated[list[Annotated[Duration, Field(gt=0.0, le=1000.0)]], Field(min_length=1, max_length=1000)] | None
    ) = None
    """Full periods, in which every task is on once; absent only with `compare`."""

    compare: Literal["transistor-learner-1", "transistor-learner-2", "transistor-learner-3"] | None = None
    """Simulate the periods of a bundled measurement and set its spans and errors beside."""

    points: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Points of the cycle that are kept of every task."""

    @model_validator(mode="after")
    def _one_list(self) -> SelfLearning:
        if (self.periods is None) == (self.compare is None):
            raise PydanticCustomError(
                "periods", "needs one of `periods` and `compare`, which brings periods of its own"
            )
        return self


PLANS = Annotated[
    CircuitMeasure | CircuitTrain | CircuitSettle | CircuitEvaluate | SelfLearning, Field(discriminator="kind")
]
"""What a scenario may do with a circuit."""
