"""Corrected settlings against the exact gradient, which EP misses by far on the same chips."""

import numpy as np
import pytest

from devices.synapse.cell import Twin, WeightDevices
from learning.estimator import estimate, measure_free
from learning.oracle.exact import exact
from learning.oracle.ledger.runs import complete_settling
from learning.schemes.nodes import Centred, Circle
from substrate.chip.correction import two_way
from substrate.dynamics.methods import Phase
from substrate.dynamics.phases import Phases
from substrate.laws.law import LAWS
from substrate.network.couplings import couplings_of
from substrate.protocol import Nudge
from tests.networks import WIRINGS, random_batch, random_chip

SWEEPS = {"mode": "equilibrium", "audit": 0}


def relative_error(chip, scheme, samples=4):
    x, y = random_batch(chip, samples)
    free = measure_free(chip, x)
    found = estimate(chip, free, y, scheme)
    assert (found.status == 0).all()
    reference = exact(chip, y)
    assert reference.equilibrium.reached.all()
    plain = chip.variant(correction="none")
    measure_free(plain, x)
    errors = found.flat - reference.delta, exact(plain, y).ep - reference.delta
    return [np.linalg.norm(e) / np.linalg.norm(reference.delta) for e in errors]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("wiring", WIRINGS)
def test_with_exact_knowledge_the_error_vectors_are_exact(wiring, law):
    chip = random_chip(wiring, law=law, correction="exact", sigma=0.3)
    error, uncorrected = relative_error(chip, Centred(beta=1e-3))
    assert error < 1e-6
    assert uncorrected > 1e-2


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("wiring", ["reciprocal", "loop"])
def test_a_complex_nudge_is_corrected_too(wiring, law):
    chip = random_chip(wiring, law=law, correction="exact")
    assert relative_error(chip, Circle(beta=0.02, points=4))[0] < 1e-6


@pytest.mark.parametrize("wiring", ["reciprocal", "loop", "lateral"])
def test_a_corrected_rest_point_is_found_without_time(wiring):
    chip = random_chip(wiring, correction="exact", phase=Phase(tolerance=1e-12), dynamics=SWEEPS)
    assert relative_error(chip, Centred(beta=1e-3))[0] < 1e-6


def test_a_held_nudge_is_corrected_too():
    chip = random_chip("loop", correction="exact", phases=Phases(nudge="held"))
    assert relative_error(chip, Centred(beta=1e-3))[0] < 1e-6


def test_the_correction_leaves_the_free_state_alone():
    plain, corrected = random_chip("loop"), random_chip("loop", correction="exact")
    x, y = random_batch(plain)
    for chip in (plain, corrected):
        measure_free(chip, x)
    np.testing.assert_array_equal(corrected.state, plain.state)
    free = corrected.state
    scheme = Centred(beta=1e-9)
    estimate(corrected, measure_free(corrected, x), y, scheme)
    np.testing.assert_allclose(corrected.state, free, rtol=0, atol=1e-8)


def test_programmed_knowledge_misses_the_mismatch():
    """What is left is the response of the asymmetry that the controller does not know."""
    ignorant = random_chip("reciprocal", correction="programmed", sigma=0.1)
    knowing = ignorant.variant(correction="exact")
    assert relative_error(knowing, Centred(beta=1e-3))[0] < 1e-6
    error, uncorrected = relative_error(ignorant, Centred(beta=1e-3))
    assert 1e-3 < error < 0.5 * uncorrected
    unspread = ignorant.without("mismatch")
    assert relative_error(unspread, Centred(beta=1e-3))[0] < 1e-6


def test_the_correction_follows_a_write():
    chip = random_chip("loop", correction="exact")
    rng = np.random.default_rng(5)
    chip.write({"weight/l1-l2": 0.2 * rng.normal(size=(7, 5))})
    assert relative_error(chip, Centred(beta=1e-3))[0] < 1e-6


@pytest.mark.parametrize("correction", ["programmed", "exact"])
def test_the_limit_of_the_corrected_chip_is_where_small_nudges_lead(correction):
    chip = random_chip("skip", sigma=0.2, correction=correction)
    x, y = random_batch(chip)
    settled = complete_settling(chip)
    found = estimate(settled, measure_free(settled, x), y, Centred(beta=1e-3)).flat
    measure_free(chip, x)
    limit = exact(chip, y)
    np.testing.assert_allclose(found, limit.ep, rtol=0, atol=1e-6 * np.abs(limit.ep).max())
    left = limit.ep - limit.delta
    if correction == "exact":
        assert np.abs(left).max() < 1e-12
    else:
        # First order in the spread: the rest is of second order.
        assert np.linalg.norm(left - limit.first_order) < 0.3 * np.linalg.norm(left)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_every_recurrent_connection_gets_its_reverse_once(wiring):
    chip = random_chip(wiring)
    wires = [c.name for c in two_way(chip.topology).connections]
    assert len(wires) == len(set(wires))
    for c in chip.topology.recurrent():
        assert {c.name, f"{c.post}-{c.pre}"} <= set(wires)
    assert two_way(chip.topology).colours() == chip.topology.colours()


@pytest.mark.parametrize("knowledge", ["programmed", "exact"])
@pytest.mark.parametrize("wiring", WIRINGS)
def test_a_second_copy_of_the_cells_keeps_its_spread_under_a_correction(wiring, knowledge):
    """Against the rest point of ``u = W2 a + drive - 2 A (a - a0) - beta e``, iterated here with dense matrices."""
    spread = {"weights": WeightDevices(mismatch_sigma=0.1), "twin": Twin(mismatch_sigma=0.2)}
    chip = random_chip(wiring, activation="tanh", cost="mse", scale=0.4, correction=knowledge, **spread)
    plain = chip.variant(correction="none")
    (x, y), beta = random_batch(chip, 4), 0.1
    for c in (chip, plain):
        c.set_input(x)
        c.settle()
        free = c.activity_of(c.state)
        c.settle(Nudge(beta, y), start="free")
    machine, drive = plain._fabric.twin(plain._machine, plain.constant_drive, x)
    acting = couplings_of(chip.topology, chip.topology.blocks(machine.weights)).dense()
    known = couplings_of(chip.topology, chip.programmed if knowledge == "programmed" else chip.effective).dense()
    outputs = chip.topology.columns[chip.topology.output]

    def rest(correction):
        u = np.zeros_like(free)
        for _ in range(4000):
            a = np.tanh(u)
            force = np.zeros_like(a)
            force[:, outputs] = a[:, outputs] - y
            u = u + 0.2 * (a @ acting.T + drive - 2.0 * (a - free) @ correction.T - beta * force - u)
        return u

    np.testing.assert_allclose(plain.state, rest(np.zeros_like(known)), rtol=0, atol=1e-12)
    np.testing.assert_allclose(chip.state, rest((known - known.T) / 2.0), rtol=0, atol=1e-12)
    assert np.abs(chip.state - plain.state).max() > (0.0 if wiring == "forward" else 1e-4)
