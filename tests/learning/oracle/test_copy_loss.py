"""The law of the loss of copies: against differences cell by cell, orders of the rest, and draws of many chips."""

import numpy as np
import pytest

from devices.neuron.membrane import NeuronDevices
from devices.programming.laws import SoftBounds
from devices.synapse.cell import FeedbackDevices, WeightDevices
from devices.synapse.noise import CellNoise
from learning.estimator import measure_free
from learning.oracle.copy_loss import compute_copy_loss, find_unknown_causes
from learning.oracle.exact import make_exact_rule
from learning.training import Samples, evaluate
from substrate.chip.chip import Chip
from substrate.chip.design import Fabrication
from tests.networks import random_batch, random_chip

SIGMAS = 5.0
"""Standard errors of a mean that count as agreement: a false alarm in 1.7 million."""


def make_chip(storage="independent", sigma=0.0, scale=1.5, **parts):
    parts = {"weights": WeightDevices(mismatch_sigma=sigma), "feedback": FeedbackDevices(storage=storage)} | parts
    return random_chip(scale=scale, symmetric=storage != "independent", dynamics={"mode": "equilibrium"}, **parts)


def copy_onto(chip, instance, asked):
    return Chip(chip.design, asked, Fabrication(0, instance), 1)


def program_backwards(chip, wanted):
    """Return what to ask of a chip of relative spread so that its effective weights are the wanted ones."""
    cells = {c.block: chip.effective[c.block] / chip.programmed[c.block] for c in chip.topology.connections}
    return dict(wanted) | {name: wanted[name] / gain for name, gain in cells.items()}


def find_diagonal(chip, x, y, block, size=1e-4):
    """Return the second derivatives of the loss by every cell of a block, from differences of exact gradients."""
    found = np.zeros(chip.programmed[block].shape)
    for cell in np.ndindex(found.shape):
        step = np.zeros(found.shape)
        step[cell] = size
        moved = [chip.reprogrammed({block: chip.programmed[block] + sign * step}) for sign in (1.0, -1.0)]
        ends = [make_exact_rule(one)(Samples(x, y)).blocks[block][cell] for one in moved]
        found[cell] = (ends[0] - ends[1]) / (2.0 * size)
    return found


@pytest.mark.parametrize("parts", [{}, {"activation": "tanh", "cost": "mse"}])
def test_the_spread_is_half_the_sum_of_second_derivatives_times_variances(parts):
    """Additive spread of all cells, so that the law is the trace of the weights: no draw, no scatter."""
    ideal = make_chip(**parts)
    x, y = random_batch(ideal, 3)
    assert compute_copy_loss(ideal, [], x, y, ideal.programmed).spread == 0.0
    chip = make_chip(weights=WeightDevices(mismatch="additive", mismatch_sigma=0.02), **parts)
    off = {c.block: chip.programmed[c.block] - chip.effective[c.block] for c in chip.topology.connections}
    chip = chip.reprogrammed({name: chip.programmed[name] + change for name, change in off.items()})
    law = compute_copy_loss(chip, [], x, y, ideal.programmed)
    trace = sum(find_diagonal(ideal, x, y, c.block).sum() for c in ideal.topology.connections)
    assert law.spread == pytest.approx(0.5 * 0.02**2 * trace, rel=1e-5)
    assert abs(law.shift) < 1e-12


@pytest.mark.parametrize("parts", [{}, {"activation": "tanh", "cost": "mse"}])
def test_what_the_second_order_leaves_falls_as_the_third_power_of_the_spread(parts):
    sizes, rests = 0.04 * 0.5 ** np.arange(5), []
    for sigma in sizes:
        gains = WeightDevices(mismatch_sigma=sigma, gain_sigma=sigma)
        chip = make_chip(weights=gains, neurons=NeuronDevices(offset_sigma=sigma), **parts)
        x, y = random_batch(chip, 4)
        copies = [copy_onto(chip, instance, chip.programmed) for instance in (1, 2, 3)]
        losses = [evaluate(one, x, y)["loss"] for one in (chip, *copies)]
        found = compute_copy_loss(chip, copies, x, y, chip.programmed).second_order
        rests.append(np.linalg.norm(np.array(losses[1:]) - losses[0] - found))
    slope = np.polyfit(np.log(sizes), np.log(rests), 1)[0]
    assert slope == pytest.approx(3.0, abs=0.15), rests


def list_single_errors(chip):
    """Yield blocks that differ from the weights of a chip by one error of one standard deviation, up and down."""
    devices, topology = chip.design.devices, chip.topology
    sigma, gain, offset = devices.weights.mismatch_sigma, devices.weights.gain_sigma, devices.neurons.offset_sigma
    shared = devices.feedback.storage == "shared-device"
    back = {f.block: b.block for f, b in topology.pairs()}
    for c in topology.connections:
        weight = chip.programmed[c.block]
        for cell in np.ndindex(weight.shape) if not (shared and c.block in back.values()) else ():
            step = np.zeros(weight.shape)
            step[cell] = sigma * weight[cell]
            both = shared and c.block in back
            yield {c.block: step} | ({back[c.block]: step.T} if both else {})
        for unit in range(weight.shape[1]):
            step = np.zeros(weight.shape)
            step[:, unit] = gain * weight[:, unit]
            yield {c.block: step}
    for name in topology.names:
        yield from ({f"bias/{name}": offset * one} for one in np.eye(topology.layers[name]))


