"""Causes alone, removed and together: they add up exactly where they should."""

import numpy as np
import pytest

from devices.interface.converter import Adc, Converters, NudgeCircuit
from devices.interface.hold import Hold
from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise
from devices.programming.laws import ConstantStep
from devices.synapse.cell import WeightDevices
from learning.oracle.ledger.interactions import find_acting_causes, measure_interactions
from learning.oracle.ledger.pairs import count_pair_chips
from learning.oracle.ledger.runs import Trial, run_without_causes
from learning.oracle.ledger.vectors import make_ledger
from learning.schemes.nodes import Centred, OneSided
from learning.schemes.wave import LockIn, Rotation
from substrate.chip.causes import CAUSES
from substrate.dynamics.methods import Phase
from substrate.dynamics.phases import Phases
from tests.networks import random_batch, random_chip
from tests.substrate.imperfect_chips import EVERYTHING, IMPERFECT, chip_with

NOISY = {"dt": 0.1, "phase": Phase(duration=8.0, window=2.0), "dynamics": {"method": "exponential"}}


def found_of(chip, scheme, repeats=1, say=None):
    x, y = random_batch(chip)
    return measure_interactions(chip, Trial(x, y, [scheme]), repeats, say)[0]


def complete(**changes):
    """Return a chip whose phases count as complete."""
    return random_chip(phase=Phase(max_steps=20_000, tolerance=1e-13), **changes)


def total_of(chip, scheme, repeats=1):
    """Return the whole error in the ledger of a chip."""
    x, y = random_batch(chip)
    trial = Trial(x, y, [scheme])
    book = make_ledger(run_without_causes(chip, trial, repeats), trial, 0)
    return book.steps[-1] - book.steps[0]


