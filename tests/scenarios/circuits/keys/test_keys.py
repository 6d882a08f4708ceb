"""Every key of circuits acts on the result, or is refused: a key without effect would be a lie."""

from __future__ import annotations

import json

import pytest

from scenarios.language.faults import ScenarioError
from scenarios.schema.circuit.scenario import CircuitPhases, CircuitSpec
from tests.scenarios.keys.sample import differing
from tests.scenarios.keys.walk import keys_of

from ..scenarios_of_circuits import change
from .sample import Sample, find_result, write_files
from .samples import FOUND

KEYS = [key for key in keys_of(CircuitSpec) if not key.startswith("sweep.")]
RUN = [key for key in KEYS if isinstance(FOUND.get(key), Sample)]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return what gives the result of a scenario; each is computed once."""
    folder, kept = tmp_path_factory.mktemp("keys"), {}
    write_files(folder)

    def find(data, decks=False):
        name = json.dumps([data, decks], sort_keys=True)
        if name not in kept:
            kept[name] = find_result(data, folder, decks)
        return kept[name]

    return find


def test_every_key_has_a_sample_and_every_sample_a_key():
    assert len(KEYS) == len(set(KEYS)) > 140
    assert set(KEYS) == set(FOUND)
    assert set(KEYS) - set(RUN) == {"experiment[train].checkpoint_seconds"}


def test_a_key_that_is_added_is_one_without_a_sample(monkeypatch):
    field = CircuitPhases.model_fields["nudge"]
    monkeypatch.setitem(CircuitPhases.__pydantic_fields__, "added", field)
    assert {key for key in keys_of(CircuitSpec) if not key.startswith("sweep.")} - set(FOUND) == {"phases.added"}


@pytest.mark.parametrize("key", RUN)
def test_a_key_acts_or_is_refused(results, key):
    sample = FOUND[key]
    before, changed = results(sample.base, sample.decks), change(sample.base, (sample.path, sample.value))
    if sample.refused:
        with pytest.raises(ScenarioError, match=sample.refused):
            results(changed, sample.decks)
    else:
        assert differing(before, results(changed, sample.decks))


def test_a_key_that_changes_nothing_is_found(results):
    """The law sees a change without effect: a scenario that says the default."""
    base = FOUND["phases.nudge"].base
    assert differing(results(base), results(change(base, ("phases.nudge", "continuous")))) == []
