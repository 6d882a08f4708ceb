"""The estimate of time counts every part of a run; how near it comes is a matter of `benchmarks/estimates.py`."""

import copy
import tomllib

import pytest

from devices.hardware import Devices
from scenarios.data.datasets import Outline
from scenarios.experiments import rates
from scenarios.experiments.estimate import estimate_seconds, estimate_workload
from scenarios.experiments.step_clock import make_step_clock
from scenarios.schema.scenario import ScenarioSpec
from substrate.chip.design import Design
from substrate.dynamics.methods import Dynamics
from substrate.network.topology import Topology
from tests.scenarios.files import MEASURE

OUTLINE = Outline(samples=4000, inputs=12, classes=5, test_samples=40)

FIXED = {"method": "exponential", "free": {"duration": 30.0}, "nudged": {"duration": 20.0, "window": 5.0}}
NOISY = {"noise": {"thermal": 0.01, "read": 0.01}, "update": {"kind": "constant-step", "step": 1e-4}}
MEASURED = {"kind": "measure", "samples": 16, "repeats": 4}
TRAINED = {"kind": "train", "epochs": 3, "samples": 100, "ledger": {"every_epochs": 3}}


def foretold(changes=(), **tables):
    """Return the seconds of every part of a small scenario, with `changes` by dotted key."""
    data = tomllib.loads(MEASURE)
    data["network"].pop("parameters")
    for table, keys in copy.deepcopy(tables).items():
        data[table] = keys if table == "experiment" else {**data.get(table, {}), **keys}
    for key, value in dict(changes).items():
        *path, last = key.split(".")
        table = data
        for step in path:
            table = table.setdefault(step, {})
        table[last] = value
    scenario = ScenarioSpec.model_validate(data)
    return estimate_seconds(scenario, estimate_workload(scenario, OUTLINE))


NOISY_MEASURE = {"dynamics": FIXED, "devices": NOISY, "experiment": MEASURED}
TOGETHER = NOISY_MEASURE | {"experiment": MEASURED | {"interactions": True}}
STUDY = {"dynamics": FIXED, "devices": NOISY, "experiment": {"kind": "nudge", "repeats": 4, "samples": 16}}


RIVALS = [
    {"rule": "error-vector"},
    {"rule": "pat"},
    {"rule": {"kind": "node-perturbation", "probes": 2}},
    {"start": "deployed"},
    {"start": "spread-aware", "rule": "dfa"},
]
COMPARED = {
    "experiment": {"kind": "rivals", "rivals": RIVALS, "budget": {"settlings": 60_000}},
    "learning": {"scheme": {"kind": "centred", "beta": 0.2}, "schemes": None},
    "task": {"batch": 20},
}
ALL_PARTS = ["settling", "digital errors", "writes", "tests", "exact gradients"]


