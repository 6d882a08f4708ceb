"""Verdicts: a cause that is planted is named, and what is advised against it was measured to help."""

from functools import cache
from itertools import combinations

import numpy as np
import pytest

from devices.interface.converter import Adc, Converters, NudgeCircuit
from devices.interface.hold import Hold
from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise
from devices.programming.laws import ConstantStep, SoftBounds
from devices.synapse.cell import FeedbackDevices, WeightDevices
from devices.synapse.noise import CellNoise
from devices.synapse.retention import Retention
from devices.synapse.twin import Twin
from devices.synapse.wires import Wires
from learning.oracle.ledger.remedies import REMEDIES
from learning.schemes.nodes import Centred, OneSided
from scenarios.experiments.kind import Batch
from scenarios.experiments.measure.advice import PARTS, find_main_part, list_attempts
from scenarios.experiments.measure.run import measure_gradients
from scenarios.experiments.measure.tables import make_assessment_groups
from scenarios.experiments.measure.words import NAMES, find_blamed_cause
from scenarios.report.answer import make_answer
from scenarios.report.sheets import make_sheets
from scenarios.results.store import Variable
from scenarios.schema.scenario import Learning
from substrate.dynamics.methods import Phase
from substrate.dynamics.phases import Phases
from tests.networks import random_batch, random_chip
from tests.scenarios import result_files

WAITS = {"phases": Phases(hold_time=1.0)}
CLOCKED = {"phase": Phase(duration=20.0), "dt": 0.25, "dynamics": {"method": "exponential"}}
HELD = {"phases": Phases(nudge="held")}
FINE = {"bits": 20, "range": [-1.0, 2.0]}


def adc(**keys):
    return {"converters": Converters(readout=Adc(**(FINE | keys)))}


PLANTS = {
    "mismatch": {"sigma": 0.5},
    "stuck": {"weights": WeightDevices(stuck_fraction=0.2)},
    "window": {"feedback": FeedbackDevices(window=[-0.05, 0.05])},
    "path-gain": {"weights": WeightDevices(gain_sigma=0.4)},
    "wires": {"weights": WeightDevices(cell="pair"), "wires": Wires(segment=0.05, ends="opposite")},
    # At a rate that lets no cell forget much of a write.
    "retention": {"retention": Retention(age=100.0, drift=0.3, drift_sigma=0.3), "rate": 1e3},
    "correction-knowledge": {"correction": "programmed", "sigma": 0.5},
    "cell-bounds": {"update": SoftBounds(step=0.01, w_max=0.1, w_min=-0.1, w_max_sigma=1.0, w_min_sigma=1.0)},
    "neuron-speeds": {"neurons": NeuronDevices(synapse_tau=30.0), "phase": Phase(duration=20.0)},
    "bits": adc(bits=7),
    "linearity": adc(bits=9, unit_sigma=0.2),
    "converter-spread": adc(gain_sigma=0.4),
    "pedestal": {"hold": Hold(pedestal_sigma=0.01)},
    "droop": {"hold": Hold(droop_tau=50.0)} | WAITS,
    "nudge-gain": {"converters": Converters(nudge=NudgeCircuit(gain=1.4))},
    "nudge-offset": {"converters": Converters(nudge=NudgeCircuit(offset=0.05))},
    "nudge-range": {"converters": Converters(nudge=NudgeCircuit(full_scale=0.01))} | HELD,
    "twin": {"twin": Twin(mismatch_sigma=0.02)},
    "cell-noise": {"weights": WeightDevices(noise=CellNoise(relative=0.05, tau_c=3.0))} | CLOCKED,
    "noise": {"noise": Noise(thermal=0.03)} | CLOCKED,
    "read-noise": {"noise": Noise(read=0.02)},
    "hold-noise": {"hold": Hold(noise=0.02)},
}
"""A chip that is ideal but for one thing; spread of offsets only moves the point where a chip works."""

BEHIND = {"correction-knowledge": "mismatch"}
"""What makes a cause one, so that taking that away helps as much."""


