import numpy as np
import pytest

from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise
from devices.synapse.cell import FeedbackDevices, WeightDevices
from learning.identification.reads import DenseWiring, FreeReads, get_wiring, read_free_states
from learning.identification.weights import WeightPrior, estimate_effective_weights
from substrate.theory.inverse_curve import InverseCurve
from tests.learning.test_estimator import OnlyBench
from tests.networks import random_chip
from tests.statistics import assert_chi_square, assert_mean

CELLS = {"weights": WeightDevices(mismatch_sigma=0.05), "feedback": FeedbackDevices(mismatch_sigma=0.1)}
OFFSET = 0.02


def spread_chip(law="additive", activation="tanh", read=0.0, **more):
    neurons = NeuronDevices(offset_sigma=OFFSET)
    return random_chip(
        seed=3, law=law, activation=activation, cost="mse", neurons=neurons, noise=Noise(read=read), **CELLS, **more
    )


def reads_of(chip, samples, seed=0):
    x = np.random.default_rng(seed).uniform(-1.0, 2.0, size=(samples, chip.topology.layers["in"]))
    return read_free_states(OnlyBench(chip), x)


def real(chip, name):
    """Return what units feel of a block, the offset of a unit in its bias."""
    chip.set_input(np.zeros((1, chip.topology.layers["in"])))
    offsets = chip.topology.split(chip.constant_drive[0])
    return offsets[name.removeprefix("bias/")] if name.startswith("bias/") else chip.effective[name]


@pytest.mark.parametrize(("law", "activation"), [("additive", "tanh"), ("hopfield", "sigmoid")])
def test_without_noise_every_effective_weight_is_found(law, activation):
    chip = spread_chip(law, activation)
    found = estimate_effective_weights(get_wiring(chip), reads_of(chip, 400), InverseCurve(law, activation))
    assert found.read_sigma < 1e-7
    assert found.values.keys() == set(chip.shapes)
    for name, values in found.values.items():
        np.testing.assert_allclose(values, real(chip, name), atol=1e-6)


def test_a_unit_with_too_few_samples_is_told_not_guessed():
    chip = spread_chip()
    found = estimate_effective_weights(get_wiring(chip), reads_of(chip, 8), InverseCurve("additive", "tanh"))
    # l1 sees 6 inputs and 5 units of l2, l2 7 and 4: twelve weights with the bias; out sees 5 and has enough.
    assert np.isnan(found.values["weight/in-l1"]).all()
    assert np.isnan(found.values["bias/l2"]).all()
    assert np.isfinite(found.values["weight/l2-out"]).all()
    assert (found.told["out"] <= 8).all()


def test_inputs_that_all_but_agree_are_not_told_apart():
    chip = spread_chip()
    x = np.random.default_rng(0).uniform(-1.0, 2.0, size=(200, 6))
    x[:, 1] = x[:, 0] + 5e-8 * x[:, 2]
    reads = read_free_states(chip, x)
    found = estimate_effective_weights(get_wiring(chip), reads, InverseCurve("additive", "tanh"))
    assert np.isnan(found.values["weight/in-l1"]).all()
    assert np.isfinite(found.values["weight/l2-out"]).all()


def test_noise_of_the_reads_that_are_summed_makes_no_weight_too_small():
    """One layer of 40 units, whose 3 presynaptic activities are read with noise of a fifth of their spread.

    Plain regression is short by 4 %, which 40 x 2000 rows show; corrected, the mean over 120 weights is right. False
    alarms: 1e-6.
    """
    rng, samples, sigma = np.random.default_rng(0), 2000, 0.1
    wiring, weight = DenseWiring({"in": 1, "a": 3, "out": 40}, [("a", "out")]), rng.choice([-1.0, 1.0], size=(3, 40))
    a = 0.5 * rng.normal(size=(samples, 3))
    activity = {"in": np.zeros((samples, 1)), "a": a, "out": a @ weight}
    noisy = {name: values + sigma * rng.normal(size=values.shape) for name, values in activity.items()}
    found = estimate_effective_weights(wiring, FreeReads(noisy, 0), InverseCurve("additive", "identity"), sigma)
    shares = (found.values["weight/a-out"] / weight).ravel()
    # All units see the same reads: three regressors make three independent means, each of the error of one weight.
    spread = np.sqrt(40) * found.errors["weight/a-out"].mean()
    assert_mean(shares, 1.0, spread)
    plain = estimate_effective_weights(wiring, FreeReads(noisy, 0), InverseCurve("additive", "identity"), 0.0)
    assert (plain.values["weight/a-out"] / weight).mean() == pytest.approx(1.0 - sigma**2 / (0.25 + sigma**2), abs=1e-2)


def test_residuals_tell_the_noise_of_the_reads():
    chip = spread_chip(read=2e-3)
    found = estimate_effective_weights(get_wiring(chip), reads_of(chip, 400), InverseCurve("additive", "tanh"))
    # About 4000 rows to spare: 1.1 % of error, and 5 % is more than four times that.
    assert found.read_sigma == pytest.approx(2e-3, rel=0.05)


def test_few_noisy_reads_better_what_was_programmed_as_much_as_they_say():
    """Eight reads; errors over their standard errors are a chi-square of as many cells. False alarms: 1e-6."""
    square, cells, better = 0.0, 0, []
    for instance in range(6):
        chip = spread_chip(read=1e-3, instance=instance)
        spreads = {name: 0.1 if name in {"weight/l2-l1", "weight/out-l2"} else 0.05 for name in chip.shapes}
        deviation = {
            name: np.full(shape, OFFSET) if name.startswith("bias/") else spreads[name] * np.abs(chip.programmed[name])
            for name, shape in chip.shapes.items()
        }
        prior = WeightPrior(chip.programmed, deviation)
        curve = InverseCurve("additive", "tanh")
        found = estimate_effective_weights(get_wiring(chip), reads_of(chip, 8, instance), curve, 1e-3, prior)
        for name, values in found.values.items():
            miss = values - real(chip, name)
            square += float(np.sum((miss / found.errors[name]) ** 2))
            cells += miss.size
            better.append(np.sum(miss**2) / np.sum((chip.programmed[name] - real(chip, name)) ** 2))
    # Errors of the cells of one unit go together, in as many directions as are told apart: half of them is cautious.
    assert_chi_square(square / 2.0, cells // 2)
    assert np.mean(better) < 0.6


def test_connections_that_are_no_matrices_are_refused():
    class Shared(OnlyBench):
        shapes = {"weight/in-l1": (3, 3, 1, 2)}  # noqa: RUF012

    with pytest.raises(ValueError, match="in-l1 is no dense connection"):
        get_wiring(Shared(spread_chip()))


def test_samples_that_do_not_settle_are_left_out_and_counted():
    chip = spread_chip()
    settle = chip.settle

    def broken(*args):
        found = settle(*args)
        found.status[1] = 5
        return found

    chip.settle = broken
    reads = reads_of(chip, 4)
    assert reads.unsettled == 1
    assert len(reads.activity["out"]) == 3
