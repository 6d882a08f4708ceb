"""What a batch of every rule takes of a budget, as it is foretold and as it is spent."""

import pytest

import nudgelab
from scenarios.data.datasets import read_outline
from scenarios.experiments.estimate import describe_demands, estimate_workload
from scenarios.experiments.rivals.demand import RivalDemand
from substrate.network.topology import Topology
from tests.scenarios.experiments.rivals.test_rivals import SMALL

CLOCK = {"free": {"duration": 6.0}, "nudged": {"duration": 4.0}}
ENERGY = {"per_read": 1e-12, "static": 1e-6}
BATCH = 4
EP = "rival error-vector: a batch of 4 takes 12 settlings and 12 reads, 84 nJ of reads and settling"
PAT = "rival pat: a batch of 4 takes 4 settlings and 4 reads, 28 nJ of reads and settling"
RIVALS = [
    {"rule": "error-vector"},
    {"rule": "contrastive"},
    {"rule": "pat"},
    {"rule": "dfa"},
    {"rule": "layer-nudges"},
    {"rule": {"kind": "node-perturbation", "probes": 2}},
    {"rule": {"kind": "node-perturbation", "probes": 1, "control": "ep"}},
    {"rule": {"kind": "weight-perturbation", "probes": 3}},
]


def make(rivals=RIVALS, energy=ENERGY, **plan):
    """Return a comparison on a chip whose phases have a fixed length of 6 and 4 us."""
    budget = {"settlings": 10**6}
    experiment = {"kind": "rivals", "rivals": rivals, "budget": budget, "chips": 2, "estimates": 2} | plan
    parts = {"experiment": experiment, "task": SMALL["task"] | {"batch": BATCH}, "dynamics": CLOCK, "energy": energy}
    return nudgelab.load(SMALL | parts | {"physical": {"tau": "1 us"}})


@pytest.mark.parametrize("k", range(len(RIVALS)), ids=[str(r["rule"]) for r in RIVALS])
def test_a_batch_takes_what_is_foretold(k):
    rivals = [RIVALS[k], {"start": "deployed"}]
    scenario = make(rivals).loaded.spec.in_units()
    topology = Topology(scenario.network.layers, scenario.network.connections)
    demand = RivalDemand.of(scenario.experiment.rivals[0].rule, scenario, BATCH, topology)
    # One batch and not two.
    budget = {"settlings": int(1.5 * demand.asked["settlings"])}
    group = make(rivals, budget=budget, in_silico_epochs=1).run()["rivals"]
    assert group["batches"].values[0, 0, 0] == 1
    spent = {name: float(group[name].values[0, 0, 0]) for name in ("settlings", "reads", "outputs_read", "energy")}
    assert demand.asked["settlings"] == spent["settlings"]
    assert demand.asked["reads"] == spent["reads"] + spent["outputs_read"]
    # A nudged phase is shorter than the free one, which stands for both where time is told.
    assert demand.least["joules"] * (1.0 - 1e-9) <= spent["energy"] <= demand.asked["joules"] * (1.0 + 1e-9)
    if "weight" not in str(RIVALS[k]):
        assert demand.least["joules"] == pytest.approx(spent["energy"], rel=1e-9)


def test_joules_and_batches_are_told_for_every_rule_that_learns():
    rivals = [{"rule": "error-vector"}, {"rule": "pat"}, {"start": "deployed"}]
    energy = {"per_read": 1e-9, "per_mac": 1e-12}
    scenario = make(rivals, energy, budget={"joules": 1e-6}).loaded.spec
    load = estimate_workload(scenario, read_outline(scenario.task, None))
    lines = describe_demands(scenario, load)
    # 7 units: 3 reads of 4 samples are 84 conversions, a single one is 28.
    assert [" ".join(line.split()) for line in lines] == [
        EP + "; the budget pays for about 11",
        PAT + ", and what its controller computes; the budget pays for about 35",
    ]


def test_pulses_are_told_where_writes_have_any():
    update = {"kind": "constant-step", "step": 0.01}
    parts = {"devices.update": update, "energy.per_pulse": 1e-9}
    scenario = make([{"rule": "error-vector"}, {"rule": "pat"}], {"per_read": 1e-9}).set(parts).loaded.spec
    line, _ = describe_demands(scenario, estimate_workload(scenario, read_outline(scenario.task, None)))
    # 15 + 10 + 10 weights and 7 biases.
    assert EP.split(": ")[1] + ", and 42 pulses each time that all cells get one (42 nJ); the budget" in line


def test_a_budget_of_joules_that_pays_no_batch_is_refused():
    rivals = [{"rule": "error-vector"}, {"rule": "pat"}]
    energy = {"per_read": 1e-9}
    make(rivals, energy, budget={"joules": 84.1e-9}).check()
    scarce = make(rivals, energy, budget={"joules": 83e-9})
    with pytest.raises(nudgelab.ScenarioError, match=r"does not pay a batch of 4 of error-vector, 8\.4e-08 at least"):
        scarce.check()
    # A batch is no larger than what there is to learn from.
    make(rivals, energy, budget={"joules": 83e-9}, samples=3).check()
