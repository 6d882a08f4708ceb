"""The nudge of a chip: its circuit, held or continuous, and the correction."""

import numpy as np
import pytest

from devices.interface.converter import Adc, Converters, NudgeCircuit
from devices.interface.hold import Hold
from devices.neuron.noise import Noise
from devices.synapse.cell import WeightDevices
from devices.synapse.twin import Twin
from learning.estimator import estimate_error_vectors, measure_free
from learning.oracle.exact import compute_exact_errors
from learning.oracle.ledger.runs import make_settling_complete
from learning.schemes.nodes import Centred, Circle, OneSided
from substrate.chip.nudging import add_nudge, make_bidirectional_topology
from substrate.dynamics.machine import Drive
from substrate.dynamics.methods import Phase
from substrate.dynamics.phases import Phases
from substrate.engine.door import load_engine
from substrate.laws.law import LAWS
from substrate.network.couplings import make_couplings
from substrate.protocol import Nudge
from tests.networks import WIRINGS, random_batch, random_chip


@pytest.mark.parametrize("nudge", ["continuous", "held"])
@pytest.mark.parametrize("beta", [0.2, -0.2, 0.1 + 0.1j])
def test_a_gain_of_the_circuit_is_another_beta(beta, nudge):
    circuit = NudgeCircuit(gain=1.25, gain_negative=0.75)
    plain = random_chip(phases=Phases(nudge=nudge))
    real = plain.variant(converters=Converters(nudge=circuit))
    x, y = random_batch(plain)
    for chip, size in ((real, beta), (plain, circuit.applied(beta))):
        chip.set_input(x)
        chip.settle()
        chip.settle(Nudge(size, y), "free")
    np.testing.assert_allclose(real.state, plain.state, rtol=0, atol=1e-13)


def test_unequal_polarities_act_as_their_mean():
    """Centred with gains g+ and g-: the mean gain times the error vector, all else of order beta."""
    circuit = NudgeCircuit(gain=1.1, gain_negative=0.7)
    chip = random_chip(converters=Converters(nudge=circuit))
    x, y = random_batch(chip)
    found = estimate_error_vectors(chip, measure_free(chip, x), y, Centred(beta=1e-4)).flat
    limit = compute_exact_errors(chip, y).ep
    np.testing.assert_allclose(found, 0.9 * limit, rtol=0, atol=1e-4 * np.abs(limit).max())


@pytest.mark.parametrize("nudge", ["continuous", "held"])
@pytest.mark.parametrize("scheme", [OneSided(beta=0.01), OneSided(beta=0.02)])
def test_an_offset_while_nudging_is_a_bias_over_beta(scheme, nudge):
    """The offset `d` acts as a force ``-d/beta`` on the outputs: bias ``M (-d/beta)`` to first order."""
    plain = random_chip(phases=Phases(nudge=nudge))
    chip = plain.variant(converters=Converters(nudge=NudgeCircuit(offset=1e-5)))
    x, y = random_batch(plain)
    found, without = (estimate_error_vectors(c, measure_free(c, x), y, scheme).flat for c in (chip, plain))
    force = np.zeros_like(found)
    force[:, chip.topology.columns["out"]] = -1e-5 / scheme.beta
    expected = compute_exact_errors(plain, y).linear.response(force)
    np.testing.assert_allclose(found - without, expected, rtol=0, atol=0.03 * np.abs(expected).max())


def test_an_offset_is_there_for_all_nudges_but_not_freely():
    plain = random_chip()
    chip = plain.variant(converters=Converters(nudge=NudgeCircuit(offset=0.01)))
    x, y = random_batch(plain)
    np.testing.assert_array_equal(measure_free(chip, x).activity["l1"], measure_free(plain, x).activity["l1"])
    symmetric = [estimate_error_vectors(c, measure_free(c, x), y, Centred(beta=0.01)).flat for c in (chip, plain)]
    # It cancels in the difference of two nudges, but for the curvature of the response.
    np.testing.assert_allclose(*symmetric, rtol=0, atol=0.05 * np.abs(symmetric[1]).max())
    circle = estimate_error_vectors(chip, measure_free(chip, x), y, Circle(beta=0.1, points=4))
    assert np.isfinite(circle.flat).all()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_held_nudge_of_limited_drive_and_resolution(sign):
    """The drive of the outputs is that of the ideal nudge, rounded to steps of 0.025 and cut at 0.1."""
    plain = random_chip(phases=Phases(nudge="held"))
    chip = plain.variant(converters=Converters(nudge=NudgeCircuit(full_scale=0.1, bits=3)))
    x, y = random_batch(plain, 200)
    plain.set_input(x)
    plain.settle()
    force = load_engine(plain.design.dynamics).force(plain._machine, plain.free_activity(), y)
    drive = Drive(plain.constant_drive, 0.0, y)
    real = add_nudge(drive, Nudge(sign * 0.3, y), chip.design, chip._machine, plain.free_activity())
    added = (real.constant - plain.constant_drive)[:, -4:]
    expected = np.clip(0.025 * np.rint(-sign * 0.3 * force / 0.025), -0.1, 0.1)
    np.testing.assert_allclose(added, expected, rtol=0, atol=1e-14)
    assert np.abs(added).max() == pytest.approx(0.1)


@pytest.mark.parametrize(("mode", "beta"), [("continuous", 0.1), ("held", 0.1j)])
@pytest.mark.parametrize("keys", [{"full_scale": 0.1}, {"gain_sigma": 0.1}])
def test_a_drive_that_is_cut_or_spreads_needs_a_held_real_nudge(mode, beta, keys):
    chip = random_chip(phases=Phases(nudge=mode), converters=Converters(nudge=NudgeCircuit(**keys)))
    x, y = random_batch(chip)
    chip.set_input(x)
    chip.settle()
    with pytest.raises(ValueError, match=r"need phases\.nudge = \"held\" and a scheme with real nudges"):
        chip.settle(Nudge(beta, y), "free")


