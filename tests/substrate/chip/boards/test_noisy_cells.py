"""Cells that fluctuate: frozen draws, what units get of faster noise, the laws of both, and what is refused."""

import numpy as np
import pytest

from devices.neuron.membrane import NeuronDevices
from devices.synapse.cell import FeedbackDevices, WeightDevices
from devices.synapse.noise import CellNoise
from devices.synapse.twin import Twin
from devices.synapse.wires import Wires
from learning.estimator import estimate_error_vectors, measure_free
from learning.oracle.exact import compute_exact_errors
from learning.oracle.fluctuations import predict_activity_variance, predict_estimate_variance
from learning.schemes.nodes import Centred, Circle
from substrate.chip.chip import Chip
from substrate.dynamics.methods import Phase
from substrate.dynamics.phases import Phases
from substrate.protocol import Nudge
from tests.networks import random_batch, random_chip

CLOCK = {"dynamics": {"method": "exponential"}, "phase": Phase(duration=15.0), "dt": 0.1}
BACK = "weight/l2-l1"
PAIR = {"cell": "pair", "window": [0.3, 2.0]}


def noisy_chip(cells=None, chip=None, **noise):
    weights = WeightDevices(noise=CellNoise(**noise), **(cells or {}))
    return random_chip(symmetric=True, weights=weights, **(chip or {}))


def momentary(chip):
    """Return the weights of this batch by block, and by how much they are off."""
    now = chip.topology.blocks(chip._present.weights)
    return now, {name: now[name] - block for name, block in chip.effective.items()}


def test_frozen_noise_is_one_draw_of_all_cells_for_all_phases_and_samples():
    chip = noisy_chip(relative=0.1)
    x, y = random_batch(chip)
    chip.set_input(x)
    now, off = momentary(chip)
    copy = Chip(chip.without("cell-noise").design, now, chip.fabrication)
    for one in (chip, copy):
        one.set_input(x)
    for nudge in (None, Nudge(0.3, y), Nudge(-0.3, y)):
        for one in (chip, copy):
            one.settle(nudge, "free" if nudge else "zero")
        np.testing.assert_allclose(chip.state, copy.state, rtol=0, atol=1e-12)
    assert all((off[name] != 0.0).all() for name in off if not name.startswith("readout"))
    assert all((off[name] == 0.0).all() for name in off if name.startswith("readout"))


def test_frozen_noise_is_drawn_anew_for_every_batch_and_again_for_the_same():
    chip = noisy_chip(relative=0.1)
    x, _ = random_batch(chip)
    draws = []
    for names in ({}, {"repeat": 1}, {"epoch": 1}, {"purpose": "test"}, {"ids": np.arange(7, 12)}, {}):
        chip.set_input(x, **names)
        draws.append(chip._present.weights.copy())
    assert all((draws[0] != other).any() for other in draws[1:-1])
    np.testing.assert_array_equal(draws[0], draws[-1])


@pytest.mark.parametrize("cells", [{}, PAIR, PAIR | {"gain_sigma": 0.3}, {"mismatch_sigma": 0.5}], ids=str)
def test_a_draw_has_the_size_of_its_devices(cells):
    """A pair sums the variances of two devices, also where its weight is 0."""
    chip = noisy_chip(cells, relative=0.1, absolute=0.02)
    x, _ = random_batch(chip, 1)
    found = []
    for r in range(300):
        chip.set_input(x, repeat=r)
        found.append(momentary(chip)[1])
    for name in ("weight/in-l1", BACK, "bias/l1"):
        gain = np.asarray(chip._fabric._cells.gain(name))
        weight = chip.effective[name] / gain
        if cells.get("cell") == "pair":
            plus, minus = 0.3 + np.maximum(weight, 0.0), 0.3 + np.maximum(-weight, 0.0)
            expected = np.abs(gain) * np.sqrt(0.01 * (plus**2 + minus**2) + 2.0 * 0.02**2)
        else:
            expected = np.abs(gain) * np.sqrt(0.01 * weight**2 + 0.02**2)
        ratio = np.array([off[name] for off in found]) / expected
        # Of 300 draws of n cells the variance is known to sqrt(2/(300 n)); 5 of that are no false alarm in 1e6.
        assert abs(ratio.var() - 1.0) < 5.0 * np.sqrt(2.0 / ratio.size)
        assert abs(ratio.mean()) < 5.0 / np.sqrt(ratio.size)