def assert_full_is_the_total(chip, scheme, repeats=1):
    found, total = found_of(chip, scheme, repeats), total_of(chip, scheme, repeats)
    assert found.keep.all()
    np.testing.assert_allclose(found.full.value, total, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cause", CAUSES)
def test_the_full_error_is_that_of_the_ledger_for_every_cause_alone(cause):
    assert_full_is_the_total(chip_with(**IMPERFECT[cause]), Centred(beta=0.1), 2)


@pytest.mark.parametrize(
    "parts", [{"neurons": NeuronDevices(offset_sigma=0.2, gain_sigma=0.1, slope_sigma=0.1)}, EVERYTHING]
)
def test_and_for_many_keys_or_causes_together(parts):
    assert_full_is_the_total(chip_with(**parts), Centred(beta=0.1), 2)


@pytest.mark.parametrize("mode", ["trajectory", "equilibrium"])
@pytest.mark.parametrize("scheme", [Centred(beta=0.3), LockIn(beta=0.3, period=9.0)])
def test_and_where_only_the_way_of_settling_is_left(mode, scheme):
    if mode == "trajectory" or isinstance(scheme, Centred):
        assert_full_is_the_total(complete(dynamics={"mode": mode}), scheme)


def test_a_cause_alone_is_the_chip_that_has_no_other_whatever_stands_before_it():
    spread = {"sigma": 0.2}
    offset = {"neurons": NeuronDevices(offset_sigma=0.2)}
    gains = {"weights": WeightDevices(gain_sigma=0.2)}
    found = found_of(complete(**spread, **offset, **gains), Centred(beta=0.1))
    ideal = total_of(complete(), Centred(beta=0.1))
    for cause, parts in {"mismatch": spread, "path-gain": gains, "neurons": offset}.items():
        alone = total_of(complete(**parts), Centred(beta=0.1)) - ideal
        np.testing.assert_allclose(found.alone[cause].value, alone, rtol=0, atol=1e-12)


def test_the_causes_that_act_are_named():
    assert find_acting_causes(complete()) == []
    assert find_acting_causes(complete(update=ConstantStep(step=0.1))) == []
    assert find_acting_causes(complete(hold=Hold(pedestal=0.1), sigma=0.1)) == ["mismatch", "hold"]
    assert find_acting_causes(random_chip(phase=Phase(steps=9))) == ["settling"]
    assert find_acting_causes(complete(dynamics={"precision": "single"})) == ["precision"]
    # Membranes with noise need an end by the clock: it belongs to every chip.
    assert find_acting_causes(random_chip(noise=Noise(thermal=0.1), **NOISY)) == ["noise"]


@pytest.mark.parametrize("changes", [{"sigma": 0.3}, {"hold": Hold(pedestal=0.01)}])
def test_a_single_cause_interacts_with_nothing(changes):
    found = found_of(complete(**changes), OneSided(beta=0.2))
    (name,) = found.alone
    assert (found.left.value == 0.0).all()
    np.testing.assert_array_equal(found.alone[name].value, found.removed[name].value)
    assert np.abs(found.alone[name].value).max() > 1e-4
    assert (found.left.variance == 0.0).all()


def test_causes_that_add_up_leave_no_interaction():
    """A pedestal adds to what is read, whatever the nudge; the gain of the nudge changes what is there to read."""
    changes = {"hold": Hold(pedestal=0.01), "converters": Converters(nudge=NudgeCircuit(gain=1.2))}
    found = found_of(complete(**changes), OneSided(beta=0.2))
    assert list(found.alone) == ["hold", "nudge-circuit"]
    assert np.abs(found.left.value).max() < 1e-13
    np.testing.assert_allclose(found.alone["hold"].value, 0.01 / 0.2, rtol=1e-9)
    np.testing.assert_allclose(found.removed["hold"].value, 0.01 / 0.2, rtol=1e-9)


def test_causes_that_meet_in_one_place_interact_and_the_sum_is_the_error():
    """The droop of a read is a share of its activity, which the other weights of the chip have changed."""
    changes = {"hold": Hold(droop_tau=10.0), "phases": Phases(hold_time=1.0), "sigma": 0.2}
    found = found_of(complete(**changes), OneSided(beta=0.2))
    assert np.abs(found.left.value).max() > 1e-6
    total = found.base.value + sum(mean.value for mean in found.alone.values()) + found.left.value
    np.testing.assert_allclose(total, found.full.value, rtol=0, atol=1e-13)


@pytest.mark.parametrize("scheme", [Centred(beta=0.3), LockIn(beta=0.3, period=9.0), Rotation(beta=0.3, period=9.0)])
def test_without_a_cause_the_finite_nudge_is_left_and_the_chip_is_that_of_the_ledger(scheme):
    chip = random_chip(sigma=0.2, hold=Hold(pedestal=0.001), phase=Phase(steps=40))
    x, y = random_batch(chip)
    trial = Trial(x, y, [scheme])
    found = measure_interactions(chip, trial)[0]
    assert found.keep.all()
    book = make_ledger(run_without_causes(chip, trial), trial, 0)
    np.testing.assert_allclose(found.full.value, book.steps[-1] - book.steps[0], rtol=0, atol=1e-13)
    bare = chip.ideal()
    ideal = make_ledger(run_without_causes(bare, trial), trial, 0)
    np.testing.assert_allclose(found.base.value, ideal.steps[3] - ideal.steps[0], rtol=0, atol=1e-10)


def test_repeats_use_the_same_draws_so_that_noise_alone_is_noise_removed():
    chip = complete(noise=Noise(read=0.01), hold=Hold(pedestal=0.01))
    found = found_of(chip, OneSided(beta=0.2), 4)
    assert np.abs(found.alone["read-noise"].value).max() > 1e-3
    np.testing.assert_allclose(found.removed["read-noise"].value, found.alone["read-noise"].value, rtol=0, atol=1e-13)
    assert found.left.variance.max() < 1e-26
    assert found.full.variance.min() > 0.0
    assert np.isnan(found_of(chip, OneSided(beta=0.2), 1).full.variance).all()


def test_noise_of_the_membranes_runs_by_the_clock_on_every_chip():
    told = []
    chip = random_chip(noise=Noise(thermal=0.01), converters=Converters(readout=Adc(bits=8)), sigma=0.1, **NOISY)
    found = found_of(chip, Centred(beta=0.2), 3, told.append)
    assert list(found.alone) == ["mismatch", "noise", "adc"]
    assert (found.alone["adc"].variance == 0.0).all()
    assert found.alone["noise"].variance.min() > 0.0
    assert len(told) == 8
    assert told[0] == "interactions: ideal"


def test_a_sample_that_one_chip_cannot_measure_is_not_kept():
    found = found_of(random_chip(phase=Phase(steps=40), hold=Hold(pedestal=0.01)), Centred(beta=0.3))
    assert found.keep.all()
    oscillating = random_chip(scale=12.0, dt=1.0, phase=Phase(max_steps=200, tolerance=1e-9))
    assert not found_of(oscillating, Centred(beta=0.3)).keep.all()


# Which causes interact


def test_what_two_causes_make_only_together_has_a_closed_form():
    """Droop takes the share d of a free read: ``d a / beta``, which mismatch changes by ``d (a' - a) / beta``."""
    hold, phases, nudge = Hold(droop_tau=5.0), Phases(hold_time=1.0), Converters(nudge=NudgeCircuit(gain=1.02))
    chip = complete(hold=hold, phases=phases, converters=nudge, sigma=0.2)
    x, _ = random_batch(chip)
    rest = []
    for bare in (chip.ideal(), chip.without("hold", "nudge-circuit")):
        bare.set_input(x)
        bare.settle()
        read = bare.read(waits=False)
        rest.append(np.concatenate([read[name] for name in chip.topology.names], axis=1))
    found = found_of(chip, OneSided(beta=0.2))
    assert list(found.alone) == ["mismatch", "hold", "nudge-circuit"]
    share = (1.0 - np.exp(-1.0 / 5.0)) / 0.2
    np.testing.assert_allclose(found.alone["hold"].value, -share * rest[0], rtol=0, atol=1e-10)
    pair = found.pairs["mismatch", "hold"]
    np.testing.assert_allclose(pair.own.value, -share * (rest[1] - rest[0]), rtol=0, atol=1e-10)
    # The droop does not act on what the nudge does, so these two only add up.
    assert np.abs(found.pairs["hold", "nudge-circuit"].own.value).max() < 1e-10
    assert size(pair.left) < 0.1 * size(found.left)
    assert size(found.pairs["mismatch", "nudge-circuit"].left) > 0.9 * size(found.left)
    assert size(found.without["hold"]) < 0.1 * size(found.left)
    assert size(found.without["nudge-circuit"]) > 0.9 * size(found.left)


def test_all_that_holds_a_cause_is_the_change_of_what_it_does():
    found = found_of(complete(hold=Hold(droop_tau=5.0), phases=Phases(hold_time=1.0), sigma=0.2), OneSided(beta=0.2))
    for cause in ("mismatch", "hold"):
        changed = found.removed[cause].value - found.alone[cause].value
        np.testing.assert_allclose(found.left.value - found.without[cause].value, changed, rtol=0, atol=1e-13)
        np.testing.assert_allclose(
            found.full.value - found.removed[cause].value, found.repaired[cause].value, rtol=0, atol=1e-13
        )
    # Two causes interact with each other alone.
    pair = found.pairs["mismatch", "hold"]
    np.testing.assert_array_equal(pair.own.value, found.left.value)
    assert (pair.left.value == 0.0).all()
    np.testing.assert_array_equal(pair.repaired.value, found.base.value)


def test_noise_and_the_converter_that_it_dithers_are_found_among_five():
    """Noise of a step and more makes a coarse converter right in the mean: it takes back what the converter does alone.

    A pedestal, which is added before the converter, and a gain of the nudge stand beside, and mismatch that moves
    states by much less than a step. The scatter of 200 repeats is a fourteenth of what the pair makes: the threshold
    of a half is more than 6 of its standard errors away in norms over 80 components, below 1e-9 by chance.
    """
    chip = complete(
        noise=Noise(read=0.1),
        converters=Converters(readout=Adc(bits=4), nudge=NudgeCircuit(gain=1.1)),
        hold=Hold(pedestal=1e-4),
        sigma=1e-4,
    )
    found = found_of(chip, OneSided(beta=0.2), 200)
    assert list(found.alone) == ["mismatch", "read-noise", "adc", "hold", "nudge-circuit"]
    left = {pair: size(errors.left) for pair, errors in found.pairs.items()}
    assert len(left) == count_pair_chips(5) - 1 == 6
    assert min(left, key=left.get) == ("read-noise", "adc")
    assert left["read-noise", "adc"] < 0.5 * size(found.left)
    assert [pair for pair, errors in found.pairs.items() if errors.repaired is not None] == [("read-noise", "adc")]


def test_a_converter_rounds_otherwise_on_every_chip_so_that_no_pair_makes_most():
    """What moves states by more than a step draws its errors anew: as large a change for one cause as for all.

    The same nudge finds the same rounding without any of them.
    """
    converters, neurons = Converters(readout=Adc(bits=6)), NeuronDevices(offset_sigma=0.1)
    chip = complete(converters=converters, neurons=neurons, weights=WeightDevices(gain_sigma=0.1), sigma=0.1)
    found = found_of(chip, OneSided(beta=0.05))
    assert list(found.alone) == ["mismatch", "path-gain", "neurons", "adc"]
    assert min(size(pair.left) for pair in found.pairs.values()) > 0.7 * size(found.left)
    assert size(found.without["adc"]) < 0.3 * size(found.left)
    assert min(size(found.without[name]) for name in ("mismatch", "path-gain", "neurons")) > 0.7 * size(found.left)
    assert size(found.removed["adc"]) == pytest.approx(size(found.alone["adc"]), rel=0.3)


@pytest.mark.parametrize(("causes", "chips"), [(1, 0), (2, 0), (3, 0), (4, 6), (5, 7), (9, 7)])
def test_pairs_are_few(causes, chips):
    assert count_pair_chips(causes) == chips


def size(mean):
    """Return the norm of a mean error, without what the scatter of its repeats adds."""
    return float(np.sqrt(max(0.0, np.sum(mean.value**2) - np.sum(mean.variance))))
