"""What a scenario file can say about experiments."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from devices.parameters import Parameters, Unit
from learning.schemes.allowance import Allowance
from learning.schemes.scheme import Beta, Scheme


class Record(Parameters):
    """Which settling curves are kept."""

    samples: Annotated[int, Field(ge=1, le=1000)] = 2
    """The first so many samples."""

    every_steps: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Keep every so many steps."""

    units: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Of every layer the first so many units; absent: all."""

    limit_mb: Annotated[int, Field(ge=1, le=1_000_000)] = 2048
    """Refuse to record more than this, in MiB per settling."""


class Settle(Parameters):
    """Record settling curves: the free phase, then every nudge of every scheme."""

    kind: Literal["settle"]
    record: Record = Record()
    """Which curves."""


Repeats = Annotated[int, Field(ge=1, le=100_000)]

NOISY_REPEATS = 8
"""Measurements of a chip on which no two are alike, unless the scenario says how many."""


class Measure(Parameters):
    """Measure gradients on the chip and compare them with the exact ones; nothing is learned."""

    kind: Literal["measure"]
    samples: Annotated[int, Field(ge=1, le=100_000)] = 64
    """The first so many training samples."""

    repeats: Repeats | None = None
    """Measurements with noise of their own, of which the bias is the mean; absent: 8 with noise, else 1."""

    interactions: bool = False
    """Measure also every cause alone, and the chip without each of them; takes several times as long."""

    record: Record | None = None
    """Settling curves to keep beside; absent: none."""


class StudyNudges(Parameters):
    """Find the best nudge: bias and noise of every scheme on the chip, at one budget for all; nothing is learned."""

    kind: Literal["nudge"]
    samples: Annotated[int, Field(ge=1, le=100_000)] = 16
    """The first so many training samples."""

    repeats: Annotated[int, Field(ge=2, le=1_000_000)] = 32
    """Estimates of every scheme, each with noise of its own; 2 or more. Without any noise 2 are enough."""

    betas: Annotated[list[Beta], Field(min_length=1, max_length=64)] | None = None
    """Sizes at which every scheme is tried, in place of its own; above 0. Absent: each scheme as it is written."""

    budget: Allowance = Allowance()
    """What every scheme may spend on one sample, the free settling and the free read of every estimate included."""

    def tried(self, schemes: list[Scheme]) -> list[Scheme]:
        """Return every scheme at every size."""
        if self.betas is None:
            return schemes
        return [scheme.model_copy(update={"beta": beta}) for scheme in schemes for beta in self.betas]


class LedgerPlan(Parameters):
    """When a training stops to measure where its gradient error comes from."""

    every_epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Measure before training, then every so many epochs and after the last."""

    samples: Annotated[int, Field(ge=1, le=100_000)] = 64
    """The first so many training samples."""

    repeats: Repeats | None = None
    """Measurements with noise of their own, of which the bias is the mean; absent: 8 with noise, else 1."""


class Train(Parameters):
    """Train the chip through its own measurements."""

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


class Evaluate(Parameters):
    """Accuracy of the given parameters over many fabricated chips; nothing is learned."""

    kind: Literal["evaluate"]
    chips: Annotated[int, Field(ge=1, le=100_000)] = 10
    """Number of chips, from `chip.instance` on."""

    samples: Annotated[int, Field(ge=1)] | None = None
    """Test on the first so many samples; absent: all."""


Experiment = Annotated[Settle | Measure | StudyNudges | Train | Evaluate, Field(discriminator="kind")]