def test_a_shared_device_is_off_alike_in_both_directions():
    feedback = FeedbackDevices(storage="shared-device", gain_sigma=0.2)
    chip = noisy_chip(chip={"feedback": feedback}, relative=0.1)
    chip.set_input(random_batch(chip)[0])
    _, off = momentary(chip)
    gain = chip._fabric._cells.gain(BACK)
    np.testing.assert_allclose(off[BACK] / gain, off["weight/l1-l2"].T, rtol=1e-12)


def test_telegraph_noise_has_two_values_where_there_is_a_trap():
    chip = noisy_chip(relative=0.1, spectrum="telegraph", fraction=0.3)
    x, _ = random_batch(chip)
    sizes = []
    for r in range(20):
        chip.set_input(x, repeat=r)
        sizes.append(momentary(chip)[1]["weight/in-l1"])
    moved = np.abs(sizes[0]) > 0.0
    # 42 cells with a share of 0.3: 12.6 +- 3.0.
    assert 3 < np.count_nonzero(moved) < 30
    expected = np.where(moved, 0.1 * np.abs(chip.effective["weight/in-l1"]), 0.0)
    np.testing.assert_allclose(np.abs(sizes), np.broadcast_to(expected, (20, 6, 7)), atol=1e-15)
    assert len({float(np.sign(s[moved][0])) for s in sizes}) == 2


def test_the_second_board_has_cells_of_its_own():
    chip = noisy_chip(chip={"twin": Twin()}, relative=0.1)
    x, y = random_batch(chip)
    chip.set_input(x)
    chip.settle()
    free = chip.state
    chip.settle(Nudge(0.0, y), "free")
    assert np.abs(chip.state - free).max() > 1e-3


def test_a_write_moves_the_weights_under_their_noise():
    chip = noisy_chip(relative=0.1)
    chip.set_input(random_batch(chip)[0])
    _, before = momentary(chip)
    chip.write({BACK: np.full((5, 7), 0.3)})
    now, after = momentary(chip)
    np.testing.assert_allclose(after[BACK], before[BACK], rtol=1e-12)
    np.testing.assert_array_equal(now[BACK], chip.effective[BACK] + chip.topology.blocks(chip._fabric._off)[BACK])


def test_what_the_controller_knows_is_without_the_noise_of_this_batch():
    """Exact gradients are those of the weights that stay, and so is the correction of an asymmetric chip."""
    plain, chip = random_chip(symmetric=True), noisy_chip(relative=0.1)
    x, y = random_batch(plain)
    found = []
    for one in (plain, chip):
        measure_free(one, x)
        found.append(compute_exact_errors(one, y).delta)
    np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-10)


def test_noise_of_size_0_changes_no_bit():
    for keys in ({}, {"spectrum": "white"}, {"tau_c": 3.0}, {"spectrum": "telegraph", "fraction": 0.1}):
        plain, chip = random_chip(symmetric=True), noisy_chip(**keys)
        x, y = random_batch(plain)
        for one in (plain, chip):
            one.set_input(x)
            one.settle()
            one.settle(Nudge(0.2, y), "free")
        np.testing.assert_array_equal(plain.state, chip.state)


# Units

SAMPLES = 1500
TIMES = {
    "white": {"spectrum": "white"},
    "fast": {"tau_c": 0.1},
    "a few tau": {"tau_c": 3.0},
    "as long as a phase": {"tau_c": 15.0},
    "flicker": {"spectrum": "flicker", "tau_c": 0.1, "octaves": 6},
}


