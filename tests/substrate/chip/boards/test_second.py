"""Second boards: what their errors do to estimates that compare phases of two boards, or of one."""

import numpy as np
import pytest

from devices.hardware import Devices
from devices.interface.converter import Adc, Converters
from devices.neuron.noise import Noise
from devices.synapse.twin import Twin
from learning.estimator import estimate_error_vectors, measure_free
from learning.oracle.exact import compute_exact_errors
from learning.oracle.ledger.statistics import compute_cosines
from learning.schemes.nodes import Centred, OneSided
from substrate.chip.chip import Chip
from substrate.chip.design import Design, Fabrication
from substrate.dynamics.methods import Phase
from substrate.network.topology import Topology
from substrate.protocol import Nudge
from tests.networks import dynamics, random_batch, random_blocks, random_chip

ERRORS = {
    "mismatch": {"mismatch_sigma": 1e-4},
    "stuck": {"stuck_fraction": 0.3, "stuck_at": 0.2},
    "offset": {"offset_sigma": 1e-4},
    "gain": {"gain_sigma": 1e-4},
}


def estimate(chip, x, y, scheme):
    return estimate_error_vectors(chip, measure_free(chip, x), y, scheme).flat


@pytest.mark.parametrize("errors", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("law", ["additive", "hopfield"])
def test_one_sided_nudges_see_what_differs_between_the_boards_over_beta(errors, law):
    """The nudged phase reads the rest point of the second board: the error is ``-(a_2 - a_1)/beta`` to O(1)."""
    plain, chip = (random_chip(symmetric=True, law=law, **parts) for parts in ({}, {"twin": Twin(**errors)}))
    x, y = random_batch(plain)
    measure_free(chip, x)
    chip.settle(Nudge(0.0, y), "free")
    shift = np.concatenate([*chip.read().values()][1:], axis=1) - np.concatenate(
        [*measure_free(plain, x).activity.values()][1:], axis=1
    )
    assert np.abs(shift).max() > 0.0
    left = []
    for beta in (0.02, 0.01):
        found = estimate(chip, x, y, OneSided(beta=beta)) - estimate(plain, x, y, OneSided(beta=beta))
        left.append(np.abs(found + shift / beta).max())
        assert left[-1] < 0.3 * np.abs(shift / beta).max()
    assert left[1] < 1.3 * left[0]  # what is left does not grow as beta falls


@pytest.mark.parametrize("errors", ERRORS.values(), ids=ERRORS)
def test_centred_nudges_on_one_board_see_no_difference_between_boards(errors):
    """Both nudged phases are on the second board: it is another chip, whose own error has no factor 1/beta."""
    plain, chip = (random_chip(symmetric=True, **parts) for parts in ({}, {"twin": Twin(**errors)}))
    x, y = random_batch(plain)
    differences = [
        np.abs(estimate(chip, x, y, Centred(beta=b)) - estimate(plain, x, y, Centred(beta=b))).max()
        for b in (0.02, 0.01)
    ]
    assert differences[1] == pytest.approx(differences[0], rel=0.02)


def make_stuck_chip(seed):
    topology = Topology({"in": 30, "l1": 40, "out": 10}, ["in-l1", "l1-out", "out-l1"], None)
    blocks = random_blocks(topology, seed, 0.5)
    blocks["weight/out-l1"] = blocks["weight/l1-out"].T.copy()
    devices = Devices(twin=Twin(stuck_fraction=0.02))
    return Chip(Design(topology, "sigmoid", "mse", dynamics(), devices), blocks, Fabrication(seed))


@pytest.mark.parametrize("seed", [5, 6])
def test_stuck_cells_of_the_second_board_turn_one_sided_gradients_and_leave_centred_ones(seed):
    """2 % of cells at 0: a free phase here and a nudged one there see the defect over beta, two nudged ones do not."""
    chip = make_stuck_chip(seed)
    x, y = random_batch(chip, 20)
    plain = chip.without("twin")
    measure_free(plain, x)
    exact = compute_exact_errors(plain, y).delta

    def cosine(scheme):
        return float(np.mean(compute_cosines(estimate(chip, x, y, scheme), exact)))

    one, two = ([cosine(scheme(beta=beta)) for beta in (0.2, 0.1, 0.05)] for scheme in (OneSided, Centred))
    assert one[0] < 0.75
    assert one[0] > 1.35 * one[1] > 1.35 * 1.35 * one[2]
    assert min(two) > 0.998


def test_the_gain_of_the_second_board_is_that_of_its_reads():
    plain, chip = random_chip(), random_chip(twin=Twin(gain_sigma=0.1))
    x, y = random_batch(plain)
    gains = chip._fabric._second._gains
    for window in (0.0, 3.0):
        phase = Phase(duration=60.0, window=window)
        copies = [
            c.variant(dynamics=c.design.dynamics.model_copy(update={"free": phase, "nudged": phase}))
            for c in (plain, chip)
        ]
        for one in copies:
            one.set_input(x)
            one.settle()
        np.testing.assert_array_equal(copies[0].read()["out"], copies[1].read()["out"])
        copies[1].settle(Nudge(0.0, y), "free")
        state, read = copies[1].state, np.concatenate([*copies[1].read().values()][1:], axis=1)
        np.testing.assert_allclose(read, gains * copies[1].activity_of(state), rtol=1e-7)


def test_the_second_board_has_converters_of_its_own_if_asked_for():
    adc = Converters(readout=Adc(bits=12, offset_sigma=0.01))
    shared, own = (random_chip(converters=adc, twin=Twin(converters=c)) for c in (False, True))
    x, y = random_batch(shared)
    reads = []
    for chip in (shared, own):
        chip.set_input(x)
        chip.settle()
        reads.append([chip.read()["out"]])
        chip.settle(Nudge(1e-9, y), "free")
        reads[-1].append(chip.read()["out"])
    np.testing.assert_array_equal(reads[0][0], reads[1][0])
    np.testing.assert_array_equal(reads[0][0], reads[0][1])
    assert np.abs(reads[1][1] - reads[0][1]).max() > 0.003


@pytest.mark.parametrize("noise", [{"coloured": 0.05, "tau_c": 1e6}, {"read_flicker": 0.05, "flicker_shortest": 1e6}])
def test_slow_noise_of_two_boards_is_independent(noise):
    """Noise that one board would keep from phase to phase differs between two boards by root 2 of its size."""
    parts = {"dynamics": {"method": "exponential"}, "phase": Phase(duration=20.0), "dt": 0.1}
    one, two = (random_chip(noise=Noise(**noise), **parts, **twin) for twin in ({}, {"twin": Twin()}))
    x, y = (np.tile(part[:1], (200, 1)) for part in random_batch(one))
    found = []
    for chip in (one, two):
        chip.set_input(x)
        chip.settle()
        free = chip.read()["out"]
        chip.settle(Nudge(1e-9, y), "free")
        found.append((chip.read()["out"] - free, free))
    spread = found[0][1].std(axis=0)
    assert np.abs(found[0][0]).max() < 0.05 * spread.max()
    # 200 draws of 4 units: +-0.05 of the ratio at one standard deviation, so 5 of them are no false alarm in 1e6.
    np.testing.assert_allclose(found[1][0].std(axis=0) / spread, np.sqrt(2.0), rtol=0.27)


def test_a_relative_read_has_the_noise_of_its_own_activity():
    plain, chip = (random_chip(noise=Noise(read_relative=sigma)) for sigma in (0.0, 0.02))
    x, _ = (np.tile(part[:1], (400, 1)) for part in random_batch(plain))
    found = []
    for one in (plain, chip):
        one.set_input(x)
        one.settle()
        found.append(np.concatenate([*one.read().values()][1:], axis=1))
    ratio = (found[1] - found[0]) / (0.02 * found[0])
    # 6400 normal numbers: the standard deviation is known to 0.009, and 5 of that are no false alarm in 1e6.
    assert ratio.std() == pytest.approx(1.0, abs=0.045)
    assert abs(ratio.mean()) < 5.0 / np.sqrt(ratio.size)