HELD = Phases(nudge="held", noise="common")
READS = {
    "converter": {"converters": Converters(readout=Adc(bits=4))},
    "hold": {"hold": Hold(pedestal=0.02, droop_tau=30.0), "phases": HELD.model_copy(update={"hold_time": 3.0})},
    "noise": {"noise": Noise(read=0.05)},
    "slow noise": {"noise": Noise(read_flicker=0.05)},
    "window": {"noise": Noise(thermal=0.05), "phase": Phase(duration=3.0, window=1.0)},
    "all": {
        "converters": Converters(readout=Adc(bits=6), nudge=NudgeCircuit(gain=0.9)),
        "hold": Hold(noise=0.01),
        "noise": Noise(thermal=0.05, read=0.01),
        "phase": Phase(duration=3.0, window=1.0),
    },
}


def clamped(samples=4, **keys):
    changes = {"phases": HELD, "phase": Phase(duration=3.0), "dt": 0.1, "dynamics": {"method": "exponential"}, **keys}
    chip = random_chip(cost="mse", activation="tanh", **changes)
    x, y = random_batch(chip, samples)
    chip.set_input(x)
    chip.settle()
    return chip, y


@pytest.mark.parametrize("keys", READS.values(), ids=READS)
@pytest.mark.parametrize("beta", [0.3, -0.3])
def test_the_force_is_that_of_the_free_output_as_it_was_read(beta, keys):
    """The same drive injected: the cost is ``|a - y|^2 / 2``."""
    chip, y = clamped(**keys)
    free = chip.read(waits=True)["out"]
    raw = chip.activity_of(chip.state)[:, -y.shape[1] :]
    assert np.abs(free - raw).max() > 1e-3
    gain = chip.design.devices.converters.nudge.gain
    chip.settle(Nudge(beta, y), "free")
    nudged = chip.state
    chip.settle_injected({"out": -beta * gain * (free - y)})
    np.testing.assert_allclose(nudged, chip.state, rtol=0, atol=1e-12)


@pytest.mark.parametrize("keys", READS.values(), ids=READS)
def test_both_nudges_and_the_adjoint_state_use_one_read(keys):
    """The chip is read for the force if it was not before, and once."""
    chip, y = clamped(**keys)
    before = chip.budget.reads
    chip.settle(Nudge(0.1, y), "free")
    first = chip.state
    assert chip.budget.reads == before + len(y)
    chip.settle(Nudge(-0.1, y), "free")
    chip.settle_errors(y)
    chip.settle(Nudge(0.1, y), "free")
    assert chip.budget.reads == before + len(y)
    if not chip.design.devices.noise.slow:
        np.testing.assert_array_equal(chip.state, first)
    chip.settle()
    chip.settle(Nudge(0.1, y), "free")
    assert chip.budget.reads == before + 2 * len(y)


def test_an_ideal_read_changes_no_bit_of_the_force():
    seen, unseen = clamped()[0], clamped()
    seen.read(waits=True)
    for chip in (seen, unseen[0]):
        chip.settle(Nudge(0.1, unseen[1]), "free")
    np.testing.assert_array_equal(seen.state, unseen[0].state)
    assert np.abs(seen.state - clamped()[0].state).max() > 1e-3


def test_the_adjoint_state_of_a_held_nudge_feels_the_converter():
    """Its force is ``read - y``: that of a continuous nudge, which follows the raw output `a`, to
    ``y - (read - a)``.
    """
    keys = {"converters": Converters(readout=Adc(bits=2, range=[-1.0, 1.0])), "phase": Phase(duration=40.0)}
    chip, y = clamped(**keys)
    raw = chip.activity_of(chip.state)[:, -y.shape[1] :]
    read = chip.read(waits=True)["out"]
    assert np.abs(read - raw).max() > 0.05
    chip.settle_errors(y)
    continuous, _ = clamped(**keys | {"phases": Phases()})
    continuous.settle_errors(y - (read - raw))
    np.testing.assert_allclose(chip._errors, continuous._errors, rtol=0, atol=1e-12)


SWEEPS = {"mode": "equilibrium", "audit": 0}


def relative_error(chip, scheme, samples=4):
    x, y = random_batch(chip, samples)
    free = measure_free(chip, x)
    found = estimate_error_vectors(chip, free, y, scheme)
    assert (found.status == 0).all()
    reference = compute_exact_errors(chip, y)
    assert reference.equilibrium.reached.all()
    plain = chip.variant(correction="none")
    measure_free(plain, x)
    errors = found.flat - reference.delta, compute_exact_errors(plain, y).ep - reference.delta
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
    estimate_error_vectors(corrected, measure_free(corrected, x), y, scheme)
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
    settled = make_settling_complete(chip)
    found = estimate_error_vectors(settled, measure_free(settled, x), y, Centred(beta=1e-3)).flat
    measure_free(chip, x)
    limit = compute_exact_errors(chip, y)
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
    wires = [c.name for c in make_bidirectional_topology(chip.topology).connections]
    assert len(wires) == len(set(wires))
    for c in chip.topology.recurrent():
        assert {c.name, f"{c.post}-{c.pre}"} <= set(wires)
    assert make_bidirectional_topology(chip.topology).colours() == chip.topology.colours()


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
    acting = make_couplings(chip.topology, chip.topology.blocks(machine.weights)).dense()
    known = make_couplings(chip.topology, chip.programmed if knowledge == "programmed" else chip.effective).dense()
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
