"""What every kind of connection promises, and that nobody else knows how a block holds the weights."""

import ast
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from substrate.network.convolution import Convolution
from substrate.network.dense import Dense

ROOT = Path(__file__).parents[3]
AVERAGED = Convolution((4, 6, 2), (2, 3, 3), (3, 3), "same", "average")
INSIDE = Convolution((5, 4, 2), (3, 3, 3), (3, 2), "valid", "none")
COPIED = replace(AVERAGED, copied=True)
COPIED_INSIDE = replace(INSIDE, copied=True)
SIZES = {
    Dense(5, 3): (5, 3),
    Dense(4, 4): (4, 4),
    AVERAGED: (48, 18),
    AVERAGED.reverse: (18, 48),
    INSIDE: (40, 27),
    INSIDE.reverse: (27, 40),
    COPIED: (48, 18),
    COPIED.reverse: (18, 48),
    COPIED_INSIDE: (40, 27),
    COPIED_INSIDE.reverse: (27, 40),
}
"""Units of both layers, by kind whose map is linear; see `test_convolution` for others."""


@pytest.fixture(params=SIZES, ids=str)
def kind(request):
    return request.param


def arrays(kind, batch=6):
    """Return a block, of copies the cells of all, activities and errors."""
    rng, (pre, post) = np.random.default_rng(1), SIZES[kind]
    assert kind.linear
    return rng.normal(size=kind.cells), rng.normal(size=(batch, pre)), rng.normal(size=(batch, post))


def test_the_adjoint_is_the_transpose(kind):
    w, a, d = arrays(kind)
    np.testing.assert_allclose(np.vdot(kind.apply(w, a), d), np.vdot(a, kind.adjoint(w, d)), rtol=1e-13)


def test_the_gradient_is_the_derivative_of_the_map(kind):
    """The map is linear in the block, so a difference of any size is the derivative; a block changes all its copies."""
    w, a, d = arrays(kind)
    other = np.random.default_rng(2).normal(size=kind.shape)
    change = np.vdot(kind.apply(w + other, a), d) - np.vdot(kind.apply(w, a), d)
    np.testing.assert_allclose(np.vdot(kind.gradient(a, d), other), change, rtol=1e-12)


def test_nothing_is_conjugated(kind):
    w, a, d = arrays(kind)
    np.testing.assert_allclose(kind.gradient(1j * a, 1j * d), -kind.gradient(a, d), rtol=0, atol=1e-13)
    np.testing.assert_allclose(kind.apply(w, 1j * a), 1j * kind.apply(w, a), rtol=0, atol=1e-13)


def test_the_mirror_is_the_transpose_as_a_map_of_its_own(kind):
    w, _, d = arrays(kind)
    np.testing.assert_allclose(kind.reverse.apply(kind.mirror(w), d), kind.adjoint(w, d), rtol=1e-13)
    np.testing.assert_array_equal(kind.reverse.mirror(kind.mirror(w)), w)
    assert kind.reverse.cells == kind.mirror(w).shape
    assert kind.reverse.reverse == kind


def test_a_matrix_is_the_map(kind):
    w, a, _ = arrays(kind)
    np.testing.assert_allclose(kind.apply(w, a), a @ kind.matrix(w).T, rtol=1e-12)
    assert kind.matrix(w).shape == SIZES[kind][::-1]


@pytest.mark.parametrize("forward", [Dense(5, 3), INSIDE], ids=str)
def test_a_drive_sums_as_many_products_as_it_says(forward):
    ones = np.ones((1, SIZES[forward][0]))
    np.testing.assert_allclose(forward.apply(np.ones(forward.shape), ones), forward.fan_in, rtol=1e-14)


def test_a_block_and_its_cells_name_their_dimensions(kind):
    assert len(kind.dims) == len(kind.shape) == len(set(kind.dims))
    assert len(kind.cell_dims) == len(kind.cells) == len(set(kind.cell_dims))


