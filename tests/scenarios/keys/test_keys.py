"""Every key of the scenario language acts on the result, or is refused: a key without effect would be a lie.

Each has a sample: a small scenario and a changed value. The default tests see that all samples are what they say, and
run some; the slow ones run all.
"""

from __future__ import annotations

import json

import pytest

from scenarios.experiments.train import checkpoint
from scenarios.language.faults import ScenarioError
from scenarios.schema.tasks import ArraysTask

from . import boards, hardware, others
from .files import write_all
from .sample import Sample, Silent, differing, read, result_of, scenario_of
from .walk import keys_of

KEYS = list(keys_of())
SAMPLES: dict[str, Sample | Silent] = hardware.FOUND | others.FOUND | boards.FOUND
RUN = [key for key in KEYS if isinstance(SAMPLES.get(key), Sample)]
SILENT = {key for key in KEYS if isinstance(SAMPLES.get(key), Silent)}
SOME = [
    *("devices.feedback.mismatch_sigma", "devices.converters.readout.bits", "devices.hold.droop", "network.law"),
    *("learning.scheme[centred].beta", "task[two-moons].noise", "dynamics.free.duration", "physical.temperature"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with every file that samples name; pictures are kept beside them."""
    made = tmp_path_factory.mktemp("keys")
    write_all(made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(made / "cache"))
        yield made


@pytest.fixture(scope="module")
def results(folder):
    """Return what gives the result of a scenario; each is computed once."""
    kept = {}

    def find(data):
        name = json.dumps(data, sort_keys=True)
        if name not in kept:
            kept[name] = result_of(data, folder)
        return kept[name]

    return find


def test_every_key_has_a_sample_and_every_sample_a_key():
    assert len(KEYS) == len(set(KEYS)) > 400
    assert set(KEYS) == set(SAMPLES)


def test_a_key_that_is_added_is_one_without_a_sample(monkeypatch):
    field = ArraysTask.model_fields["batch"]
    monkeypatch.setitem(ArraysTask.__pydantic_fields__, "added", field)
    assert set(keys_of()) - set(SAMPLES) == {"task[arrays].added"}


@pytest.mark.parametrize("table", sorted({key.partition(".")[0].partition("[")[0] for key in RUN}))
def test_the_scenarios_of_samples_are_what_they_say(folder, table):
    """Without a run: the scenario is good before the change, and after it, unless it is one that is refused."""
    for key in (key for key in RUN if key.startswith(table)):
        sample = SAMPLES[key]
        read(scenario_of(sample, key, changed=False), folder)
        try:
            read(scenario_of(sample, key, changed=True), folder)
        except ScenarioError as error:
            assert sample.refused, f"{key}: {error}"  # noqa: PT017  others are no answer
            assert sample.refused in str(error)  # noqa: PT017


def acts(results, key):
    """Return what differs in the results of a sample; nothing where the change is refused as it should be."""
    sample = SAMPLES[key]
    before = results(scenario_of(sample, key, changed=False))
    if sample.refused:
        with pytest.raises(ScenarioError, match=sample.refused):
            results(scenario_of(sample, key, changed=True))
        return []
    return differing(before, results(scenario_of(sample, key, changed=True)))


@pytest.mark.parametrize("key", SOME)
def test_some_keys_act(results, key):
    assert acts(results, key)


@pytest.mark.slow
@pytest.mark.parametrize("key", RUN)
def test_a_key_acts_or_is_refused(results, key):
    assert acts(results, key) or SAMPLES[key].refused


def test_a_key_that_changes_nothing_is_found(results):
    """The law sees a change without effect: the name of a file that holds the same."""
    same = [
        results(scenario_of(Sample(path, {}), "task[arrays].path", changed=True)) for path in ("data.npz", "same.npz")
    ]
    assert differing(*same) == []


def test_the_time_between_checkpoints_changes_no_number_but_how_many_are_kept(folder, monkeypatch):
    """The only keys that act on no result, beside the choice of an engine and how lines travel to a board."""
    key = "experiment[train].checkpoint_seconds"
    line = {f"hardware.{name}" for name in ("port", "baud", "timeout", "retries")}
    assert {"dynamics.engine", key, "experiment[rivals].checkpoint_seconds", *line} == SILENT
    found = []
    for seconds in (1e-9, 60.0):
        data = scenario_of(Sample(seconds, {"experiment": {"kind": "train"}}), key, changed=True)
        counts = []
        save = checkpoint.write_checkpoint
        monkeypatch.setattr(
            checkpoint, "write_checkpoint", lambda *rest, counts=counts, save=save: counts.append(save(*rest))
        )
        data["experiment"] |= {"epochs": 2}
        data["task"] |= {"batch": 2}
        found.append((result_of(data, folder), len(counts)))
        monkeypatch.setattr(checkpoint, "write_checkpoint", save)
    (often, many), (once, few) = found
    assert differing(often, once) == []
    assert many > few > 0