@pytest.mark.parametrize("storage", ["independent", "copied", "shared-device"])
def test_the_spread_is_the_sum_of_what_single_errors_cost(storage):
    """Every cell, gain of a path and offset alone, up and down: exact, as the second order is a square form."""
    cells, neurons = WeightDevices(mismatch_sigma=0.02, gain_sigma=0.01), NeuronDevices(offset_sigma=0.03)
    ideal = make_chip(storage)
    chip = make_chip(storage, weights=cells, neurons=neurons)
    x, y = random_batch(chip, 3)
    # Copies of the ideal chip, moved on two cells of its own so that no number has to stand for two weights.
    plain = make_chip().reprogrammed(ideal.programmed)
    moved = [
        plain.reprogrammed({name: plain.programmed[name] + sign * step for name, step in error.items()})
        for error in list_single_errors(chip)
        for sign in (1.0, -1.0)
    ]
    costs = compute_copy_loss(plain, moved, x, y, plain.programmed).second_order
    plain.design = chip.design  # of which it happens to be a chip without any error
    law = compute_copy_loss(plain, [], x, y, plain.programmed)
    assert law.spread == pytest.approx(0.5 * costs.sum(), rel=1e-9)


def test_copies_lose_what_is_expected_of_them():
    """Spread and stuck cells, which are off in the mean, gains of paths and offsets, on 600 chips."""
    cells = WeightDevices(mismatch="additive", mismatch_sigma=0.01, stuck_fraction=0.05, gain_sigma=0.01)
    chip = make_chip(scale=1.0, weights=cells, neurons=NeuronDevices(offset_sigma=0.02))
    x, y = random_batch(chip, 4)
    copies = [copy_onto(chip, instance, chip.programmed) for instance in range(1, 601)]
    law = compute_copy_loss(chip, copies, x, y, chip.programmed)
    found = law.second_order
    error = found.std(ddof=1) / np.sqrt(len(found))
    assert abs(found.mean() - law.shift - law.spread) < SIGMAS * error
    assert law.shift > SIGMAS * error


def test_weights_that_were_trained_against_errors_cost_twice_what_measured_ones_do():
    """At a minimum, over 300 trained chips: the errors that a copy lacks cost in the mean what its own errors do."""
    sigma, plain = 0.02, make_chip(activation="tanh", cost="mse")
    x, _ = random_batch(plain, 4)
    y = measure_free(plain, x).activity["out"]  # the loss is 0 and its gradient, too
    shifts, spreads = [], []
    for instance in range(300):
        chip = make_chip(sigma=sigma, activation="tanh", cost="mse", instance=instance)
        asked = program_backwards(chip, plain.programmed)
        trained = chip.reprogrammed(asked)
        programmed, measured = (compute_copy_loss(trained, [], x, y, w) for w in (asked, plain.programmed))
        assert abs(measured.shift) < 1e-12 * measured.spread + 1e-15
        shifts.append(programmed.shift)
        spreads.append(measured.spread)
        assert programmed.spread == pytest.approx(measured.spread, rel=0.1)
    assert np.ptp(spreads) < 1e-6 * spreads[0]  # the same weights are felt on all of them
    # 3 sigma^2 is what the square of 1/(1 + e) has more than that of e.
    error = np.std(shifts, ddof=1) / np.sqrt(len(shifts)) + 5.0 * sigma**2 * spreads[0]
    assert abs(np.mean(shifts) - spreads[0]) < SIGMAS * error
    assert error < 0.1 * spreads[0]


def test_what_the_law_does_not_know_is_named():
    assert find_unknown_causes(make_chip(sigma=0.1, neurons=NeuronDevices(offset_sigma=0.1, tau_sigma=0.1))) == []
    update = SoftBounds(step=0.01, w_max=1.0, w_min=-1.0)
    assert find_unknown_causes(make_chip(update=update)) == []
    unknown = {
        "neurons.gain_sigma or slope_sigma": {"neurons": NeuronDevices(slope_sigma=0.1)},
        "noise of writes": {"update": update.model_copy(update={"write_noise": 1.0})},
        "cell-noise": {"weights": WeightDevices(noise=CellNoise(relative=0.01, spectrum="ou"))},
        "the law of hopfield units": {"law": "hopfield", "scale": 0.3},
    }
    for words, parts in unknown.items():
        assert find_unknown_causes(make_chip(**parts)) == [words]
