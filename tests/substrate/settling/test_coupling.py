"""Couplings around a state against differences of the drive, and derivatives by blocks against local products."""

import numpy as np
import pytest

pytest.importorskip("jax", reason="needs the extra jax")

from substrate.engine.door import load_engine
from substrate.network.couplings import Couplings
from substrate.settling.coupling import differentiate_drives, find_couplings
from tests.substrate.kernel_chips import FEEDBACK, POOLS, differentiate, make_dense_twin, make_kernel_chip

pytestmark = pytest.mark.jax

STEP = 1e-3
"""Of differences of fourth order: both errors are about 1e-12."""


def draw(chip, count, samples=4):
    """Return activities, and other arrays of their shape."""
    return np.random.default_rng(1).normal(size=(count, samples, chip.topology.units))


def drives_of(chip, activity):
    return load_engine(chip.design.dynamics).drive(chip.machine, activity)


@pytest.mark.parametrize("pool", POOLS)
def test_products_are_differences_of_the_drive_and_the_transpose_is_their_adjoint(pool):
    chip = make_kernel_chip(pool)
    a, v, w = draw(chip, 3)
    couplings = find_couplings(chip.machine, chip.topology, a)
    forward, back = couplings.product(v), couplings.transposed().product(w)
    np.testing.assert_allclose(forward, differentiate(lambda t: drives_of(chip, a + t * v), STEP), rtol=0, atol=1e-10)
    np.testing.assert_allclose(np.sum(forward * w, axis=1), np.sum(v * back, axis=1), rtol=1e-12, atol=1e-12)
    elsewhere = find_couplings(chip.machine, chip.topology, 0.0 * a).product(v)
    assert (np.abs(elsewhere - forward).max() > 0.01) == (pool == "softmax")


def test_every_sample_has_couplings_of_its_own_and_their_parts_are_those_of_matrices():
    chip = make_kernel_chip()
    a, v, _ = draw(chip, 3)
    couplings = find_couplings(chip.machine, chip.topology, a)
    matrices = [couplings.dense(sample) for sample in range(4)]
    assert np.abs(matrices[0] - matrices[1]).max() > 0.01

    def assert_products(found, parts, vectors=v):
        wanted = [part @ x for part, x in zip(parts, vectors, strict=True)]
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)

    rows = np.array([2, 0, 3, 2])
    assert_products(couplings.product(v, rows), [matrices[k] for k in rows])
    some = couplings.only(rows[:2]).product(v[:3], np.array([1, 0, 1]))
    assert_products(some, [matrices[k] for k in (0, 2, 0)], v[:3])
    assert_products(couplings.symmetric().product(v), [0.5 * (m + m.T) for m in matrices])
    assert_products(couplings.antisymmetric().product(v), [0.5 * (m - m.T) for m in matrices])


def test_norm_and_trace_are_estimated_within_their_standard_error():
    """Four standard errors of Gaussian quadratic forms: false alarms 1e-4."""
    chip = make_kernel_chip()
    couplings = find_couplings(chip.machine, chip.topology, draw(chip, 1)[0])
    dense = np.array([couplings.dense(sample) for sample in range(4)])
    square, draws = np.einsum("sij,sij", dense, dense) / 4.0, 16 * 4
    gram, both = np.einsum("sij,sik->sjk", dense, dense), 0.5 * (dense + dense.transpose(0, 2, 1))
    spreads = [np.sqrt(2.0 * np.sum(part**2) / 4.0 / draws) for part in (gram, both)]
    assert abs(couplings.square() - square) < 4.0 * spreads[0] < 0.3 * square
    assert abs(couplings.trace() - np.einsum("sii->", dense) / 4.0) < 4.0 * spreads[1]
    assert couplings.square() != square


@pytest.mark.parametrize("pool", POOLS)
def test_equal_kernels_have_no_antisymmetric_part_whatever_the_biases(pool):
    sizes = []
    for symmetric in (True, False):
        chip = make_kernel_chip(pool, symmetric)
        assert all(np.abs(chip.effective[f"bias/{name}"]).max() > 0.1 for name in chip.topology.names)
        a, v = draw(chip, 2)
        odd = find_couplings(chip.machine, chip.topology, a).antisymmetric()
        sizes.append(np.abs(odd.product(v)).max())
    assert sizes[0] < 1e-13
    assert sizes[1] > 0.1


def test_dense_couplings_stay_blocks():
    kernels = make_kernel_chip("average")
    chip = make_dense_twin(kernels, "jax")
    couplings = find_couplings(chip.machine, chip.topology, draw(chip, 1)[0])
    assert isinstance(couplings, Couplings)
    whole = find_couplings(kernels.machine, kernels.topology, draw(chip, 1)[0])
    np.testing.assert_allclose(couplings.dense(), whole.dense(), rtol=0, atol=1e-14)


def summed(chip, delta, activity):
    return np.sum(delta * drives_of(chip, activity))


@pytest.mark.parametrize("pool", POOLS)
def test_derivatives_of_drives_and_products_are_differences_over_the_blocks(pool):
    chip = make_kernel_chip(pool)
    a, delta, change = draw(chip, 3)
    plain = differentiate_drives(chip.machine, chip.topology, a, delta)
    product = differentiate_drives(chip.machine, chip.topology, a, delta, change)
    assert plain.keys() == product.keys() == {c.block for c in chip.topology.recurrent()}
    rng = np.random.default_rng(2)
    for name, block in plain.items():
        direction = rng.normal(size=block.shape)
        direction /= np.linalg.norm(direction)

        def moved(t, name=name, direction=direction):
            return chip.reprogrammed({name: chip.programmed[name] + t * direction})

        def evoked(t, moved=moved):
            return np.sum(delta * find_couplings((c := moved(t)).machine, c.topology, a).product(change))

        for found, value in ((block, lambda t, moved=moved: summed(moved(t), delta, a)), (product[name], evoked)):
            wanted = differentiate(value, STEP)
            assert np.vdot(found, direction) == pytest.approx(wanted, rel=1e-9, abs=1e-9), name


@pytest.mark.parametrize("pool", POOLS)
def test_local_products_lack_what_a_feedback_kernel_does_to_its_own_pooling_and_nothing_else(pool):
    chip = make_kernel_chip(pool)
    a, delta = draw(chip, 2)
    layers, errors = chip.topology.split(a), chip.topology.split(delta)
    whole = differentiate_drives(chip.machine, chip.topology, a, delta)
    local = chip.correlate(errors, layers)
    for c in chip.topology.recurrent():
        found, scale = local[c.block], np.abs(whole[c.block]).max()
        if c.block == FEEDBACK and pool == "softmax":
            assert np.abs(whole[c.block] - found).max() > 0.01 * scale
            found = found + differentiate_pooling(c.kind, chip.effective[c.block], layers, errors["l1"])
        np.testing.assert_allclose(found, whole[c.block], rtol=0, atol=1e-9 * scale, err_msg=c.block)


def differentiate_pooling(kind, w, layers, delta):
    """Return the derivative of ``sum delta h`` by the kernel that only the slopes of pooling are taken with."""
    found = np.zeros(w.shape)
    for index in np.ndindex(w.shape):
        unit = np.zeros(w.shape)
        unit[index] = 1.0

        def value(t, unit=unit):
            return np.sum(delta * kind._convolve_back(w, kind._send_back(w + t * unit, layers["l1"], layers["l2"])))

        found[index] = differentiate(value, STEP)
    return found
