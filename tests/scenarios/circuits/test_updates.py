"""What a circuit that learns by itself lacks, and what changes nothing, is told at the key to change."""

import pytest

from scenarios.language.faults import ScenarioError, format_dotted_key
from scenarios.language.load import load_scenario
from scenarios.language.places import CATALOGUE
from tests.scenarios.circuits.scenarios_of_circuits import GRAPH, LAYERS, LEARNER, RHEOSTATS, change, set_up

UPDATE = LEARNER["devices"]["update"]
PERIODS = LEARNER["experiment"]
OTHER = ("experiment", {"kind": "measure"})

FEED = {"kind": "current", "name": "fixed", "between": ["x", "out"], "current": "1 uA", "learn": True}

FAULTS = [
    (("task", GRAPH["task"]), "task.kind", "needs tasks that alternate", "alternating"),
    (("learning.rule", "contrastive"), "learning.rule", "clamp their outputs", 'rule = "coupled"'),
    (("learning", None), "learning", "clamp their outputs", 'rule = "coupled"'),
    (("devices.update", None), "devices", "says nothing of how parameters change", "devices.update"),
    (("devices.transistors", None), "devices.update", "needs the range", "devices.transistors.gate"),
    (("learning.optimiser.gate_rate", 1.0), "learning.optimiser.gate_rate", "changes nothing", "leave it out"),
    (("dynamics.tolerance", 1e-9), "dynamics.tolerance", "changes nothing", "leave it out"),
    (("devices.drops.noise", "1 mV"), "devices.drops.noise", "changes nothing", "leave it out"),
    (("devices.drops.twin_sigma", 0.1), "devices.drops.twin_sigma", "changes nothing", "leave it out"),
    (
        ("devices.weights.window", ["1 uS", "2 uS"]),
        "devices.weights.window",
        "no conductance is learned",
        "leave it out",
    ),
    (("physical.input_volts", "2 V"), "physical.input_volts", "in volts", "leave it out"),
    (OTHER, "task.kind", "do not alternate", "learns by itself"),
    (OTHER, "devices.update", "changes nothing in this experiment", "learns by itself"),
    (("experiment", {"kind": "self-learning"}), "experiment", "needs one of `periods` and `compare`", None),
    (("experiment.compare", "transistor-learner-1"), "experiment", "needs one of `periods` and `compare`", None),
    (("experiment", PERIODS | {"periods": ["20"]}), "experiment.periods.0", "unit", "20 ms"),
    (("task.tasks.A.0.1", 0.3), "task.tasks.A.0.1", "needs a unit", "0.5 V"),
    (("task.tasks", {"A": [["0.1 V", "0.2 V"]]}), "task.tasks", "at least 2 item(s)", None),
    (("devices.update.bias.minus", "2 V"), "devices.update.bias.minus", "cannot be read in the unit 'V/s'", "2 V/s"),
    (("devices.update.leak.minus", 0.5), "devices.update.leak.minus", "needs a unit", "0.5 1/s"),
    (("devices.update.sensitivity", "1 uS/V"), "devices.update.sensitivity", "no conductance is learned", "leave"),
    (("devices.update.bias.other", "1 V/s"), "devices.update.bias.other", "no learned transistor", "minus, plus"),
    (("devices.update.offset.fixed", "1 mV"), "devices.update.offset.fixed", "no learned transistor", "minus, plus"),
    (("network.elements.2", FEED), "devices.update", "changes gates and conductances", "at transistors and resistors"),
    (("task.tasks.A.0", ["0.1 V"]), "task.tasks.A", "row 0 has 1 voltages, the circuit 1 inputs and 1", "one voltage"),
    (("task.offsets.C", [["1 mV"]]), "task.offsets.C", "no such task", "B, A"),
    (("task.offsets.A", [["1 mV"], ["1 mV"]]), "task.offsets.A", "must have 1 rows of 1", "one row a sample"),
]


LACKS = [
    (("devices.weights.levels", 8), "devices.weights.levels", "without steps", "leave it out"),
    (("devices.weights.window", None), "devices.update", "needs the window", "devices.weights.window"),
    (("devices.update.sensitivity", None), "devices.update", "the voltage of its capacitor", "sensitivity ="),
    (("learning.optimiser.coupled_rate", "5 uS/V^2"), "learning.optimiser.coupled_rate", "changes nothing", "leave"),
    (("devices.update.leak.none", "1 1/s"), "devices.update.leak.none", "no learned", "left, right"),
]


@pytest.mark.parametrize(("edit", "path", "message", "hint"), LACKS)
def test_resistors_lack_what_they_need(tmp_path, edit, path, message, hint):
    with pytest.raises(ScenarioError) as caught:
        set_up(change(RHEOSTATS, edit), tmp_path)
    (fault,) = [fault for fault in caught.value.faults if format_dotted_key(fault.path) == path]
    assert message in fault.message
    assert hint in fault.hint


@pytest.mark.parametrize(("edit", "path", "message", "hint"), FAULTS)
def test_a_fault_names_its_place_and_what_to_write(tmp_path, edit, path, message, hint):
    with pytest.raises(ScenarioError) as caught:
        set_up(change(LEARNER, edit), tmp_path)
    (fault,) = [fault for fault in caught.value.faults if format_dotted_key(fault.path) == path]
    assert message in fault.message
    assert hint is None or hint in fault.hint


def test_layers_have_no_gates(tmp_path):
    base = change(LAYERS, ("learning", {"rule": "coupled"}), ("devices.update", UPDATE), ("experiment", PERIODS))
    with pytest.raises(ScenarioError) as caught:
        set_up(change(base, ("task", LEARNER["task"])), tmp_path)
    assert [(fault.path, fault.hint) for fault in caught.value.faults] == [
        (("devices", "update"), "use nodes and elements")
    ]


def test_rate_networks_are_told_that_only_circuits_learn_by_themselves():
    edits = {"experiment": PERIODS, "task": LEARNER["task"]}
    with pytest.raises(ScenarioError) as caught:
        load_scenario(CATALOGUE / "first-training.toml", edits)
    hints = {format_dotted_key(fault.path): fault.hint for fault in caught.value.faults}
    for key in ("experiment.kind", "task.kind"):
        assert hints[key] == 'only circuits have it: write network.law = "resistive"'
    with pytest.raises(ScenarioError) as caught:
        load_scenario(CATALOGUE / "first-training.toml", {"experiment.kind": "meassure"})
    assert "measure" in caught.value.faults[0].hint, "a slip is no circuit"


def test_samples_of_all_tasks_follow_each_other(tmp_path):
    data = set_up(change(LEARNER, ("task.tasks.A.1", ["0.2 V", "0.25 V"]), ("task.offsets.A", None)), tmp_path).data
    assert data.x.tolist() == [[0.0181], [0.4351], [0.2]]
    assert data.y.tolist() == [[0.14], [0.31], [0.25]]


def test_tasks_that_alternate_have_no_batches(tmp_path):
    with pytest.raises(TypeError, match="no batches"):
        _ = set_up(LEARNER, tmp_path).batch_size
    assert set_up(change(LAYERS, ("task.batch", 2)), tmp_path).batch_size == 2