@pytest.mark.parametrize("kind", [kind for kind in SIZES if kind != COPIED], ids=str)
def test_a_cell_acts_on_those_post_units_alone_whose_path_it_finds(kind):
    w, a, _ = arrays(kind)
    gains = 1.0 + np.arange(kind.paths)
    scaled = kind.apply(w * kind.spread_paths(gains), a)
    np.testing.assert_allclose(scaled, kind.apply(w, a) * np.tile(gains, SIZES[kind][1] // kind.paths), rtol=1e-12)
    assert (kind.spread_paths(np.ones(kind.paths)) == 1.0).all(), "nor does a path without error change any cell"


def test_copies_have_a_path_for_each_of_their_places_before_pooling():
    w, a, _ = arrays(COPIED)
    gains, plain = 1.0 + np.arange(4 * 6 * 3), replace(COPIED, high=(4, 6, 3), pool="none")
    drives = (gains * plain.apply(w, a)).reshape(-1, 4, 6, 3)
    pooled = drives.reshape(-1, 2, 2, 3, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(COPIED.apply(w * COPIED.spread_paths(gains), a), pooled.reshape(-1, 18), rtol=1e-12)


@pytest.mark.parametrize("one", [COPIED, COPIED_INSIDE, COPIED.reverse, COPIED_INSIDE.reverse], ids=str)
def test_equal_copies_are_one_kernel(one):
    kernel, (_, a, d) = np.random.default_rng(2).normal(size=one.shape), arrays(one)
    copies = np.broadcast_to(kernel, one.cells)
    assert copies.ndim == 6
    np.testing.assert_allclose(one.apply(copies, a), one.apply(kernel, a), rtol=0, atol=1e-13)
    np.testing.assert_array_equal(one.gradient(a, d, copies), one.gradient(a, d, kernel))


def test_products_are_counted():
    for kind in (Dense(5, 3), INSIDE, INSIDE.reverse):
        assert kind.products == np.count_nonzero(kind.matrix(np.ones(kind.shape)))
    assert AVERAGED.products == AVERAGED.reverse.products == (4 * 6) * (3 * 3) * 2 * 3, "places, kernel, channels"


# Who may multiply matrices, and why: none of these is the weight block of a connection.

ALLOWED = {
    "substrate/network/dense.py": "the dense kind itself",
    "substrate/network/convolution.py": "the convolutions themselves",
    "substrate/engine/cpu": "code of the engine",
    "substrate/engine/jax/programs": "code of the other engine",
    "substrate/network/local_couplings.py:LocalCouplings.dense": "answers of unit vectors, side by side",
    "substrate/chip/wires.py:compute_wire_transfer": "an array of cells between its row and column lines",
    "substrate/chip/boards/noisy_cells.py:NoisyCells._join_units": "covariances of dense blocks: kernels are refused",
    "substrate/dynamics/methods.py:_make_tableau": "tableaus of integration",
    "substrate/theory/krylov.py": "Krylov vectors",
    "substrate/theory/spectrum.py": "Jacobians",
    "substrate/circuits": "Kirchhoff networks, which have no weights but conductances",
    "learning/cost.py:compute_logits": "the digital readout",
    "learning/cost.py:compute_cost_force": "the digital readout",
    "learning/cost.py:compute_readout_gradients": "the digital readout",
    "learning/optimisers/spectral.py": "singular values, of the controller's own record of a matrix",
    "learning/schemes/wave.py": "Fourier sums",
    "learning/oracle/squared_mean.py": "products of repeats",
    "learning/oracle/fluctuations.py": "covariances",
    "learning/oracle/forecast.py:_predict_slow_read_variance": "weights of pairs of reads",
    "learning/oracle/nudge_path.py:NudgeForce.curve": "the digital readout",
    "learning/policies/low_rank.py": "outer products of what is written, whatever it stands for",
    "learning/rules/layer_nudges.py:LayerNudges.forces": "fixed random readouts",
    "learning/rules/direct_feedback.py:DirectFeedback._project": "fixed random projections",
    "learning/oracle/matching.py": "covariances, from dense matrices of the whole chip",
    "scenarios/experiments/measure/tables.py:_make_signal_group": "nudges times errors",
    "learning/oracle/frozen.py": "cells of dense connections, each with a variance of its own",
    "learning/oracle/copy_loss.py": "second derivatives by cells of dense connections",
    "learning/copying/trims.py": "regressions of the rows of dense connections on the activities of the chip",
    "learning/identification": "regressions of the rows of the whole chip on its activities",
    "substrate/hardware/bench.py:compute_held_force": "the digital readout",
    "scenarios/data/measured_weights.py:_find_weight_columns": "columns of a text table",
}

NAMES_BLOCKS = re.compile(r"\.block\b|weight/")
"""Only such a file of scenarios has anything to do with weights; the others draw and lay out tables."""

PRODUCTS = {"einsum", "outer", "matmul", "dot", "tensordot", "inner", "transpose", "swapaxes", "multi_dot", "kron"}


def products(text):
    """Yield (function, line) of every product or transpose of matrices."""

    def visit(node, name):
        for child in ast.iter_child_nodes(node):
            inside = f"{name}.{child.name}".lstrip(".") if isinstance(child, ast.FunctionDef | ast.ClassDef) else name
            product = isinstance(child, ast.BinOp | ast.AugAssign) and isinstance(child.op, ast.MatMult)
            turned = isinstance(child, ast.Attribute) and child.attr in {"T", "mT"}
            called = isinstance(child, ast.Call) and getattr(child.func, "attr", "") in PRODUCTS
            if product or turned or called:
                yield inside, child.lineno
            yield from visit(child, inside)

    yield from visit(ast.parse(text), "")


def is_allowed(path, function):
    places = {f"{path}:{function}", path, *(parent.as_posix() for parent in Path(path).parents)}
    return bool(places & ALLOWED.keys())


def test_nobody_else_knows_how_a_block_holds_the_weights():
    found = []
    for package in ("devices", "substrate", "learning", "scenarios"):
        for file in sorted((ROOT / package).rglob("*.py")):
            path, text = file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")
            rows = products(text) if package != "scenarios" or NAMES_BLOCKS.search(text) else ()
            found += [f"{path}:{line} in {function}" for function, line in rows if not is_allowed(path, function)]
    assert found == [], "\n".join(found)


def test_every_allowed_place_is_one():
    for place in ALLOWED:
        path = ROOT / place.partition(":")[0]
        texts = [file.read_text(encoding="utf-8") for file in (path.rglob("*.py") if path.is_dir() else [path])]
        functions = {function for text in texts for function, _ in products(text)}
        assert functions, place
        assert ":" not in place or place.partition(":")[2] in functions, place


@pytest.mark.parametrize(
    "line", ["a = b @ c", "a @= b", "a = w.T", "np.outer(a, b)", "w.swapaxes(0, 1)", "np.einsum('ij', a)"]
)
def test_a_product_is_seen(line):
    assert [function for function, _ in products(f"def f():\n    {line}")] == ["f"]