@pytest.mark.parametrize(
    ("tables", "key", "values", "parts"),
    [
        (COMPARED, "experiment.chips", (4, 5, 6), ALL_PARTS),
        (COMPARED, "experiment.mismatch", ([0.1], [0.1, 0.2], [0.1, 0.2, 0.3]), [*ALL_PARTS, "in silico"]),
        (COMPARED, "experiment.read_noise", ([0.1], [0.1, 0.2], [0.1, 0.2, 0.3]), ALL_PARTS),
        (COMPARED, "experiment.rates", ([0.1, 0.2], [0.1, 0.2, 0.3], [0.1, 0.2, 0.3, 0.4]), ["settling", "writes"]),
        (COMPARED, "experiment.budget.settlings", (30_000, 60_000, 90_000), ["settling", "digital errors", "writes"]),
        (COMPARED, "experiment.in_silico_epochs", (5, 6, 7), ["in silico"]),
        (NOISY_MEASURE, "experiment.repeats", (10, 20, 30), ["settling", "writes"]),
        (TOGETHER, "experiment.repeats", (10, 20, 30), ["interactions"]),
        (NOISY_MEASURE, "experiment.samples", (10, 20, 30), ["settling", "reference runs", "exact gradients"]),
        (NOISY_MEASURE, "experiment.samples", (10, 20, 30), ["remedies"]),
        (NOISY_MEASURE, "dynamics.free.duration", (10.0, 20.0, 30.0), ["settling", "reference runs"]),
        (STUDY, "experiment.repeats", (10, 20, 30), ["settling"]),
        (STUDY, "experiment.samples", (10, 20, 30), ["settling", "exact gradients"]),
        ({"experiment": TRAINED}, "experiment.epochs", (10, 20, 30), ["settling", "writes"]),
        ({"experiment": TRAINED}, "experiment.samples", (128, 192, 256), ["settling", "writes"]),
        ({"experiment": TRAINED}, "experiment.ledger.samples", (10, 20, 30), ["ledgers"]),
        ({"experiment": {"kind": "evaluate"}}, "experiment.chips", (10, 20, 30), ["settling"]),
    ],
)  # fmt: skip
def test_a_part_grows_in_proportion(tables, key, values, parts):
    """Beside what a settling takes whatever its size: equal steps of a switch add equal times."""
    low, middle, high = (foretold({key: value}, **tables) for value in values)
    for part in parts:
        grown = middle[part] - low[part]
        assert grown > 0.0
        assert high[part] - middle[part] == pytest.approx(grown)


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        ({}, {"devices.noise.thermal": 0.01, "experiment.repeats": 1}, "settling"),
        ({}, {"devices.converters.readout.bits": 8}, "reference runs"),
        ({}, {"dynamics.precision": "single"}, "reference runs"),
        ({}, {"devices.update": {"kind": "constant-step", "step": 1e-4}}, "writes"),
        ({}, {"learning.schemes": [{"kind": "circle", "points": 12, "beta": 0.2}]}, "settling"),
        ({}, {"experiment.interactions": True}, "interactions"),
        ({}, {"learning.schemes": [{"kind": "centred", "beta": "auto"}]}, "size of the nudge"),
        (
            {"experiment.interactions": True},
            {"experiment.interactions": True, "devices.neurons.offset_sigma": 0.1},
            "interactions",
        ),
    ],
)  # fmt: skip
def test_a_switch_costs_what_it_adds(before, after, part):
    tables = {"dynamics": FIXED, "experiment": {"kind": "measure", "samples": 16}}
    without, with_it = foretold(before, **tables), foretold(after, **tables)
    assert with_it[part] > without.get(part, 0.0)


@pytest.mark.parametrize(
    ("changes", "part"),
    [({"experiment.reference": True}, "exact gradients"), ({"experiment.ledger": {"every_epochs": 1}}, "ledgers")],
)
def test_what_a_training_does_beside_is_counted(changes, part):
    tables = {"experiment": {"kind": "train", "epochs": 3, "samples": 100}}
    assert part not in foretold(**tables)
    assert foretold(changes, **tables)[part] > 0.0


def test_interactions_cost_as_many_measurements_as_chips_are_random():
    """Noise acts on the chip as it is, alone, and without mismatch; the other chips are measured once."""
    tables = {"dynamics": FIXED, "devices": {"noise": {"thermal": 0.01}}}
    experiment = {"kind": "measure", "samples": 1000, "interactions": True}
    one, many = (foretold(experiment=experiment | {"repeats": n}, **tables) for n in (1, 5))
    assert many["interactions"] - one["interactions"] == pytest.approx(3 * (many["settling"] - one["settling"]))


SECONDS = {"single": 1e-3, "double": 3e-3}
FIXED_STEPS = {"engine": "jax", "precision": "single", "free": {"steps": 30}, "nudged": {"steps": 15}}


@pytest.fixture
def clock(monkeypatch):
    """Let steps on another engine take what `SECONDS` says."""
    monkeypatch.setattr(rates, "make_step_clock", lambda *_: SECONDS.__getitem__)


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(("scheme", "planes"), [({"kind": "centred"}, 2), ({"kind": "circle", "points": 4}, 4)])
def test_steps_of_another_engine_take_what_was_measured(scheme, planes):
    """A circle of four nodes has two real ones and one pair, of which one node settles in two planes."""
    learning = {"schemes": [scheme | {"beta": 0.2}]}
    told = foretold(dynamics=FIXED_STEPS, learning=learning, experiment=TRAINED | {"epochs": 1, "ledger": None})
    assert told["settling"] == pytest.approx(100 * (30 + planes * 15) * SECONDS["single"], rel=1e-2)


