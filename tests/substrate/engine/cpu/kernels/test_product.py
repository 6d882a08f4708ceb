"""Packed products against NumPy, and what their bits depend on."""

import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from numba.core.registry import cpu_target

from substrate.engine.cpu.compile import kernel
from substrate.engine.cpu.kernels.product import ROWS, add_product, count_padded_rows, count_panel_columns, pack_weights
from tests.floors import ROOT

FEATURES = cpu_target.target_context.codegen().magic_tuple()[2].split(",")
"""What the kernels of this process may use of the processor."""


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
    wide = np.zeros((rows + ROWS, inputs + 2), dtype)
    wide[: len(a), 2:] = a
    b = np.zeros((rows + ROWS, first + outputs + 5), dtype)
    b[: len(a), first : first + outputs] = before
    c = np.full_like(b, 9.0)
    rest = np.zeros((rows + ROWS, count_panel_columns(c.itemsize)), dtype)
    multiply(c, b, first, wide, 2, panels, inputs, outputs, rows, rest)
    assert (c[rows:] == 9.0).all()
    assert (c[:, :first] == 9.0).all()
    assert (c[:, first + outputs :] == 9.0).all()
    return c[: len(a), first : first + outputs]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (10, 33), (256, 64), (300, 10), (513, 70)])
@pytest.mark.parametrize("samples", [1, 4, 8, 13, 24])
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


def make_samples(dtype):
    """Return activities, weights and the sums before of 32 samples, which are no multiple of 6 rows."""
    rng = np.random.default_rng(1)
    return [rng.normal(size=s).astype(dtype) for s in ((32, 300), (300, 41), (32, 41))]


@pytest.mark.skipif("+fma" not in FEATURES, reason="this processor rounds a multiplication before it adds")
def test_every_number_adds_its_products_one_by_one_in_the_order_of_the_inputs():
    a, w, b = make_samples(np.float64)
    got = product(a, w, b, np.float64, 32)
    for r, i in ((0, 0), (5, 40), (6, 15), (23, 16), (24, 7), (31, 33)):
        total = b[r, i]
        for x, y in zip(a[r], w[:, i], strict=True):
            total = float(Fraction(total) + Fraction(x) * Fraction(y))
        assert got[r, i] == total


def compute_products():
    """Return the products of `make_samples` in both precisions."""
    return {kind: product(*make_samples(kind), np.dtype(kind).type, 32) for kind in ("float64", "float32")}


@pytest.mark.skipif("+avx512f" not in FEATURES, reason="this processor has one shape of a block")
def test_a_block_of_either_shape_has_the_same_bits(tmp_path):
    script = (
        "import sys, numpy\n"
        "from substrate.engine.cpu.kernels.product import describe_block\n"
        "from tests.substrate.engine.cpu.kernels.test_product import compute_products\n"
        "numpy.savez(sys.argv[1], **compute_products())\n"
        "print(describe_block())"
    )
    shapes, found = [], []
    # Both keep their kernels in one folder: neither may take the other's.
    for k, features in enumerate([",".join(FEATURES), ",".join(FEATURES).replace("+avx512", "-avx512")]):
        environment = os.environ | {"NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path)}
        command = [sys.executable, "-c", script, str(tmp_path / f"{k}.npz")]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        shapes.append(done.stdout.split(",")[0])
        found.append(np.load(tmp_path / f"{k}.npz"))
    assert shapes == ["8 rows x 2 vectors of 64 bytes", "6 rows x 2 vectors of 32 bytes"]
    for kind, here in compute_products().items():
        for other in found:
            np.testing.assert_array_equal(other[kind], here)


def test_an_infinite_activity_stays_in_its_row_and_its_columns():
    a, w = np.ones((3, 4)), np.ones((4, 5))
    a[1] = np.inf
    got = product(a, w, np.zeros((3, 5)), np.float64, 4)
    assert np.isinf(got[1]).all()
    assert (got[[0, 2]] == 4.0).all()


def test_arrays_have_whole_blocks_of_rows():
    assert [count_padded_rows(n) for n in (0, 1, ROWS, ROWS + 1)] == [0, ROWS, ROWS, 2 * ROWS]
