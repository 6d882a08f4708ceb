"""Comparisons of rules: the account, the verdict, and what averages explain."""

import numpy as np
import pytest

import nudgelab
from scenarios.experiments.rivals.budget import RivalBudget
from scenarios.experiments.rivals.run import pays
from scenarios.experiments.rivals.tables import forecast_rivals, judge_rivals
from scenarios.experiments.rivals.words import describe_rival_remarks, list_rivals_numbers
from scenarios.results.store import Variable
from substrate.protocol import Budget

SMALL = {
    "schema": 1,
    "name": "small",
    "network": {
        "layers": {"in": 3, "l1": 5, "out": 2},
        "connections": ["in-l1", "l1-out", "out-l1"],
        "cost": "mse",
        "asymmetry": {"angle": 0},
    },
    "dynamics": {"mode": "equilibrium"},
    "learning": {"scheme": {"kind": "centred", "beta": 0.1}, "optimiser": {"rate": 0.2, "momentum": 0.0}},
    "task": {"kind": "teacher", "inputs": 3, "outputs": 2, "samples": 24, "test_samples": 12, "targets": "values"},
}
RIVALS = [
    {"rule": "error-vector"},
    {"rule": "pat"},
    {"rule": {"kind": "node-perturbation", "probes": 2}},
    {"rule": "weight-perturbation", "rate": 0.01},
    {"start": "deployed"},
    {"start": "spread-aware", "rule": "pat"},
]


def compare(rivals=RIVALS, **plan):
    """Return the group of a comparison."""
    experiment = {"kind": "rivals", "rivals": rivals, "budget": {"settlings": 240}, "chips": 2, "estimates": 3} | plan
    return nudgelab.load(SMALL | {"experiment": experiment, "task": SMALL["task"] | {"batch": 4}}).run()


@pytest.fixture(scope="module")
def result():
    return compare(mismatch=[0.0, 0.2], read_noise=[0.01])


def test_every_rule_spends_the_budget_and_no_more(result):
    group = result["rivals"]
    settlings = group["settlings"].values
    assert (settlings <= 240).all()
    assert (settlings[:, [0, 1, 2, 3, 5]] > 200).all()
    assert (settlings[:, 4] == 0).all()
    per_sample = {"error-vector": 3, "pat": 1, "node-perturbation, probes 2": 5, "weight-perturbation, rate 0.01": 3}
    for name, each in per_sample.items():
        place = list(group["rival"].values).index(name)
        np.testing.assert_array_equal(group["batches"].values[:, place], 240 // (4 * each))
    assert (group["macs"].values[:, 1] > 0).all()
    assert (group["outputs_read"].values[:, 3] == 160).all()


def test_the_map_has_the_places_and_numbers_everywhere(result):
    group = result["rivals"]
    np.testing.assert_array_equal(group["mismatch"].values, [0.0, 0.2])
    assert np.isfinite(group["loss"].values).all()
    assert (group["loss_low"].values <= group["loss_mean"].values).all()
    words = result.answer
    assert "at a budget of 240 settlings for each: with mismatch 0 %" in words
    assert str(group["rival"].values[int(group["best"].values[1])]) in words


def test_training_in_silico_helps_and_costs_the_chip_nothing():
    short = compare([{"rule": "dfa"}, {"start": "deployed"}], in_silico_epochs=1, budget={"settlings": 4})["rivals"]
    long = compare([{"rule": "dfa"}, {"start": "deployed"}], in_silico_epochs=40, budget={"settlings": 4})["rivals"]
    assert (long["loss"].values[0, 1] < 0.8 * short["loss"].values[0, 1]).all()


def test_a_rival_without_a_rate_takes_the_best_of_those_that_are_tried():
    rivals = [{"rule": "pat"}, {"rule": "pat", "rate": 1e-4}]
    group = compare(rivals, rates=[1e-4, 0.3])["rivals"]
    np.testing.assert_array_equal(group["rate"].values, [[[0.3, 0.3], [1e-4, 1e-4]]])
    assert (group["loss"].values[0, 0] < group["loss"].values[0, 1]).all()


def test_a_budget_limits_what_it_names():
    spent = Budget(settlings=10, reads=3, outputs_read=4, pulses=5, energy=0.5)
    assert pays(RivalBudget(settlings=10, reads=7, pulses=5, joules=0.5), spent)
    for name, value in (("settlings", 9), ("reads", 6), ("pulses", 4), ("joules", 0.4)):
        assert not pays(RivalBudget(**{name: value}), spent)


def test_ties_are_told_and_a_rival_that_diverged_is_none():
    rng = np.random.default_rng(0)
    chips = rng.normal(size=8)
    both = 0.1 * rng.normal(size=4) * np.array([[1.0], [-1.0]])  # a difference of mean 0
    loss = np.array([[1.0 + chips, 1.001 + chips + both.ravel(), 2.0 + chips, 0.1 + 0.0 * chips]])
    loss[0, 3, 5] = np.nan
    found = judge_rivals(loss)
    assert found.best[0] == 0
    np.testing.assert_array_equal(found.tied[0], [True, True, False, False])
    assert judge_rivals(np.full((1, 2, 3), np.nan)).best[0] == -1


def test_averages_divide_the_scatter_alone_and_name_the_break_even():
    """A biased rule of scatter 0 and an unbiased noisy one: equal at ``s scatter^2 / bias^2`` settlings."""
    bias, scatter, cost, batches = (0.5, 0.0), (0.0, 4.0), (3.0, 5.0), (10.0, 6.0)
    values = {"square_bias": np.square(bias), "scatter": scatter, "per_batch": cost, "batches": batches}
    group = {
        name: Variable(("place", "rival", "chip"), np.tile(np.reshape(v, (1, 2, 1)), 3)) for name, v in values.items()
    }
    group |= {"chip": Variable(("chip",), np.arange(3)), "estimates": Variable((), 8)}
    group |= {"scratch": Variable(("rival",), np.array([True, True]))}
    found = forecast_rivals(group, 0)
    np.testing.assert_allclose(found.one, [0.5, 4.0])
    np.testing.assert_allclose(found.averaged, [0.5, 4.0 / np.sqrt(6.0)])
    assert found.overtakes[0] == 0.0
    assert found.overtakes[1] == pytest.approx(5.0 * 16.0 / 0.25)
    at_even = found.overtakes[1] / 5.0
    assert 4.0 / np.sqrt(at_even) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"budget": {}}, "limits nothing"),
        ({"rivals": [{}, {"rule": "pat"}]}, "number 1 learns nothing"),
        ({"rivals": [{"rule": "pat"}, {"rule": "pat"}]}, "pat stands there twice"),
        ({"budget": {"settlings": 19}}, r"19 does not pay a batch of 4 of node-perturbation, probes 2, 20 at least"),
        ({"budget": {"reads": 11}}, "11 does not pay a batch of 4 of error-vector, 12 at least"),
        ({"budget": {"joules": 1.0}}, "nothing takes energy"),
    ],
)
def test_what_cannot_be_compared_is_refused(plan, words):
    with pytest.raises(nudgelab.ScenarioError, match=words):
        compare(**plan)