def timed_chip(law="additive", cells=None, **noise):
    return noisy_chip(cells, CLOCK | {"law": law}, relative=0.03, **noise)


def linear_of(chip, x, y):
    quiet = chip.without("cell-noise")
    quiet.set_input(x)
    quiet.settle()
    found = compute_exact_errors(quiet, y)
    chip.set_input(x)
    return found.linear


@pytest.mark.parametrize("law", ["additive", "hopfield"])
@pytest.mark.parametrize("noise", TIMES.values(), ids=TIMES)
def test_activities_and_estimates_have_the_variance_of_the_linearised_chip(noise, law):
    """C3: noise that differs between phases has the covariance ``(G/beta^2) R P D (R P)^T``, less what phases share."""
    chip, scheme = timed_chip(law, **noise), Centred(beta=0.1)
    x, y = (np.tile(part[:1], (SAMPLES, 1)) for part in random_batch(chip))
    linear = linear_of(chip, x[:1], y[:1])
    reads, errors = predict_activity_variance(chip, linear)[0], predict_estimate_variance(chip, linear, scheme)[0]
    found = estimate_error_vectors(chip, measure_free(chip, x), y, scheme).flat
    free = np.concatenate([*measure_free(chip, x).activity.values()][1:], axis=1)
    for values, expected in ((free, reads), (found, errors)):
        # A variance of 1500 draws is known to 3.7 %. First order in the noise and in beta: 2 % more.
        np.testing.assert_allclose(values.var(axis=0) / expected, 1.0, rtol=0, atol=5.0 * 0.037 + 0.02)


def simulate_every_cell(chip, x, time_constant, size, samples, steps, dt=0.05):
    """Return the states of an additive chip whose cells are processes of their own, biases included, by Euler steps."""
    rng, keep, topology = np.random.default_rng(0), np.exp(-dt / time_constant), chip.topology
    blocks = {name: w for name, w in chip.effective.items() if not name.startswith("readout")}

    def draw(weight):
        return size * np.abs(weight) * rng.normal(size=(samples, *weight.shape))

    off = {name: draw(weight) for name, weight in blocks.items()}
    u = np.tile(chip.continue_free(), (samples, 1))
    for _ in range(steps):
        a = {"in": np.tile(x, (samples, 1))} | topology.split(chip.activity_of(u))
        h = np.concatenate([blocks[f"bias/{n}"] + off[f"bias/{n}"] for n in topology.names], axis=1)
        for c in topology.connections:
            h[:, topology.columns[c.post]] += np.einsum("bi,bij->bj", a[c.pre], blocks[c.block] + off[c.block])
        u = u + dt * (h - u)
        off = {name: keep * old + np.sqrt(1.0 - keep**2) * draw(blocks[name]) for name, old in off.items()}
    return u


def test_cells_that_are_followed_one_by_one_move_the_units_as_the_sum_over_them_does():
    """C2: what is drawn per unit has the variance of what all its cells do, each with noise of its own."""
    chip = timed_chip(tau_c=3.0)
    x, y = (part[:1] for part in random_batch(chip))
    expected = predict_activity_variance(chip, linear_of(chip, x, y))[0]
    chip.settle()
    found = chip.activity_of(simulate_every_cell(chip, x, 3.0, 0.03, 600, 240)).var(axis=0)
    # A variance of 600 draws is known to 5.8 %, and the steps are right within 3 %.
    np.testing.assert_allclose(found / expected, 1.0, rtol=0, atol=5.0 * 0.058 + 0.03)
    assert np.mean(found / expected) == pytest.approx(1.0, abs=0.12)


