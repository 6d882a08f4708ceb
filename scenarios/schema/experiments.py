"""What a scenario file can say about experiments: the plans of all kinds, each kept in its folder of `experiments`."""

from __future__ import annotations

from functools import reduce
from importlib import import_module
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from .plan import ExperimentPlan

_FOLDER = "experiments"


def _find_plans() -> dict[str, type[ExperimentPlan]]:
    """Return the plan of every kind by its name: each folder of experiments that has a module `plan` is one."""
    package = __package__.rpartition(".")[0]
    names = sorted(path.parent.name for path in Path(__file__).parents[1].joinpath(_FOLDER).glob("*/plan.py"))
    return {name: import_module(f"{package}.{_FOLDER}.{name}.plan").PLAN for name in names}


PLANS = _find_plans()
"""Plan of every kind of experiment, by its name."""

if TYPE_CHECKING:
    Experiment = ExperimentPlan
else:
    _UNION: Any = reduce(or_, PLANS.values())
    Experiment = Annotated[_UNION, Field(discriminator="kind")]
