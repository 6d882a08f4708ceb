"""What comparators, squarers and twin boards add to squared drops: laws of the nudge."""

import numpy as np
import pytest

from devices.circuit.components import CircuitDevices, DropReading
from learning.circuits.squared import SquaredDrops
from learning.oracle.circuits.ledger import CircuitTrial, measure_circuit
from learning.schemes.nodes import Centred, OneSided
from substrate.circuits.effects.squarers import draw_squarers
from substrate.protocol import Nudge
from tests.statistics import assert_mean
from tests.substrate.circuits.circuits import draw_batch, make_chip, make_design

UNEQUAL = DropReading(offset_sigma="3 mV", squarer_offset_sigma="2 mV", squarer_gain_sigma=0.01)


def read_twice(chip, beta=1e-5, x=None, target=None):
    """Return the reads of a nudged and of the free phase."""
    given = draw_batch("mos" if "gate/elements" in chip.design.blocks else "linear")
    x, target = (given[k] if own is None else own for k, own in enumerate((x, target)))
    chip.set_input(x)
    chip.settle()
    before = chip.read()
    chip.settle(Nudge(beta, target), start="free")
    return chip.read(), before


def find_drops(chip, read, kind):
    nodes = chip.design.circuit
    voltages = np.zeros((len(read["out"]), len(nodes.nodes)))
    voltages[:, nodes.held] = chip.design.feeds.apply(read["in"])
    for name, members in chip.design.layers.items():
        voltages[:, members] = read[name]
    ends = getattr(nodes, kind)
    return voltages[:, ends.a] - voltages[:, ends.b]


@pytest.mark.parametrize(("kind", "elements"), [("linear", "conductors"), ("mos", "transistors")])
def test_every_element_squares_each_read_with_a_squarer_of_its_own(kind, elements):
    chip = make_chip(kind, 0, CircuitDevices(drops=UNEQUAL))
    after, before = read_twice(chip)
    (name,) = chip.design.blocks
    squarers = draw_squarers(chip.design, 0, 0)[name]
    (k1, k2), (o1, o2) = squarers.gain, squarers.comparator + squarers.offset
    one, two = (find_drops(chip, read, elements) for read in (after, before))
    unit = chip.design.circuit.transistors.transconductance if kind == "mos" else 1.0
    expected = unit * (k1 * (one + o1) ** 2 - k2 * (two + o2) ** 2).sum(axis=0)
    found = chip.contrast(after, before, np.ones(len(one), dtype=bool))[name]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
    assert np.std(o1 - o2) > 1e-3
    assert np.std(k1 - k2) > 1e-3


def test_current_sources_square_nothing():
    design = make_design("exponential", devices=CircuitDevices(drops=UNEQUAL))
    assert list(draw_squarers(design, 0, 0)) == ["conductance/elements"]


@pytest.mark.parametrize("key", ["squarer_offset_sigma", "squarer_gain_sigma"])
def test_two_squarers_are_an_error_of_the_readout_over_the_nudge(key):
    def readout(beta):
        value = "2 mV" if "offset" in key else 1e-3
        chip = make_chip("linear", 0, CircuitDevices(drops=DropReading(**{key: value})))
        x, target = draw_batch("linear")
        trial = CircuitTrial(x, target, SquaredDrops(), [Centred(beta=beta)], True, {})
        (book,) = measure_circuit(chip, trial, 1, lambda _: None).blocks[0].values()
        terms = book.terms()
        for other in ("settling", "precision", "noise", "write"):
            assert not terms[other].any()
        return terms["readout"]

    small, large = readout(1e-7), readout(1e-6)
    np.testing.assert_allclose(small, 10.0 * large, rtol=0, atol=1e-2 * np.abs(small).max())


def test_reads_of_unequal_noise_leave_the_difference_of_their_variances():
    """One-sided: ``(s_+^2 - s_0^2) / (2 b)`` for every end that is read; 18 alarms of 1e-6."""
    count, beta, free, twin = 20_000, 1e-5, 2e-3, 6e-3
    drops = DropReading(noise="2 mV", twin_noise="6 mV", twin_sigma=1e-12)
    chip = make_chip("linear", 0, CircuitDevices(drops=drops))
    x, target = (np.repeat(part[:1], count, axis=0) for part in draw_batch("linear"))
    after, before = read_twice(chip, beta, x, target)
    quiet_after, quiet_before = read_twice(chip.make_quiet(), beta, x[:1], target[:1])
    circuit = chip.design.circuit
    ends = sum(np.isin(end, circuit.free).astype(int) for end in (circuit.conductors.a, circuit.conductors.b))
    one, two = (find_drops(chip, read, "conductors") for read in (after, before))
    x1, x2 = (find_drops(chip, read, "conductors")[0] for read in (quiet_after, quiet_before))
    for e in range(len(ends)):
        estimates = (one[:, e] ** 2 - two[:, e] ** 2) / (2.0 * beta)
        expected = (x1[e] ** 2 - x2[e] ** 2 + ends[e] * (twin**2 - free**2)) / (2.0 * beta)
        v1, v2 = ends[e] * twin**2, ends[e] * free**2
        spread = np.sqrt(4.0 * (v1 * x1[e] ** 2 + v2 * x2[e] ** 2) + 2.0 * (v1**2 + v2**2)) / (2.0 * beta)
        assert_mean(estimates, expected, spread)


def test_the_ledger_finds_unequal_noise_as_noise_and_it_grows_as_the_nudge_falls():
    def noise(beta):
        drops = DropReading(noise="0 V", twin_noise="1 mV", twin_sigma=1e-12)
        chip = make_chip("linear", 0, CircuitDevices(drops=drops))
        x, target = draw_batch("linear")
        trial = CircuitTrial(x, target, SquaredDrops(), [OneSided(beta=beta)], True, {})
        (book,) = measure_circuit(chip, trial, 3, lambda _: None).blocks[0].values()
        return np.linalg.norm(book.terms()["noise"])

    assert noise(1e-7) / noise(1e-6) == pytest.approx(10.0, rel=0.1)