@pytest.mark.usefixtures("clock")
def test_draws_around_the_states_of_kernels_are_counted():
    pull = {"learning.homeostasis": {"kind": "sampled", "draws": 3}}
    network = {
        "layers": {"in": [4, 3, 1], "l1": [2, 2, 3], "l2": [1, 1, 3], "out": 3},
        "connections": [
            "in-l1",
            {"path": "l1-l2", "kind": "conv"},
            {"path": "l2-l1", "kind": "conv"},
            "l2-out",
        ],
    }
    told = {
        dense: foretold(pull, dynamics=FIXED_STEPS, experiment=TRAINED, **({} if dense else {"network": network}))
        for dense in (True, False)
    }
    assert "homeostasis" not in told[True]
    assert told[False]["homeostasis"] == pytest.approx(300 * 3 * rates.PULL * SECONDS["double"])


def test_the_engine_of_this_processor_has_rates_and_needs_no_clock():
    scenario = ScenarioSpec.model_validate(tomllib.loads(MEASURE))
    topology = estimate_workload(scenario, OUTLINE).topology
    assert rates.TimedChip.of(scenario, topology, 50).clock is None


@pytest.mark.jax
def test_a_step_in_double_precision_is_measured_apart():
    pytest.importorskip("jax")
    data = tomllib.loads(MEASURE)
    data["dynamics"] = FIXED_STEPS
    scenario = ScenarioSpec.model_validate(data)
    clock = rates.TimedChip.of(scenario, estimate_workload(scenario, OUTLINE).topology, 20).clock
    assert 0.0 < clock("single") < 1.0
    assert clock("single") == clock("single") != clock("double")


def test_the_copies_of_kernels_are_counted_in_memory_and_writes(monkeypatch):
    monkeypatch.setattr(rates, "make_step_clock", lambda *_: SECONDS.__getitem__)
    kernel = {"path": "in-l1", "kind": "conv", "pool": "none"}
    found = []
    for cells in ("shared", "per-position"):
        network = {
            "layers": {"in": [4, 3, 1], "l1": [4, 3, 5], "out": 3},
            "connections": [kernel | {"cells": cells}, "l1-out", "out-l1"],
        }
        data = tomllib.loads(MEASURE) | {"dynamics": FIXED_STEPS, "experiment": TRAINED | {"ledger": None}}
        data["network"] = {k: v for k, v in data["network"].items() if k != "parameters"} | network
        scenario = ScenarioSpec.model_validate(data)
        load = estimate_workload(scenario, OUTLINE)
        made = rates.TimedChip.of(scenario, load.topology, 1).made()
        found.append((load, estimate_seconds(scenario, load)["writes"], made))
    (shared, fast, few), (copied, slow, many) = found
    more = 11 * 3 * 3 * 5
    assert copied.topology.size == shared.topology.size
    assert copied.memory - shared.memory == 3 * 8 * more
    assert copied.result - shared.result == 8 * more
    assert copied.operations == shared.operations
    assert slow > fast
    assert many / few == copied.topology.cell_count / shared.topology.size


def test_steps_are_measured_with_the_cells_of_the_scenario(monkeypatch):
    """Copies of a kernel that differ take longer; nothing else of the devices does."""
    made = []

    def make(design, *_):
        made.append(design)
        raise RuntimeError

    monkeypatch.setattr("substrate.chip.chip.Chip", make)
    devices = Devices(weights={"mismatch_sigma": 0.1}, feedback={"mismatch_sigma": 0.2}, noise={"thermal": 0.1})
    design = Design(
        Topology({"in": 2, "out": 2}, ["in-out", "out-out"]), "dsilu", "mse", Dynamics(engine="jax"), devices
    )
    with pytest.raises(RuntimeError):
        make_step_clock(design, 1)("double")
    assert made[0].devices == Devices(weights=devices.weights, feedback=devices.feedback)
