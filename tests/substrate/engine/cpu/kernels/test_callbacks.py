"""Activations of the user's own inside kernels: the numbers of the function, in every form of a settling."""

import ctypes
import math

import numpy as np
import pytest

from devices.neuron import activation, curves
from substrate.engine.cpu.compile import kernel
from substrate.engine.cpu.kernels import callbacks

VALUES = {
    "branch": (lambda u: u if u > 0.0 else 0.1 * u, lambda u: 1.0 if u > 0.0 else 0.1),
    "math": (math.atan, lambda u: 1.0 / (1.0 + u * u)),
    "numpy": (np.tanh, lambda u: 1.0 - np.tanh(u) ** 2),
}


@kernel
def _rows(addresses, which, x, y, rows, first, stop):
    callbacks.call_rows(addresses, which, x, y, rows, first, stop)


@kernel
def _planes(addresses, which, x, y):
    return callbacks.call_planes(addresses, which, x, y)


def examined(name):
    return curves.examine_activation(name, *VALUES[name])


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_the_function_of_their_columns_and_of_no_others(name, dtype):
    x = np.random.default_rng(0).normal(size=(5, 9)).astype(dtype)
    addresses = callbacks.compile_own(examined(name))
    for which, function in enumerate(VALUES[name]):
        y = np.full_like(x, 7.0)
        _rows(addresses, which, x, y, 4, 2, 8)
        expected = np.full_like(x, 7.0)
        expected[:4, 2:8] = np.vectorize(function)(x[:4, 2:8].astype(np.float64)).astype(dtype)
        np.testing.assert_allclose(y, expected, rtol=8 * np.finfo(dtype).eps)


def test_a_complex_state_is_given_to_a_holomorphic_function():
    addresses = callbacks.compile_own(examined("numpy"))
    z = 0.4 - 0.3j
    assert complex(*_planes(addresses, callbacks.VALUE, z.real, z.imag)) == pytest.approx(np.tanh(z), abs=1e-15)
    assert complex(*_planes(addresses, callbacks.SLOPE, z.real, z.imag)) == pytest.approx(
        1 - np.tanh(z) ** 2, abs=1e-15
    )


def test_interpreted_kernels_call_the_same_address():
    x, y = np.array([0.2, -0.7]), np.zeros(2)
    address = callbacks.compile_own(examined("math"))[1]
    callbacks._call_plain(address, x.ctypes.data, y.ctypes.data, 2)
    assert y.tolist() == [math.atan(0.2), math.atan(-0.7)]
    assert ctypes.sizeof(ctypes.c_int64) == 8


def test_what_cannot_be_compiled_is_refused_with_the_users_line():
    table = {"slope": 2.0}

    def from_a_table(u):
        return table["slope"] * u  # no kernel can read this dictionary

    law = curves.examine_activation("mine", from_a_table, lambda _: 2.0)
    with pytest.raises(ValueError, match="its value cannot be compiled") as caught:
        callbacks.compile_own(law)
    assert 'return table["slope"] * u' in str(caught.value)


def test_our_own_activations_have_no_addresses():
    assert {len(callbacks.find_addresses(code)) for code in (*activation.CODES.values(), activation.TABLE)} == {0}
