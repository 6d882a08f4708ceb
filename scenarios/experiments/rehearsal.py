"""The shortest experiment that needs the kernels of all others."""

from __future__ import annotations

from ..schema.scenario import Scenario
from .measure.plan import Measure


def shorten(scenario: Scenario) -> Scenario:
    """Return a scenario with the measurement of one sample in place of its experiment: it compiles what that needs."""
    return scenario.model_copy(update={"experiment": Measure(kind="measure", samples=1)})