def test_drifts_of_units_are_the_limit_of_frozen_cells():
    """The variance over draws of all cells, input and bias included, is that of the drives of units: ``P D P^T``."""
    frozen, drift = noisy_chip(PAIR, relative=0.02), noisy_chip(PAIR, CLOCK, relative=0.02, tau_c=1e4)
    drift = drift.variant(batch=10**8)
    x, y = (part[:1] for part in random_batch(frozen))
    expected = predict_activity_variance(drift, linear_of(drift, x, y))[0]
    found = []
    for r in range(1000):
        frozen.set_input(x, repeat=r)
        frozen.settle()
        found.append(np.concatenate([*frozen.read().values()][1:], axis=1)[0])
    # 4.5 % is one standard deviation of a variance of 1000 draws.
    np.testing.assert_allclose(np.var(found, axis=0) / expected, 1.0, rtol=0, atol=5.0 * 0.045)


def test_the_noise_of_an_estimate_grows_with_what_its_phases_have_not_in_common():
    """C3: over beta, and with ``1 - exp(-T/tau_c)`` of the time T between two reads."""
    chip = timed_chip(tau_c=3.0)
    x, y = (part[:1] for part in random_batch(chip))

    def predict(noise, beta):
        one = timed_chip(**noise)
        return predict_estimate_variance(one, linear_of(one, x, y), Centred(beta=beta))[0]

    np.testing.assert_allclose(predict({"tau_c": 3.0}, 0.05), 4.0 * predict({"tau_c": 3.0}, 0.1), rtol=1e-9)
    slow, slower = predict({"tau_c": 12.0}, 0.1), predict({"tau_c": 15.0}, 0.1)
    expected = (1.0 - np.exp(-15.0 / 15.0)) / (1.0 - np.exp(-15.0 / 12.0))
    np.testing.assert_allclose(slower / slow, expected, rtol=0.06)


def test_an_error_common_to_all_phases_has_no_factor_1_over_beta():
    """C3: one draw per estimate is another chip: its spread is that of a mismatch, whatever the nudge."""
    chip = noisy_chip(relative=0.02)
    x, y = random_batch(chip)
    spreads = []
    for beta in (0.1, 0.05):
        scheme = Centred(beta=beta)
        found = [estimate_error_vectors(chip, measure_free(chip, x, epoch=r), y, scheme).flat for r in range(40)]
        spreads.append(np.std(found, axis=0))
    np.testing.assert_allclose(spreads[1], spreads[0], rtol=0.05)


REFUSED = {
    "wires": ({"cells": {"cell": "pair"}, "chip": {"wires": Wires(segment=0.01)}}, "wires mix"),
    "passive": ({"cells": {"cell": "pair"}, "chip": {"synapse": "passive"}}, "passive synapses"),
    "no clock": ({"tau_c": 3.0}, "how long the phases take"),
    "white without a clock": ({"spectrum": "white"}, "does not go with these dynamics"),
    "shared": (
        {"tau_c": 3.0, "chip": CLOCK | {"feedback": FeedbackDevices(storage="shared-device")}},
        "both directions",
    ),
    "pole": ({"tau_c": 3.0, "chip": CLOCK | {"neurons": NeuronDevices(synapse_tau=0.5)}}, "a pole"),
    "common": ({"spectrum": "white", "chip": CLOCK | {"phases": Phases(noise="common")}}, "in every phase"),
}


@pytest.mark.parametrize(("parts", "words"), REFUSED.values(), ids=REFUSED)
def test_what_no_draw_per_unit_or_batch_shows_is_refused(parts, words):
    with pytest.raises(ValueError, match=words):
        noisy_chip(relative=0.1, **parts)


def test_complex_nudges_go_with_frozen_noise_alone():
    x, y = random_batch(random_chip())
    frozen = noisy_chip(relative=0.1)
    assert estimate_error_vectors(frozen, measure_free(frozen, x), y, Circle(points=4, beta=0.1)).flat.shape == (5, 16)
    timed = timed_chip(tau_c=3.0)
    with pytest.raises(ValueError, match="complex nudges"):
        estimate_error_vectors(timed, measure_free(timed, x), y, Circle(points=4, beta=0.1))
