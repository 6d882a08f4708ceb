"""Conductances that fluctuate: slowly they make another circuit, fast ones do not cancel between phases."""

import numpy as np
import pytest

from devices.circuit.components import CircuitDevices, ConductanceNoise, DropReading, ResistorSpread
from devices.random import Stream
from learning.circuits.squared import SquaredDrops
from learning.oracle.circuits.ledger import CircuitTrial, measure_circuit
from learning.schemes.nodes import Centred
from substrate.circuits.chip import CircuitChip
from substrate.circuits.circuit import Amplifiers, CircuitGraph, Conductors
from substrate.circuits.design import CircuitDesign, Feeds, LearnedBlock
from substrate.circuits.effects.noise import draw_fast_factors, draw_slow_factors, find_varied_rest
from substrate.circuits.rest import find_circuit_rest
from substrate.circuits.system import CircuitDrive, apply_nothing, assemble_system
from substrate.protocol import Nudge
from tests.statistics import assert_mean, assert_normal_variance
from tests.substrate.circuits.circuits import KINDS, draw_batch, make_chip, make_design


def make_noisy(slow=0.0, fast=0.0, **drops):
    weights = ResistorSpread(noise=ConductanceNoise(slow=slow, fast=fast))
    return CircuitDevices(weights=weights, drops=DropReading(**drops))


def measure(chip, epoch=0, repeats=1):
    x, target = draw_batch("linear")
    trial = CircuitTrial(x, target, SquaredDrops(), [Centred(beta=1e-6)], True, {}, epoch)
    return measure_circuit(chip, trial, repeats, lambda _: None)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_with_conductances_of_their_own_rest_where_each_circuit_does(kind):
    design = make_design(kind)
    circuit, amplifier = design.circuit, Amplifiers(*(np.array([v]) for v in (7, 5, 0.5, 2.0, 0.1)))
    if kind == "linear":  # an exit that no source holds
        circuit = circuit._replace(amplifiers=amplifier)
    held = design.feeds.apply(draw_batch(kind)[0])
    g = circuit.conductors.g * np.random.default_rng(0).uniform(0.5, 2.0, (len(held), len(circuit.conductors.g)))
    found = find_varied_rest(assemble_system(circuit), g, apply_nothing(held, 2), None, 1e-12)
    for k, own in enumerate(g):
        alone = circuit._replace(conductors=circuit.conductors._replace(g=own))
        rest = find_circuit_rest(assemble_system(alone), apply_nothing(held[k : k + 1], 2))
        np.testing.assert_allclose(found.voltages[k], rest.voltages[0], rtol=0, atol=1e-12)
        assert found.residual[k] < 1e-12


def test_slow_noise_is_another_circuit_and_no_error():
    plain, noisy = (measure(make_chip("linear", 0, devices)) for devices in (None, make_noisy(slow=0.2)))
    (before,), (after,) = (list(found.blocks[0].values()) for found in (plain, noisy))
    change = np.linalg.norm(after.steps[0] - before.steps[0]) / np.linalg.norm(before.steps[0])
    assert change > 0.02  # another exact gradient
    for name in ("asymmetry", "settling", "readout", "noise"):
        assert np.abs(after.terms()[name]).max() < 1e-12 * np.abs(after.steps[0]).max()
    assert np.abs(after.terms()["finite_nudge"]).max() < 1e-3 * np.abs(after.steps[0]).max()


def test_slow_noise_is_drawn_once_for_a_measurement_and_anew_for_the_next():
    chip = make_chip("linear", 0, make_noisy(slow=0.1, noise="1 mV"))
    first, again, later = (measure(chip, epoch, 2).blocks[0]["conductance/elements"].steps[0] for epoch in (0, 0, 1))
    assert (first == again).all()
    assert (first != later).any()


def test_every_batch_of_a_training_has_slow_noise_of_its_own_through_all_phases():
    chip, x = make_chip("linear", 0, make_noisy(slow=0.1)), draw_batch("linear")[0]

    def settle(ids, nudge=None):
        chip.set_input(x, ids)
        chip.settle()
        chip.settle(nudge, start="free")
        return chip.read()["out"]

    first, second = settle(np.arange(4)), settle(np.arange(4, 8))
    assert (first != second).any()
    assert (settle(np.arange(4)) == first).all()
    nudged = settle(np.arange(4), Nudge(1e-30, np.zeros((4, 2))))
    np.testing.assert_allclose(nudged, first, rtol=0, atol=1e-12)


def test_the_second_copy_fluctuates_by_itself():
    chip = make_chip("linear", 0, make_noisy(slow=0.1, twin_sigma=1e-12))
    chip.set_input(draw_batch("linear")[0])
    one, two = (chip.system(twin).circuit.conductors.g for twin in (False, True))
    assert np.abs(one / two - 1.0).std() > 0.05


