"""What a scenario says about a measurement of gradients."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ...schema.plan import Changes, ExperimentPlan, Record, Repeats


class Measure(ExperimentPlan):
    """Measure gradients on the chip and compare them with the exact ones; nothing is learned."""

    needs_scheme: ClassVar = True
    takes_rules: ClassVar = True
    finds_sizes: ClassVar = True
    compares_gradients: ClassVar = True
    simulated: ClassVar = frozenset({"change", "interactions", "record"})

    kind: Literal["measure"]
    samples: Annotated[int, Field(ge=1, le=100_000)] = 64
    """The first so many training samples."""

    repeats: Repeats | None = None
    """Measurements with noise of their own, of which the bias is the mean; absent: 8 with noise, else 1."""

    interactions: bool = False
    """Measure also every cause alone, the chip without each of them, and pairs of those that interact most; takes
    several times as long."""

    record: Record | None = None
    """Settling curves to keep beside; absent: none."""

    change: Changes | None = None
    """Changes of the design, each measured on top of those before: ``[[experiment.change]]``; absent: none."""

    @property
    def has_ledger(self) -> bool:
        """Whether the ledger of errors is measured."""
        return True


PLAN = Measure
