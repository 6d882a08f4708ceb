"""What a scenario says about a training."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from devices.parameters import Parameters, Unit

from ...schema.plan import ExperimentPlan, Record, Repeats


class LedgerPlan(Parameters):
    """When a training stops to measure where its gradient error comes from."""

    every_epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Measure before training, then every so many epochs and after the last."""

    samples: Annotated[int, Field(ge=1, le=100_000)] = 64
    """The first so many training samples."""

    repeats: Repeats | None = None
    """Measurements with noise of their own, of which the bias is the mean; absent: 8 with noise, else 1."""


class Train(ExperimentPlan):
    """Train the chip through its own measurements."""

    needs_scheme: ClassVar = True
    takes_rules: ClassVar = True
    finds_sizes: ClassVar = True
    resumes: ClassVar = True
    simulated: ClassVar = frozenset({"ledger", "reference", "record"})
    keeps_account: ClassVar = True

    kind: Literal["train"]
    epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    """Passes over the training samples."""

    samples: Annotated[int, Field(ge=1)] | None = None
    """Train on the first so many samples; absent: all."""

    test_samples: Annotated[int, Field(ge=1)] | None = None
    """Test on the first so many samples; absent: all."""

    ledger: LedgerPlan | None = None
    """Measurements along the way; absent: none."""

    reference: bool = False
    """Train the same chip once more with its exact gradients, from the same start, to compare with."""

    checkpoint_seconds: Annotated[float, Field(gt=0.0, le=86_400.0), Unit("s")] = 60.0
    """Keep a checkpoint after the first batch that ends so long after the last one, and at the end; seconds."""

    record: Record | None = None
    """Settling curves of the trained chip; absent: none."""

    @property
    def has_ledger(self) -> bool:
        """Whether the ledger of errors is measured."""
        return self.ledger is not None


PLAN = Train
