"""The laws written for the compiler against their specification, in both precisions."""

import numpy as np
import pytest

from devices.neuron import activation
from devices.random import philox
from substrate.engine.cpu.compile import kernel
from substrate.engine.cpu.kernels import drift, elementwise
from tests.statistics import assert_distribution, assert_mean

assert drift  # lets compiled code call the laws of `devices`
TABLE = np.array([[-1.0, 0.0, 2.0], [-0.5, 0.1, 0.9]])
ERROR = {np.float64: 1e-14, np.float32: 1.5e-6}


@kernel
def laws(code, table, u, a, slope):
    elementwise.compute_activity_rows(code, table, u, a, u.shape[0], 0, u.shape[1])
    elementwise.compute_slope_rows(code, table, u, a, slope, u.shape[0], 0, u.shape[1])


@kernel
def draw(key, step, sample, words, numbers, units):
    elementwise.write_normals(key[0], key[1], step, sample, words, numbers, units)


def normals(dtype, step, sample, units, key=(1, 2)):
    quarter = (units + 3) // 4
    words, numbers = np.zeros((4, quarter), dtype=np.uint64), np.zeros(4 * quarter, dtype=dtype)
    draw(np.array(key, dtype=np.uint64), step, sample, words, numbers, units)
    return words, numbers[:units]


@pytest.mark.parametrize("dtype", ERROR)
@pytest.mark.parametrize("code", [*activation.CODES.values(), activation.TABLE])
def test_vectorised_laws_are_the_laws(code, dtype):
    u = np.linspace(-9.0, 9.0, 1204).reshape(4, 301).astype(dtype)
    a, slope = np.empty_like(u), np.empty_like(u)
    laws(code, TABLE, u, a, slope)
    exact = u.astype(np.float64)
    np.testing.assert_allclose(a, activation.activity(code, exact, TABLE), rtol=0, atol=ERROR[dtype])
    np.testing.assert_allclose(slope, activation.slope(code, exact, TABLE), rtol=0, atol=ERROR[dtype])


@pytest.mark.parametrize("dtype", ERROR)
def test_sigmoid_keeps_to_1e_7_in_single_and_stays_within_0_and_1(dtype):
    u = np.array([[-1e30, -1e4, -3.0, 0.2, 0.5, 3.0, 1e4, 1e30]], dtype=dtype)
    a, slope = np.empty_like(u), np.empty_like(u)
    laws(activation.SIGMOID, TABLE, u, a, slope)
    with np.errstate(over="ignore"):
        expected = 1.0 / (1.0 + np.exp(2.0 - 4.0 * u.astype(np.float64)))
    np.testing.assert_allclose(a, expected, rtol=0, atol=2e-7 if dtype is np.float32 else 1e-15)
    assert (a >= 0.0).all()
    assert (a <= 1.0).all()


@pytest.mark.parametrize(("step", "sample"), [(0, 0), (3, 7), (2**32 + 5, 2**31 - 1), (2**40, 1)])
def test_words_are_those_of_the_specification(step, sample):
    words, _ = normals(np.float64, step, sample, 12)
    j = np.arange(3, dtype=np.uint64)
    fill = [np.full(3, value, dtype=np.uint64) for value in (step & 0xFFFFFFFF, step >> 32, sample)]
    np.testing.assert_array_equal(words, philox(*fill, j, np.uint64(1), np.uint64(2)))


def test_words_give_the_published_answer():
    words, _ = normals(np.float64, 0, 0, 1, key=(0, 0))
    assert [int(w) for w in words[:, 0]] == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


def test_normals_are_box_and_muller_of_the_words():
    words, numbers = normals(np.float64, 5, 3, 400)
    size = ((words[[0, 2]] >> np.uint64(1)).astype(np.float64) + 0.5) * 2.0**-31
    turn = np.pi * (words[[1, 3]].astype(np.float64) - 2.0**31) * 2.0**-31
    radius = np.sqrt(-2.0 * np.log(size))
    expected = np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1).reshape(-1)
    np.testing.assert_allclose(numbers, expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(normals(np.float32, 5, 3, 400)[1], expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("dtype", ERROR)
def test_normals_are_normal_and_independent(dtype):
    x = np.array([normals(dtype, step, 0, 400)[1] for step in range(500)], dtype=np.float64)
    assert_distribution(x, "norm")
    assert_mean(x**4, 3.0, np.sqrt(96.0))
    assert_mean(x[1:] * x[:-1], 0.0, 1.0)
    for lag in (100, 200, 300):
        assert_mean(x[:, lag:] * x[:, :-lag], 0.0, 1.0)


def test_other_keys_steps_and_samples_draw_other_numbers():
    drawn = [
        normals(np.float64, *place, 8, key)[1]
        for place in ((0, 0), (1, 0), (2**32, 0), (0, 1))
        for key in ((0, 0), (1, 0), (0, 1))
    ]
    assert len({float(x) for numbers in drawn for x in numbers}) == 8 * 12