def test_the_worse_single_estimate_trains_better_as_the_law_of_averages_says():
    """A pedestal of the hold is a bias of nudged reads, which no average removes; probes scatter three times as much.

    The loss of the biased rule is larger on every chip.
    """
    rivals = [{"rule": "error-vector"}, {"rule": {"kind": "node-perturbation", "probes": 1}, "rate": 0.1}]
    scenario = SMALL | {"devices": {"hold": {"pedestal": 0.015}}, "task": SMALL["task"] | {"batch": 4, "samples": 60}}
    budget = {"settlings": 2400}
    experiment = {"kind": "rivals", "rivals": rivals, "budget": budget, "chips": 3, "mismatch": [0.1]}
    result = nudgelab.load(scenario | {"experiment": experiment}).run()
    group = {name: Variable(tuple(v.dims), v.values) for name, v in result["rivals"].variables.items()}
    forecast, loss = forecast_rivals(group, 0), group["loss"].data[0]
    assert forecast.one[1] > 2.0 * forecast.one[0]
    assert forecast.averaged[1] < 0.5 * forecast.averaged[0]
    assert forecast.overtakes[1] < 2400
    assert (loss[1] < 0.7 * loss[0]).all()
    (told,) = describe_rival_remarks(group)
    assert "and yet node-perturbation, probes 1, rate 0.1 trains to a lower loss: averages over the batches" in told


@pytest.mark.parametrize("places", [1, 2])
def test_a_page_begins_with_three_numbers_where_the_map_is_small(result, places):
    """Places first, then the second best at each."""
    group = result.stored["rivals"]
    along = {name for name, v in group.items() if v.dims[:1] == ("place",)}
    small = {name: v._replace(data=v.data[:places]) if name in along else v for name, v in group.items()}
    told = [number.words for number in list_rivals_numbers(small)]
    ranks = ["lowest", "second lowest", "third lowest"] if places == 1 else ["lowest", "lowest", "second lowest"]
    assert [words.partition(" test loss")[0] for words in told] == ranks
    names = group["rival"].data
    assert f"by {names[group['best'].data[0]]}" in told[0]
    means = [float(number.value) for number in list_rivals_numbers(small)]
    assert places > 1 or means == sorted(means)
