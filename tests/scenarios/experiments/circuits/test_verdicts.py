"""Verdicts on circuits: every cause that is planted alone is named, whether nodes or only elements see it."""

import pytest

import nudgelab
from learning.oracle.circuits.ledger import TERMS
from learning.oracle.circuits.remedies import REMEDIES
from scenarios.experiments.measure.advice import list_attempts
from scenarios.experiments.measure.words import NAMES, find_blamed_cause

AMPLIFIERS = {"network.amplifiers": {"h1": {"forward": 4.0, "backward": 0.25}}, "network.diodes": {}}
COUPLED = {"rule": {"kind": "coupled", "clamp": 0.1}}
SINGLE = {"dynamics": {"precision": "single", "sweeps": 200}, "learning.scheme.beta": {"fraction": 1e-4}}
PLANTS = {
    "metric": ("asymmetry", AMPLIFIERS | {"learning.metric": "none"}),
    "equal-gains": ("asymmetry", AMPLIFIERS | {"devices.amplifiers": {"backward_sigma": 0.3}}),
    "trimmed-amplifiers": ("asymmetry", AMPLIFIERS | {"devices.amplifiers": {"backward_sigma": 0.3}}),
    "nudging-currents": ("clamp", {"learning": COUPLED, "devices.nudge": {"gain": 0.999}}),
    "held-nudge": ("finite_nudge", {"learning.scheme.beta": {"fraction": 0.5}}),
    "smaller-nudge": ("finite_nudge", {"learning.scheme.beta": {"fraction": 0.5}}),
    "centred-nudge": ("finite_nudge", {"learning.scheme": {"kind": "one-sided", "beta": {"fraction": 0.05}}}),
    "longer-settling": ("settling", {"dynamics": {"sweeps": 4}}),
    "double-precision": ("precision", SINGLE),
    "drop-offsets": ("readout", {"devices.drops": {"offset_sigma": "500 mV"}}),
    "equal-squarers": ("readout", {"devices.drops": {"squarer_offset_sigma": "2 mV", "squarer_gain_sigma": 1e-4}}),
    "one-circuit": ("readout", {"devices.drops": {"twin_sigma": 0.01}}),
    "target-offsets": ("readout", {"devices.nudge": {"offset_sigma": "300 mV"}}),
    "nudge-gain": ("readout", {"devices.nudge": {"gain": 1.5}}),
    "read-noise": ("noise", {"devices.drops": {"noise": "2 mV"}}),
    "read-noise of two boards": (
        "noise",
        {"devices.drops": {"noise": "0.3 mV", "twin_noise": "30 mV", "twin_sigma": 1e-9}},
    ),
    "conductance-noise": ("noise", {"devices.weights.noise": {"fast": 0.01}}),
    "larger-nudge": ("noise", {"devices.drops": {"noise": "2 mV"}}),
    "larger-clamp": ("noise", {"learning": COUPLED, "devices.drops": {"noise": "50 mV"}}),
    "levels": ("write", {"devices.weights.levels": 1000, "learning.optimiser": {"rate": "1e-20 S^2/V^2"}}),
}
"""What is planted, by the change that takes it away: the term it belongs to, and the edits of a small circuit."""

RARE = {"smaller-clamp", "longer-durations"}
"""Of a clamp the direction is wrong before its size is; ideal diodes know no time."""


def test_every_term_and_remedy_of_circuits_is_planted():
    assert {term for term, _ in PLANTS.values()} == set(TERMS)
    assert REMEDIES.keys() - RARE == {name.split(" of ")[0] for name in PLANTS} - {"levels"}


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_cause_is_named_and_taking_it_away_helps(plant):
    term, edits = PLANTS[plant]
    run = nudgelab.load("circuits/readout", {"learning.scheme.beta": {"fraction": 0.01}} | edits).run()
    found, name = find_blamed_cause(run.stored), plant.split(" of ")[0]
    assert term in found.terms
    assert run.answer.startswith("Asymmetry of the circuit" if term == "asymmetry" else NAMES[term]), run.answer
    if name in REMEDIES:
        attempts = list_attempts(run["ledger/remedies"], found.place, found.written)
        (attempt,) = [attempt for attempt in attempts if attempt.name == name]
        assert attempt.helps
        assert f"({attempt.keys}): cosine" in run.answer