@cache
def measured_with(plants, scheme=Centred(beta=0.1)):  # noqa: B008  immutable
    changes = {}
    for key, value in (item for plant in plants for item in PLANTS[plant].items()):
        before = changes.get(key)
        own = {name: getattr(value, name) for name in getattr(value, "model_fields_set", ())}
        changes[key] = value if before is None else before.model_copy(update=own)
    feedback, rate = changes.pop("feedback", None), changes.pop("rate", 0.01)
    correction = {"rule": "asym-ep"} if "correction" in changes else {}
    chip = random_chip(symmetric=True, seed=3, scale=0.8, **changes)
    chip = chip if feedback is None else chip.variant(feedback=feedback)
    how = {"schemes": [scheme.model_dump()], "optimiser": {"rate": rate}}
    learning = Learning.model_validate(how | correction)
    batch = Batch(*random_batch(chip, 12))
    found = measure_gradients(chip, batch, learning, lambda _: None, 4)
    return result_files.result(make_assessment_groups(chip, [scheme], found))


ON_THE_WAY = {
    "presynaptic": ({"converters": Converters(readout=Adc(bits=20, range=[-1.0, 2.0], offset=0.2))}, {}),
    "forgetting": ({"retention": Retention(leak_tau=100.0)}, {}),
    "write": ({"update": ConstantStep(step=0.01)}, {}),
    "write_noise": ({"update": ConstantStep(step=1e-4, write_noise=1e3)}, {}),
    "readout": (adc(offset=0.2), {"rule": "contrastive"}),
}
"""What no error vector sees: a chip, and how it learns."""


@pytest.mark.parametrize("term", ON_THE_WAY)
def test_a_cause_that_only_what_is_written_sees_is_named(term):
    devices, learning = ON_THE_WAY[term]
    text = verdict(random_chip(symmetric=True, seed=3, **devices), **learning)
    assert text.startswith(f"{NAMES[term]} dominates"), text
    assert "exact batch gradient of connection" in text
    assert "What would help" in text


def first_attempt(result):
    """Return what is taken away first in the verdict, and the verdict's culprit."""
    found = find_blamed_cause(result)
    attempts = [a for a in list_attempts(result["ledger/remedies"], found.place, found.written) if a.name in PARTS]
    return attempts[0], found


def test_everything_that_can_be_taken_away_is_planted():
    assert PLANTS.keys() == PARTS.keys()


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_cause_is_named_and_taking_it_away_helps(plant):
    result = measured_with((plant,))
    best, found = first_attempt(result)
    assert found.terms == ("readout", "noise") or set(found.terms) <= set(REMEDIES[plant].terms)
    assert PARTS[best.name] in {PARTS[plant], PARTS[BEHIND.get(plant, plant)]}, make_answer(result)
    assert best.helps
    assert best.error < 0.7 * best.error_before
    assert best.cosine > best.before or plant == "nudge-gain"  # a gain changes no direction
    text = make_answer(result)
    assert f"above all {PARTS[best.name]}: with" in text
    assert f"({best.keys}): cosine {best.before:.4f} -> {best.cosine:.4f}" in text


PAIRS = ("mismatch", "stuck", "bits", "droop", "nudge-offset", "read-noise", "twin")


@pytest.mark.parametrize("pair", list(combinations(PAIRS, 2)), ids="-".join)
def test_of_two_causes_the_one_is_named_whose_removal_gains_most(pair):
    """Of both that act on the term that is blamed; and no cause is blamed that was not planted."""
    result = measured_with(pair)
    best, found = first_attempt(result)
    assert best.name in pair
    assert best.helps
    both = [a for a in list_attempts(result["ledger/remedies"], found.place, found.written) if a.name in pair]
    assert {a.name for a in both} == {name for name in pair if set(REMEDIES[name].terms) & set(found.terms)}
    assert best.cosine >= max(a.cosine for a in both) - 1e-3
    assert f"above all {PARTS[best.name]}: with" in make_answer(result)


