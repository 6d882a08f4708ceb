"""The shortest experiment that needs the kernels of all others."""

from __future__ import annotations

from ..schema.scenario import ScenarioSpec
from .measure.plan import Measure


def make_rehearsal(scenario: ScenarioSpec) -> ScenarioSpec:
    """Return a scenario with the measurement of one sample in place of its experiment: it compiles what that needs."""
    return scenario.model_copy(update={"experiment": Measure(kind="measure", samples=1)})
