"""Causes of error by name: taking one away leaves the rest; cells of both directions, classes of causes."""

import numpy as np
import pytest

from devices.imperfection import COMMON, DIFFERENT, EFFECTS, RANDOM, SLOW, UNSETTLED
from devices.interface.converter import Adc, Converters, NudgeCircuit
from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise, Telegraph
from devices.synapse.cell import FeedbackDevices, Pelgrom, WeightDevices
from devices.synapse.noise import CellNoise
from learning.estimator import estimate_error_vectors, measure_free
from learning.oracle.exact import compute_exact_errors
from learning.schemes.nodes import OneSided
from substrate.chip.causes import (
    CAUSES,
    classify_cause,
    list_causes,
    list_unsettled_phases,
    list_weight_causes,
    remove_causes,
)
from substrate.dynamics.methods import Phase
from tests.networks import random_batch, random_chip
from tests.substrate.imperfect_chips import EVERYTHING, IMPERFECT, chip_with


def experiment(chip, scheme=OneSided(beta=0.2)):  # noqa: B008  immutable
    """Return everything that can be seen of a chip that is measured and written."""
    x, y = random_batch(chip, 6)
    free = measure_free(chip, x)
    found = estimate_error_vectors(chip, free, y, scheme)
    change = {"weight/l1-l2": np.linspace(-0.05, 0.05, 35).reshape(7, 5)}
    chip.write(change)
    return [*free.activity.values(), *found.delta.values(), chip.state, chip.programmed["weight/l1-l2"].copy()]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_is_named_and_taking_it_away_leaves_the_rest(cause):
    parts = IMPERFECT[cause]
    chip = chip_with(**parts)
    others = ["mismatch"] if cause == "correction-knowledge" else []
    assert chip.causes == [*others, cause]
    gone = chip.without(cause)
    assert gone.causes == others
    good = chip_with() if not others else chip_with(sigma=0.1, correction="exact")
    # A chip whose noise is gone goes on with the steps that the noise asked for.
    assert same(experiment(gone), experiment(good.variant(paced_by=gone.design.paced_by)))
    assert not same(experiment(chip), experiment(chip_with() if not others else good))


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_that_is_off_is_an_identity_bit_for_bit(cause):
    parts = {k: v for name in ("mismatch", "adc", "hold", "read-noise") for k, v in IMPERFECT[name].items()}
    chip = chip_with(**parts)
    off = cause not in chip.causes
    assert same(experiment(chip.without(cause)), experiment(chip_with(**parts))) == off


def test_causes_can_be_taken_away_together_and_from_the_full_chip():
    full = chip_with(**EVERYTHING)
    # Wires and passive synapses refuse noise of cells.
    there = [cause for cause in CAUSES if cause != "cell-noise"]
    assert full.causes == there
    for cause in there:
        assert full.without(cause).causes == [name for name in there if name != cause]
    assert full.without(*list_weight_causes()).causes == [
        n for n in there if n not in {*list_weight_causes(), "correction-knowledge"}
    ]
    assert full.without("adc", "noise").causes == [name for name in there if name not in {"adc", "noise"}]
    ideal = full.ideal()
    assert ideal.causes == []
    plain = chip_with(correction="exact").variant(paced_by=ideal.design.paced_by)
    assert same(experiment(ideal), experiment(plain))
    np.testing.assert_array_equal(full.without("adc").effective["weight/l2-l1"], full.effective["weight/l2-l1"])


def test_an_unknown_cause_is_refused_with_the_names():
    with pytest.raises(ValueError, match="'adcs' is no cause of error: take one of mismatch, stuck, window, path-"):
        random_chip().without("adcs")


PELGROM = Pelgrom(coefficient=0.1, width=1.0, length=1.0)


def design(weights, feedback):
    return random_chip().design.replace(weights=weights, feedback=feedback)


def cells(changed):
    devices = changed.devices
    return devices.weights, devices.feedback.over(devices.weights)


def test_spread_goes_in_both_directions_however_it_was_given():
    for own in ({}, {"pelgrom": PELGROM}, {"mismatch_sigma": 0.2}, {"mismatch_sigma": 0.0}):
        for base in ({"pelgrom": PELGROM}, {"mismatch_sigma": 0.1}):
            gone = remove_causes(design(WeightDevices(**base), FeedbackDevices(**own)), "mismatch")
            assert [c.sigma for c in cells(gone)] == [0.0, 0.0]


