"""Products of connections in JAX against the kinds in NumPy, and around rest points without a matrix."""

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="needs the extra jax")
import jax.numpy as jnp
from jax import lax

from substrate.chip.chip import Chip
from substrate.chip.design import Design
from substrate.engine.jax.compile import calculate_in_double
from substrate.engine.jax.engine import JaxEngine
from substrate.engine.jax.programs import linear
from substrate.engine.jax.programs.connections import pack_weight
from substrate.network.convolution import Convolution, ConvolutionFeedback, compute_high_size
from substrate.network.dense import Dense
from substrate.network.topology import Topology
from tests.networks import dynamics, random_blocks, random_chip
from tests.substrate.network.test_wiring import LAYERS, changed, conv

from .both import on

pytestmark = pytest.mark.jax


def make_kinds():
    """Return one kind of every pooling, padding and size of kernel, in both directions."""
    kinds = {"dense": Dense(7, 4)}
    cases = [("softmax", "same", (3, 3)), ("softmax", "valid", (2, 3)), ("average", "same", (2, 4))]
    cases += [("average", "valid", (3, 1)), ("none", "same", (5, 4)), ("none", "valid", (1, 1))]
    for pool, padding, kernel in cases:
        low = (8, 10, 3) if padding == "same" else (7 + kernel[0], 5 + kernel[1], 3)
        high = (*compute_high_size(low, kernel, padding, pool), 4)
        for kind in (Convolution, ConvolutionFeedback):
            for copied in (False, True):
                name = f"{kind.__name__} {pool} {padding}{copied * ' copied'}"
                kinds[name] = kind(low, high, kernel, padding, pool, copied)
    return kinds


KINDS = make_kinds()


@calculate_in_double
def apply(kind, w, a, here):
    """Return the drives of samples under a connection between any layers."""
    a, here = (np.stack([x.real, x.imag]) if np.iscomplexobj(x) else x[None] for x in (a, here))
    packed = pack_weight(kind, jnp.asarray(w))
    found = np.asarray(linear.apply(kind, packed, jnp.asarray(a), jnp.asarray(here), lax.Precision.HIGHEST))
    return found[0] if len(found) == 1 else found[0] + 1j * found[1]


@pytest.mark.parametrize("planes", [1, 2])
@pytest.mark.parametrize("name", KINDS)
def test_products_and_gradients_are_those_of_the_kind(name, planes):
    kind, rng = KINDS[name], np.random.default_rng(1)
    w = rng.normal(size=kind.cells)
    sizes = w.shape if name == "dense" else (int(np.prod(kind.low)), int(np.prod(kind.high)))
    pre, post = sizes[::-1] if isinstance(kind, ConvolutionFeedback) else sizes
    a, d, here = (rng.normal(size=(5, n)) + 1j * (planes - 1) * rng.normal(size=(5, n)) for n in (pre, post, post))
    if planes == 1:
        a, d, here = a.real, d.real, here.real
    pairs = [
        (apply(kind, w, a, here), kind.apply(w, a, here)),
        (JaxEngine.correlate(kind, a, d, w, here), kind.gradient(a, d, w, here)),
    ]
    for found, expected in pairs:
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("wiring", ["lateral", "skip"])
def test_dense_products_are_those_of_the_effective_couplings(wiring):
    chip = on("jax", random_chip(wiring, sigma=0.3))
    coupling = chip.topology.coupling(chip.effective)
    v = np.random.default_rng(1).normal(size=(3, chip.topology.units))
    acting = JaxEngine.linear(chip._machine, v)
    np.testing.assert_allclose(JaxEngine.drive(chip._machine, v), v @ coupling.T, rtol=0, atol=1e-14)
    np.testing.assert_allclose(acting.product(v), v @ coupling.T, rtol=0, atol=1e-14)
    np.testing.assert_allclose(acting.transposed(v), v @ coupling, rtol=0, atol=1e-14)


def make_convolutions():
    """Return the machine of a network of kernels, one of them under softmax pooling."""
    topology = Topology(LAYERS, changed((1, conv("conv1-conv2", padding="valid"))), 3)
    design = Design(topology, "dsilu", "cross-entropy", dynamics(engine="jax"))
    return Chip(design, random_blocks(topology, 3))._machine


def test_products_around_a_state_are_derivatives_of_the_drive():
    machine, rng = make_convolutions(), np.random.default_rng(2)
    assert not all(kind.linear for kind in machine.kinds)
    a, v, w = rng.normal(size=(3, 4, len(machine.tau)))
    acting = JaxEngine.linear(machine, a)
    factors = {-2.0: 1.0, -1.0: -8.0, 1.0: 8.0, 2.0: -1.0}
    h = 1e-3
    parts = [factor * JaxEngine.drive(machine, a + h * k * v) for k, factor in factors.items()]
    product = acting.product(v)
    np.testing.assert_allclose(product, sum(parts) / (12.0 * h), rtol=0, atol=1e-9 * np.abs(product).max())
    # No other point has these products.
    assert np.abs(JaxEngine.linear(machine, 0.0 * a).product(v) - product).max() > 1e-3
    one, other = np.sum(w * product, axis=1), np.sum(acting.transposed(w) * v, axis=1)
    np.testing.assert_allclose(other, one, rtol=1e-12, atol=1e-12)


def test_adjoint_states_relax_alike_on_both_engines():
    found = []
    for engine in ("cpu", "jax"):
        chip = on(engine, random_chip("lateral", law="hopfield", scale=0.3))
        rng = np.random.default_rng(5)
        chip.set_input(rng.uniform(size=(6, 6)))
        chip.settle()
        settled = chip.settle_errors(np.eye(3)[rng.integers(0, 3, 6)])
        found.append((settled.status, settled.steps, np.concatenate(list(chip.read_errors().values()), axis=1)))
    np.testing.assert_array_equal(found[1][0], found[0][0])
    np.testing.assert_array_equal(found[1][1], found[0][1])
    np.testing.assert_allclose(found[1][2], found[0][2], rtol=0, atol=1e-13)
    assert np.abs(found[0][2]).max() > 1e-2
