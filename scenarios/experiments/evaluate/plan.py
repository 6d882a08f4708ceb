"""What a scenario says about the accuracy of fabricated chips."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ...schema.plan import ExperimentPlan


class Evaluate(ExperimentPlan):
    """Accuracy of the given parameters over many fabricated chips; nothing is learned."""

    nudges: ClassVar = False

    kind: Literal["evaluate"]
    chips: Annotated[int, Field(ge=1, le=100_000)] = 10
    """Number of chips, from `chip.instance` on."""

    samples: Annotated[int, Field(ge=1)] | None = None
    """Test on the first so many samples; absent: all."""


PLAN = Evaluate
