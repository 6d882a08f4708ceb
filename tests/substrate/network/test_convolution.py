"""Convolutions, their pooling and the feedback through them: loops, differences and an independent program."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.neuron.activation import DSILU, activity
from substrate.network.convolution import Convolution, compute_high_size
from substrate.network.pooling import get_window, pool, pool_slopes, spread

REFERENCE = Path(__file__).parents[2] / "data" / "conv_dsilu_xent"
CASES = {
    "same": Convolution((4, 6, 2), (2, 3, 3), (3, 3), "same", "softmax"),
    "valid": Convolution((6, 4, 2), (2, 1, 3), (3, 3), "valid", "softmax"),
    "even kernel": Convolution((4, 6, 2), (2, 3, 3), (2, 4), "same", "softmax"),
    "average": Convolution((4, 6, 2), (2, 3, 3), (3, 1), "same", "average"),
    "copied": Convolution((4, 6, 2), (2, 3, 3), (3, 2), "same", "softmax", copied=True),
    "unpooled": Convolution((5, 4, 3), (3, 2, 2), (3, 3), "valid", "none"),
}


@pytest.fixture(params=CASES)
def kind(request):
    return CASES[request.param]


def draw(kind, batch=3, seed=1):
    """Return a kernel, or copies of it, and activities of both layers."""
    rng = np.random.default_rng(seed)
    low, high = (rng.normal(size=(batch, np.prod(form))) for form in (kind.low, kind.high))
    return rng.normal(size=kind.cells), low, high


def draw_change(kind):
    """Return a change of the kernel, which is that of all copies."""
    return np.random.default_rng(3).normal(size=kind.shape)


def convolve_slowly(kind, w, low):
    """Return the drives of one sample before pooling, place by place."""
    rows, columns, _ = kind.low
    size = [n * w for n, w in zip(kind.high[:2], get_window(kind.pool), strict=True)]
    before = [(k - 1) // 2 if kind.padding == "same" else 0 for k in kind.kernel]
    z = np.zeros((*size, kind.high[2]))
    copies = np.broadcast_to(w, (*size, *kind.shape))
    for i, j in np.ndindex(*size):
        for p, q in np.ndindex(*kind.kernel):
            row, column = i + p - before[0], j + q - before[1]
            if 0 <= row < rows and 0 <= column < columns:
                z[i, j] += low.reshape(kind.low)[row, column] @ copies[i, j, p, q]
    return z


def pool_slowly(z, how):
    rows, columns = get_window(how)
    pooled = np.zeros((z.shape[0] // rows, z.shape[1] // columns, z.shape[2]))
    for i, j in np.ndindex(*pooled.shape[:2]):
        window = z[i * rows : (i + 1) * rows, j * columns : (j + 1) * columns].reshape(-1, z.shape[2])
        weights = np.exp(window) if how == "softmax" else np.ones(window.shape)
        pooled[i, j] = (weights * window).sum(axis=0) / weights.sum(axis=0)
    return pooled


def differentiate(function, x, along):
    """Return the derivative of a function of `x` along a direction, to about 1e-9."""
    factors = {-2.0: 1.0, -1.0: -8.0, 1.0: 8.0, 2.0: -1.0}
    return sum(factor * function(x + 1e-3 * step * along) for step, factor in factors.items()) / 12e-3


def test_a_drive_is_the_pooled_convolution(kind):
    w, low, _ = draw(kind)
    for one, drive in zip(low, kind.apply(w, low), strict=True):
        expected = pool_slowly(convolve_slowly(kind, w, one), kind.pool)
        np.testing.assert_allclose(drive.reshape(kind.high), expected, rtol=1e-12, atol=1e-13)


def test_feedback_is_the_derivative_by_the_lower_activities(kind):
    w, low, high = draw(kind)
    along = draw(kind, seed=2)[1]
    expected = differentiate(lambda a: np.vdot(kind.apply(w, a), high), low, along)
    np.testing.assert_allclose(np.vdot(kind.reverse.apply(w, high, low), along), expected, rtol=1e-9)


def test_the_gradient_forward_is_the_derivative_by_the_kernel(kind):
    w, low, high = draw(kind)
    along = draw_change(kind)
    expected = differentiate(lambda k: np.vdot(kind.apply(k, low), high), w, along)
    np.testing.assert_allclose(np.vdot(kind.gradient(low, high, w), along), expected, rtol=1e-9)


def test_the_gradient_back_is_the_derivative_at_the_slopes_of_pooling(kind):
    """All of it for linear pooling; under softmax pooling the slopes stay those of the kernel as it is."""
    w, low, high = draw(kind)
    other, delta = draw_change(kind), draw(kind, seed=2)[1]
    back = kind.reverse
    slopes = pool_slopes(kind._convolve(w, low), kind.pool) * spread(high.reshape(-1, *kind.high), kind.pool)
    expected = np.vdot(kind._convolve(other, delta), slopes)
    np.testing.assert_allclose(np.vdot(back.gradient(high, delta, w, low), other), expected, rtol=1e-12)
    whole = differentiate(lambda k: np.vdot(back.apply(k, high, low), delta), w, other)
    assert (abs(whole - expected) < 1e-9 * abs(whole)) == kind.linear


def test_complex_activities_follow_the_analytic_continuation(kind):
    """The imaginary part that a tiny imaginary one makes is the derivative; nothing is conjugated."""
    w, low, high = draw(kind)
    _, v, d = draw(kind, seed=2)
    back = kind.reverse
    for function, x, along in [
        (lambda a: kind.apply(w, a), low, v),
        (lambda a: back.apply(w, high, a), low, v),
        (lambda b: back.apply(w, b, low), high, d),
        (lambda a: kind.gradient(a, high, w), low, v),
        (lambda a: back.gradient(high, v, w, a), low, v),
        (lambda b: kind.gradient(low, b, w), high, d),
    ]:
        slope = function(x + 1e-30j * along).imag / 1e-30
        np.testing.assert_allclose(slope, differentiate(function, x, along), rtol=1e-9, atol=1e-8)


@pytest.mark.parametrize("how", ["softmax", "average", "none"])
def test_the_slopes_of_pooling_are_its_derivatives(how):
    rng = np.random.default_rng(0)
    z, along = rng.normal(size=(2, 2, 4, 6, 3))
    rows, columns = get_window(how)
    change = (pool_slopes(z, how) * along).reshape(2, 4 // rows, rows, 6 // columns, columns, 3).sum(axis=(2, 4))
    np.testing.assert_allclose(change, differentiate(lambda x: pool(x, how), z, along), rtol=0, atol=1e-10)


@pytest.mark.parametrize("how", ["softmax", "average", "none"])
def test_a_number_added_to_a_channel_commutes_with_pooling(how):
    """So one bias per channel may be added to the drive: before pooling it would do the same."""
    rng = np.random.default_rng(0)
    z, bias = rng.normal(size=(2, 4, 6, 3)), rng.normal(size=3)
    np.testing.assert_allclose(pool(z + bias, how), pool(z, how) + bias, rtol=0, atol=1e-14)
    np.testing.assert_allclose(pool_slopes(z + bias, how), pool_slopes(z, how), rtol=0, atol=1e-14)


def test_softmax_pooling_lies_between_the_mean_and_the_largest_and_bears_large_drives():
    z = np.random.default_rng(0).normal(size=(2, 4, 6, 3)) * 1e4
    windows = z.reshape(2, 2, 2, 3, 2, 3)
    pooled = pool(z, "softmax")
    assert (windows.mean(axis=(2, 4)) <= pooled).all()
    assert (pooled <= windows.max(axis=(2, 4))).all()
    np.testing.assert_array_equal(pool(z + 1.0j, "softmax"), pooled + 1.0j)


def test_softmax_pooling_needs_what_its_slopes_depend_on_and_is_no_matrix():
    kind = CASES["same"]
    w, low, high = draw(kind)
    for incomplete in (
        lambda: kind.reverse.apply(w, high),
        lambda: kind.reverse.gradient(high, low, w),
        lambda: kind.gradient(low, high),
    ):
        with pytest.raises(ValueError, match="softmax pooling: give the kernel and the activities"):
            incomplete()
    for one in (kind, kind.reverse):
        for linear in (lambda k=one: k.matrix(w), lambda k=one: k.adjoint(w, low)):
            with pytest.raises(ValueError, match="no linear map"):
                linear()


def test_both_directions_differ_although_their_numbers_are_equal(kind):
    assert kind != kind.reverse
    assert kind.reverse.reverse == kind
    assert len({kind, kind.reverse, kind.reverse.reverse}) == 2


@st.composite
def kinds(draw):
    """Draw a convolution whose sizes fit."""
    how, padding = draw(st.sampled_from(["softmax", "average", "none"])), draw(st.sampled_from(["same", "valid"]))
    kernel = draw(st.tuples(*2 * [st.integers(1, 4)]))
    channels = draw(st.tuples(*2 * [st.integers(1, 3)]))
    size = draw(st.tuples(*2 * [st.integers(1, 2)]))
    places = [n * w for n, w in zip(size, get_window(how), strict=True)]
    low = [n + k - 1 if padding == "valid" else n for n, k in zip(places, kernel, strict=True)]
    return Convolution((*low, channels[0]), (*size, channels[1]), kernel, padding, how, draw(st.booleans()))


@settings(max_examples=60, deadline=None)
@given(kinds(), st.integers(0, 3))
def test_every_shape_that_fits_has_both_directions(kind, batch):
    assert compute_high_size(kind.low, kind.kernel, kind.padding, kind.pool) == kind.high[:2]
    w, low, high = draw(kind, batch)
    drive, back = kind.apply(w, low), kind.reverse.apply(w, high, low)
    for one, a in zip(low, drive, strict=True):
        expected = pool_slowly(convolve_slowly(kind, w, one), kind.pool).ravel()
        np.testing.assert_allclose(a, expected, rtol=1e-11, atol=1e-12)
    assert back.shape == low.shape
    if kind.linear:
        np.testing.assert_allclose(np.vdot(drive, high), np.vdot(low, back), rtol=1e-9, atol=1e-11)
    assert kind.gradient(low, high, w).shape == kind.reverse.gradient(high, low, w, low).shape == kind.shape


@pytest.mark.parametrize(
    ("low", "kernel", "padding", "how", "high"),
    [
        ((5, 4, 1), (3, 3), "same", "softmax", None),
        ((4, 5, 1), (3, 3), "same", "average", None),
        ((5, 5, 1), (3, 3), "same", "none", (5, 5)),
        ((5, 7, 1), (4, 4), "valid", "softmax", (1, 2)),
        ((2, 9, 1), (3, 3), "valid", "none", None),
    ],
)
def test_what_does_not_fit_has_no_size(low, kernel, padding, how, high):
    assert compute_high_size(low, kernel, padding, how) == high


def test_the_rest_point_is_that_of_an_independent_program():
    """Softmax-pooled blocks with feedback kernels of their own, settled by Euler steps."""
    given, batch, expected = (np.load(REFERENCE / f"{name}.npz") for name in ("parameters", "batch", "expected"))
    layers = {"in": (32, 32, 3), "conv1": (16, 16, 4), "conv2": (8, 8, 5), "conv3": (4, 4, 6), "out": (1, 1, 6)}
    names = list(layers)
    blocks = [
        Convolution(layers[pre], layers[post], (3, 3), "valid" if post == "out" else "same", "softmax")
        for pre, post in itertools.pairwise(names)
    ]
    state = {name: np.zeros((3, math.prod(layers[name]))) for name in names[1:]}
    for _ in range(300):
        a = {"in": batch["x"].reshape(3, -1)} | {name: activity(DSILU, u) for name, u in state.items()}
        drive = {name: np.tile(given[f"bias/{name}"], math.prod(layers[name][:2])) for name in state}
        for kind, (pre, post) in zip(blocks, itertools.pairwise(names), strict=True):
            drive[post] = drive[post] + kind.apply(given[f"weight/{pre}-{post}"], a[pre])
            if pre != "in":
                drive[pre] = drive[pre] + kind.reverse.apply(given[f"weight/{post}-{pre}"], a[post], a[pre])
        state = {name: u + 0.7 * (drive[name] - u) for name, u in state.items()}
    for name, u in state.items():
        np.testing.assert_allclose(u, expected[f"free/state/{name}"].reshape(3, -1), rtol=0, atol=1e-12, err_msg=name)