def test_limits_go_but_devices_of_a_pair_keep_their_rest():
    pair = WeightDevices(cell="pair", window=[0.1, 1.0], levels=8, mismatch_sigma=0.1)
    gone = remove_causes(design(pair, FeedbackDevices(window=[0.2, 0.5], levels=4)), "window")
    assert [c.window[0] for c in cells(gone)] == [0.1, 0.2]
    assert [c.levels for c in cells(gone)] == [None, None]
    assert min(c.window[1] for c in cells(gone)) == 1e6
    assert remove_causes(gone, "window") == gone
    single = remove_causes(design(WeightDevices(), FeedbackDevices(window=[-1.0, 1.0])), "window")
    assert [c.window for c in cells(single)] == [None, None]


def test_every_cause_has_a_class():
    plain = random_chip().design
    kinds = {cause: classify_cause(plain.replace(noise=Noise(thermal=0.1, read=0.1)), cause) for cause in CAUSES}
    assert set(kinds.values()) < EFFECTS.keys()
    assert [c for c, kind in kinds.items() if kind == DIFFERENT] == ["twin", "adc", "hold", "nudge-circuit"]
    assert [c for c, kind in kinds.items() if kind == RANDOM] == ["noise", "read-noise"]
    assert kinds["cell-noise"] == SLOW
    white = WeightDevices(noise=CellNoise(relative=0.1, spectrum="white"))
    assert classify_cause(plain.replace(weights=white), "cell-noise") == RANDOM
    assert classify_cause(plain.replace(noise=Noise(flicker=0.1)), "noise") == SLOW
    dithered = Converters(readout=Adc(bits=8, stochastic=True))
    assert classify_cause(plain.replace(converters=dithered), "adc") == RANDOM


def test_phases_of_a_fixed_length_may_end_unsettled():
    plain = random_chip()
    assert list_unsettled_phases(plain.design) == []
    assert list_unsettled_phases(plain.design.replace(neurons=NeuronDevices(synapse_tau=0.5))) == []
    short = plain.design.dynamics.model_copy(update={"nudged": Phase(duration=2.0)})
    assert list_unsettled_phases(plain.variant(dynamics=short).design) == ["nudged-phase"]
    both = short.model_copy(update={"free": Phase(steps=9)})
    slow = plain.design.replace(dynamics=both, neurons=NeuronDevices(synapse_tau=0.5, slew=3.0))
    assert list_unsettled_phases(slow) == ["free-phase", "nudged-phase", "synapse-pole", "slew"]
    assert {classify_cause(slow, name) for name in list_unsettled_phases(slow)} == {UNSETTLED}


def test_noise_of_membranes_and_of_reads_go_apart():
    telegraph = Telegraph(amplitude=0.1, time=1.0)
    noisy = random_chip().design.replace(noise=Noise(flicker=0.1, read_flicker=0.1, telegraph=telegraph))
    assert list_causes(noisy) == ["noise", "read-noise"]
    assert remove_causes(noisy, "noise").devices.noise == Noise(read_flicker=0.1, telegraph=telegraph)
    assert remove_causes(noisy, "read-noise").devices.noise == Noise(flicker=0.1)


BY_PHASE = IMPERFECT | {
    "adc": {"converters": Converters(readout=Adc(bits=14))},
    "nudge-circuit": {"converters": Converters(nudge=NudgeCircuit(offset=1e-4))},
}


@pytest.mark.parametrize("cause", [c for c in CAUSES if classify_cause(random_chip().design, c) in {COMMON, DIFFERENT}])
def test_only_what_differs_between_phases_grows_as_the_nudge_shrinks(cause):
    """Error of a one-sided estimate against the limit of that same chip, at a nudge and at a tenth of it."""
    chip = random_chip(**BY_PHASE[cause])
    x, y = random_batch(chip, 8)
    errors = []
    for beta in (1e-2, 1e-3):
        free = measure_free(chip, x)
        limit = compute_exact_errors(chip, y).ep
        errors.append(np.linalg.norm(estimate_error_vectors(chip, free, y, OneSided(beta=beta)).flat - limit))
    assert (errors[1] > 2.0 * errors[0]) == (classify_cause(chip.design, cause) == DIFFERENT), errors