def test_factors_are_normal_and_wires_have_none():
    """Two variances and two means of 20,000 and more; 4 alarms of 1e-6."""
    design = make_design("linear", devices=make_noisy(slow=0.05, fast=0.02), wires=3)
    edges = len(design.circuit.conductors.g)
    slow = np.array([draw_slow_factors(design, Stream(0, f"slow/{k}")) for k in range(2000)])
    fast = draw_fast_factors(design, Stream(0, "fast"), np.arange(2000))
    for factors, sigma in ((slow, 0.05), (fast, 0.02)):
        assert (factors[:, edges - 3 :] == 1.0).all()
        assert_mean(factors[:, : edges - 3].ravel(), 1.0, sigma)
        assert_normal_variance(factors[:, : edges - 3].ravel(), sigma**2)


def test_fast_noise_spreads_estimates_as_drops_follow_conductances():
    """Variance ``sum_k sum_phases (2 dV ddV/dg_k s g_k)^2 / (2 b)^2`` of every element; 18 alarms of 1e-6."""
    count, beta, sigma = 1500, 1e-5, 1e-3
    chip = make_chip("linear", 0, make_noisy(fast=sigma))
    x, target = (np.repeat(part[:1], count, axis=0) for part in draw_batch("linear"))
    chip.set_input(x)
    squares = []
    for nudge in (None, Nudge(beta, target)):
        chip.settle(nudge, start="zero" if nudge is None else "free")
        v, ends = chip.rest.voltages, chip.design.circuit.conductors
        squares.append((v[:, ends.a] - v[:, ends.b]) ** 2)
    estimates = (squares[1] - squares[0]) / (2.0 * beta)
    expected = np.zeros(len(ends.g))
    for b in (0.0, beta):
        drop, slopes = differentiate_drops(chip, x[:1], target[:1], b)
        expected += ((2.0 * drop * slopes * sigma * ends.g[:, None]) ** 2).sum(axis=0) / (2.0 * beta) ** 2
    for e, variance in enumerate(expected):
        assert_normal_variance(estimates[:, e], variance)


def differentiate_drops(chip, x, target, beta):
    """Return the drops of all conductors, and how they follow every conductance (conductance, drop)."""
    circuit = chip.design.circuit
    held = chip.design.feeds.apply(x)

    def drops(g):
        system = assemble_system(circuit._replace(conductors=circuit.conductors._replace(g=g)))
        v = find_circuit_rest(system, CircuitDrive(held, np.array([beta]), target)).voltages[0]
        return v[circuit.conductors.a] - v[circuit.conductors.b]

    g = circuit.conductors.g
    steps = 1e-4 * np.diag(g)
    slopes = [(drops(g + step) - drops(g - step)) / (2.0 * step.sum()) for step in steps]
    return drops(g), np.array(slopes)


def test_fast_noise_adds_its_mean_square_to_squared_drops():
    """A divider, whose mean is known by quadrature; the second order of the noise is most of it; 1 alarm of 1e-6."""
    count, sigma = 12_000, 0.1
    circuit = CircuitGraph(
        ("0", "x", "out"),
        np.array([0, 1]),
        np.array([2]),
        Conductors(np.array([1, 2]), np.array([2, 0]), np.array([3e-3, 1e-3])),
    )
    feeds = Feeds(np.zeros(2), np.array([-1, 0]), np.ones(2))
    blocks = {"conductance/elements": LearnedBlock("conductance", np.arange(2))}
    design = CircuitDesign(
        circuit, feeds, ("in", 1), {"out": np.array([2])}, blocks, make_noisy(fast=sigma), tolerance=1e-9
    )
    chip = CircuitChip(design, {"conductance/elements": circuit.conductors.g})
    chip.set_input(np.full((count, 1), 1.0))
    chip.settle()
    found = (1.0 - chip.rest.voltages[:, 2]) ** 2
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    g1, g2 = np.meshgrid(3e-3 * (1.0 + sigma * nodes), 1e-3 * (1.0 + sigma * nodes), indexing="ij")
    law, mass = (g2 / (g1 + g2)) ** 2, np.outer(weights, weights) / weights.sum() ** 2
    mean = (mass * law).sum()
    spread = np.sqrt((mass * (law - mean) ** 2).sum())
    assert_mean(found, mean, spread)
    assert mean - (1.0 / 4.0) ** 2 == pytest.approx(second_order(3e-3, 1e-3, sigma), rel=0.1)
    assert mean - (1.0 / 4.0) ** 2 > 6.0 * spread / np.sqrt(count)


def second_order(g1, g2, sigma):
    """Return half of the second derivatives of ``(g2/(g1 + g2))^2``, times the variances."""
    total = g1 + g2
    by_1 = 6.0 * g2**2 / total**4
    by_2 = 2.0 * g1 * (g1 - 2.0 * g2) / total**4
    return 0.5 * sigma**2 * (by_1 * g1**2 + by_2 * g2**2)


def test_the_ledger_books_fast_noise_as_noise():
    found = measure(make_chip("linear", 0, make_noisy(fast=1e-3)), 0, 3)
    (book,) = found.blocks[0].values()
    sizes = {name: np.linalg.norm(term) for name, term in book.terms().items()}
    assert max(sizes, key=sizes.get) == "noise"
    assert sizes["readout"] == 0.0
