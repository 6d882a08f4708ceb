"""What a scenario says about settling curves."""

from __future__ import annotations

from typing import ClassVar, Literal

from ...schema.plan import ExperimentPlan, Record


class Settle(ExperimentPlan):
    """Record settling curves: the free phase, then every nudge of every scheme."""

    only_curves: ClassVar = True

    kind: Literal["settle"]
    record: Record = Record()
    """Which curves."""


PLAN = Settle
