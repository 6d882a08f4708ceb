"""The chips that changes of a design make: the same silicon and samples, every change on top of those before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from .language.faults import ScenarioError
from .language.load import KeyChange, LoadedScenario, make_scenario_error, replace_values
from .schema.plan import DesignChange

if TYPE_CHECKING:
    from .build import AnySetup

_PLACE = ("experiment", "change")


class ChangedSetup(NamedTuple):
    """What one change of a design makes of a scenario."""

    change: DesignChange
    setup: AnySetup
    toml: str
    """The changed scenario with every default filled in."""


def list_changed_scenarios(loaded: LoadedScenario) -> Iterator[tuple[DesignChange, LoadedScenario]]:
    """Yield every change of a design, and the scenario without changes or sweep that it makes.

    Raises
    ------
    ScenarioError
        If a change makes no valid scenario, or one like that before it.
    """
    before = replace_values(loaded, [KeyChange(_PLACE, None, _PLACE)]) if loaded.spec.experiment.changes else loaded
    for k, change in enumerate(loaded.spec.experiment.changes):
        place = (*_PLACE, k, "set")
        values = [KeyChange(tuple(key.split(".")), value, (*place, key)) for key, value in change.set.items()]
        after = replace_values(before, values)
        if after.spec.in_units() == before.spec.in_units():
            hint = "write another value, or leave the change out"
            raise make_scenario_error(loaded, [(place, f"changes nothing: {change.words}", hint)])
        yield change, after
        before = after


def refuse_changes_in_sweep(loaded: LoadedScenario) -> None:
    """Refuse changes of a design beside a sweep.

    Raises
    ------
    ScenarioError
        If the scenario has both.
    """
    if loaded.spec.experiment.changes and loaded.spec.sweep is not None:
        words, hint = "a sweep measures points of its own", "leave it out, or make it an axis of the sweep"
        raise ScenarioError(make_scenario_error(loaded, [(_PLACE, words, hint)]).faults)
