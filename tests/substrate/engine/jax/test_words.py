"""Random words against the specification, normal numbers against the compiled kernels."""

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="needs the extra jax")
import jax.numpy as jnp

from devices.random import philox
from substrate.engine.jax.compile import calculate_in_double
from substrate.engine.jax.programs.words import draw_normals, draw_words
from tests.devices.test_random import KNOWN
from tests.substrate.engine.cpu.kernels.test_elementwise import normals

pytestmark = pytest.mark.jax


@calculate_in_double
def words(counters, key):
    counters = tuple(jnp.asarray(c.astype(np.uint32)) for c in counters)
    return [np.asarray(w) for w in jax.jit(draw_words)(counters, jnp.asarray(key, dtype=jnp.uint32))]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_words_give_the_published_answers(counter, key, expected):
    found = words([np.array([c]) for c in counter], key)
    assert [int(w[0]) for w in found] == expected


@pytest.mark.parametrize("key", [(0, 0), (1, 2), (0xFFFFFFFF, 0x9E3779B9)])
def test_words_are_those_of_the_specification(key):
    counters = np.random.default_rng(0).integers(0, 2**32, size=(4, 100_000), dtype=np.uint64)
    counters[:, :2] = [[0, 2**32 - 1]] * 4
    expected = philox(*counters, *(np.uint64(k) for k in key))
    np.testing.assert_array_equal(words(counters, key), expected)


@calculate_in_double
def draw(steps, ids, units, real, key=(1, 2)):
    drawn = jax.jit(draw_normals, static_argnums=(3, 4))
    return np.asarray(drawn(jnp.asarray(key, dtype=jnp.uint32), jnp.asarray(steps), jnp.asarray(ids), units, real))


@pytest.mark.parametrize("real", [np.float64, np.float32])
def test_normals_are_those_of_the_kernels_to_two_units_in_the_last_place(real):
    """At steps and names beyond 32 and 31 bits, and for units that are no multiple of four."""
    steps = np.array([0, 1, 2**31 - 1, 2**32 - 1, 2**32, 2**32 + 5, 2**40, 2**40 + 1])
    ids = np.array([0, 7, 2**31 - 1, 2**31, 2**31 + 5, 2**32 - 1, 3, 3])
    found = draw(steps, ids, 522, real)
    expected = np.array([normals(real, step, i, 522)[1] for step, i in zip(steps, ids, strict=True)])
    assert found.dtype == real
    ulp = np.abs(found - expected) / np.spacing(np.maximum(np.abs(expected), 2.0**-10).astype(real))
    assert ulp.max() <= 2.0, ulp.max()
    assert (found == expected).mean() > 0.9
    assert len(np.unique(found)) > 0.99 * found.size


def test_a_row_depends_on_its_own_name_and_step_alone():
    steps, ids = np.array([5, 2**33, 9]), np.array([2**31, 4, 1])
    whole = draw(steps, ids, 10, np.float64)
    order = np.array([2, 0, 1])
    np.testing.assert_array_equal(draw(steps[order], ids[order], 10, np.float64), whole[order])
