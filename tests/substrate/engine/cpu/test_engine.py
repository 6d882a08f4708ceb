"""What the engine offers beside settlings, against dense matrices and the laws of `devices`."""

import numpy as np
import pytest

from devices.neuron import activation, curves
from substrate.engine.cpu.engine import CpuEngine
from tests.networks import WIRINGS, random_batch, random_chip


@pytest.mark.parametrize("wiring", WIRINGS)
def test_drives_and_linear_products_are_those_of_the_effective_couplings(wiring):
    chip = random_chip(wiring, sigma=0.3)
    coupling = chip.topology.coupling(chip.effective)
    v = np.random.default_rng(1).normal(size=(3, chip.topology.units))
    linear = CpuEngine.linear(chip._machine, v)
    np.testing.assert_allclose(CpuEngine.drive(chip._machine, v), v @ coupling.T, rtol=0, atol=1e-14)
    np.testing.assert_allclose(linear.product(v), v @ coupling.T, rtol=0, atol=1e-14)
    np.testing.assert_allclose(linear.transposed(v), v @ coupling, rtol=0, atol=1e-14)


@pytest.mark.parametrize("planes", [1, 2])
def test_activities_are_those_of_the_activation(planes):
    chip = random_chip()
    u = np.random.default_rng(2).normal(size=(4, chip.topology.units)) * (1.0 if planes == 1 else 1.0 + 0.1j)
    a = 1.0 / (1.0 + np.exp(-(4.0 * u - 2.0)))
    assert curves.find_activation_code(chip.design.activation) == activation.SIGMOID
    np.testing.assert_allclose(CpuEngine.activate(chip._machine, u), a, rtol=0, atol=1e-14)


def test_weights_are_prepared_anew_after_a_write_and_for_other_cells_only():
    chip = random_chip()
    first = CpuEngine.prepare(chip._machine)
    assert CpuEngine.prepare(chip._machine) is first
    assert CpuEngine.prepare(chip._machine._replace(weights=chip._machine.weights.copy())) is not first
    first = CpuEngine.prepare(chip._machine)
    chip.write({"bias/l1": np.zeros(7)})
    assert CpuEngine.prepare(chip._machine) is not first


def test_a_block_is_correlated_as_its_kind_says():
    chip = random_chip()
    x, _ = random_batch(chip)
    c = chip.topology.connections[0]
    delta = np.random.default_rng(3).normal(size=(len(x), chip.topology.layers[c.post]))
    np.testing.assert_array_equal(CpuEngine.correlate(c.kind, x, delta), x.T @ delta)
