"""The chips that changes of a design make: the same silicon and samples, every change on top of those before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, NamedTuple, TypeVar

from .language.lines import Key
from .language.load import KeyChange, LoadedScenario, make_scenario_error, replace_values
from .schema.plan import DesignChange

S = TypeVar("S")

_PLACE = ("experiment", "change")


class ChangedSetup(NamedTuple, Generic[S]):
    """What one change of a design makes of a scenario."""

    change: DesignChange
    setup: S
    toml: str
    """The changed scenario with every default filled in."""


def list_changed_scenarios(loaded: LoadedScenario) -> Iterator[tuple[DesignChange, LoadedScenario]]:
    """Yield every change of a design, and the scenario without changes or sweep that it makes.

    Raises
    ------
    ScenarioError
        If a change makes no valid scenario, or one like that before it.
    """
    before = loaded
    for k, change in enumerate(loaded.spec.experiment.changes):
        place = (*_PLACE, k, "set")
        values = [
            KeyChange(tuple(key.split(".")), value, _find_source(loaded, (*place, key)))
            for key, value in change.set.items()
        ]
        after = replace_values(before, values)
        if after.spec.in_units() == before.spec.in_units():
            hint = "write another value, or leave the change out"
            raise make_scenario_error(loaded, [(place, f"changes nothing: {change.words}", hint)])
        plan = after.spec.experiment.model_copy(update={"change": None})
        yield change, after._replace(spec=after.spec.model_copy(update={"experiment": plan}))
        before = after


def _find_source(loaded: LoadedScenario, key: Key) -> Key:
    """Return the key, or the innermost table around it whose line in the file is known."""
    places = [key[:n] for n in range(len(key), 0, -1)]
    return next((one for one in places if one in loaded.origins and loaded.origins[one].line is not None), key)


def refuse_changes_in_sweep(loaded: LoadedScenario) -> None:
    """Refuse changes of a design beside a sweep.

    Raises
    ------
    ScenarioError
        If the scenario has both.
    """
    if loaded.spec.experiment.changes and loaded.spec.sweep is not None:
        words, hint = "a sweep measures points of its own", "leave it out, or make it an axis of the sweep"
        raise make_scenario_error(loaded, [(_PLACE, words, hint)])
