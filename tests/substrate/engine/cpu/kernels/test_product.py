"""Packed products against NumPy, and what their bits depend on."""

import numpy as np
import pytest

from substrate.engine.cpu.compile import kernel
from substrate.engine.cpu.kernels.product import ROWS, add_product, count_padded_rows, count_panel_columns, pack_weights


@kernel
def multiply(c, b, c_first, a, a_first, panels, inputs, outputs, rows, rest):
    add_product(c, b, c_first, a, a_first, panels, inputs, outputs, rows, rest)


def product(a, weights, before, dtype, rows, first=3):
    """Return ``before + a @ weights`` in the columns from `first` on, and what stands around them."""
    inputs, outputs = weights.shape
    panels, starts = pack_weights(
        np.concatenate([np.ones(7), weights.ravel()]), np.array([[0, 0, inputs, outputs, 7, 0]]), dtype
    )
    assert starts[0] == 0
    wide = np.zeros((rows, inputs + 2), dtype)
    wide[: len(a), 2:] = a
    b = np.zeros((rows, first + outputs + 5), dtype)
    b[: len(a), first : first + outputs] = before
    c = np.full_like(b, 9.0)
    rest = np.zeros((rows, count_panel_columns(c.itemsize)), dtype)
    multiply(c, b, first, wide, 2, panels, inputs, outputs, rows, rest)
    assert (c[:, :first] == 9.0).all()
    assert (c[:, first + outputs :] == 9.0).all()
    return c[: len(a), first : first + outputs]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (10, 33), (256, 64), (300, 10), (513, 70)])
@pytest.mark.parametrize("samples", [1, 4, 8, 13])
def test_a_product_is_that_of_numpy(dtype, inputs, outputs, samples):
    rng = np.random.default_rng(inputs + samples)
    a, w, b = (rng.normal(size=s).astype(dtype) for s in ((samples, inputs), (inputs, outputs), (samples, outputs)))
    got = product(a, w, b, dtype, count_padded_rows(samples))
    exact = b.astype(float) + a.astype(float) @ w.astype(float)
    # The rounding of a sum of so many terms, each once.
    bound = np.finfo(dtype).eps * (inputs + 2) * (np.abs(b) + np.abs(a) @ np.abs(w))
    assert (np.abs(got - exact) <= bound).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_bits_of_a_row_do_not_depend_on_the_rows_beside_it(dtype):
    rng = np.random.default_rng(0)
    a, w, b = (rng.normal(size=s).astype(dtype) for s in ((27, 300), (300, 41), (27, 41)))
    together = product(a, w, b, dtype, count_padded_rows(27))
    for r in (0, 7, 8, 24, 26):
        alone = product(a[r : r + 1], w, b[r : r + 1], dtype, ROWS)
        np.testing.assert_array_equal(together[r : r + 1], alone)


def test_an_infinite_activity_stays_in_its_row_and_its_columns():
    a, w = np.ones((3, 4)), np.ones((4, 5))
    a[1] = np.inf
    got = product(a, w, np.zeros((3, 5)), np.float64, 4)
    assert np.isinf(got[1]).all()
    assert (got[[0, 2]] == 4.0).all()


def test_arrays_have_whole_blocks_of_rows():
    assert [count_padded_rows(n) for n in (0, 1, ROWS, ROWS + 1)] == [0, ROWS, ROWS, 2 * ROWS]