def test_the_finite_nudge_settling_precision_and_programmed_weights_are_named():
    text = make_answer(measured_with((), OneSided(beta=2.0)))
    assert "The finite nudge dominates, above all a change of goal, which is no error of the machine: with" in text
    assert "a centred nudge (kind): cosine" in text
    assert "half the nudge (beta): cosine" in text
    short = random_chip(symmetric=True, seed=3, phase=Phase(steps=4))
    assert "What would help, each measured alone: phases twice as long" in verdict(short)
    single = random_chip(symmetric=True, seed=3, dynamics={"precision": "single"}, phase=Phase(max_steps=900))
    assert "double precision (dynamics.precision): cosine" in verdict(single, Centred(beta=1e-4))
    turned = random_chip(seed=3)
    assert "Asymmetry of the programmed weights dominates" in verdict(turned)
    assert "weights that are kept symmetric (learning.homeostasis): cosine" in verdict(turned)
    kept = verdict(turned, homeostasis={"kind": "exact", "strength": 0.5})
    assert "(learning.homeostasis.strength): cosine" in kept


@pytest.mark.parametrize(("gains", "part"), [((0.9, 0.99), ""), ((0.99, 0.9), "the mismatch of cells")])
def test_no_part_of_the_devices_is_the_main_one_where_symmetric_weights_gain_more(gains, part):
    names = np.array(["mismatch", "symmetric-weights"])
    cosine = np.array(gains)[:, None]
    group = {"remedy": names, "keys": names, "cosine": cosine, "error": 1.0 - cosine}
    group |= {"cosine_before": np.array([0.8]), "error_before": np.array([0.5])}
    group = {name: Variable(("remedy", "layer")[: a.ndim], a) for name, a in group.items()}
    assert find_main_part(group, 0) == part


def verdict(chip, scheme=Centred(beta=0.1), **learning):  # noqa: B008  immutable
    how = Learning.model_validate({"schemes": [scheme.model_dump()], **learning})
    found = measure_gradients(chip, Batch(*random_batch(chip, 8)), how, lambda _: None)
    return make_answer(result_files.result(make_assessment_groups(chip, [scheme], found)))


def test_dead_samples_are_left_out_told_first_and_never_make_a_cause_vanish():
    """One sample without any gradient among twelve; then all of them in one layer."""
    chip = random_chip(
        symmetric=True, seed=3, sigma=0.5, activation="hard-sigmoid", scale=0.2, phase=Phase(tolerance=1e-9)
    )
    chip = chip.reprogrammed({f"bias/{name}": np.full(chip.layers[name], 0.5) for name in chip.topology.names})
    x, y = random_batch(chip, 12)
    learning = Learning.model_validate({"schemes": [{"kind": "centred", "beta": 0.05}]})
    dark = x.copy()
    dark[0] = 1e3
    shares = {}
    for name, inputs in {"live": x, "dark": dark, "all dark": 1e3 + x}.items():
        found = measure_gradients(chip, Batch(inputs, y), learning, lambda _: None)
        result = result_files.result(make_assessment_groups(chip, learning.all_schemes(), found))
        shares[name] = result["alarms"]["dead"].data
        text, titles = make_answer(result), [sheet.title for sheet in make_sheets(result, 8)]
        assert text.startswith("ALARM: ") == (name != "live")
        assert ("ALARMS" in titles) == (name != "live")
        assert "No cause of error matters" not in text
        if name != "all dark":
            assert "Feedback asymmetry dominates" in text
            assert np.isfinite(result["ledger"]["median"].data).all()
        else:
            assert np.isnan(result["ledger"]["relative"].data[0, 0]).all()
            assert np.isfinite(result["ledger"]["relative"].data[0, -1]).all()  # the output still has a gradient
            assert "in layer l1 for the median sample" not in text
    assert (shares["live"] == 0.0).all()
    assert shares["dark"][0] == pytest.approx(1 / 12)
    assert shares["all dark"][0] == 1.0
