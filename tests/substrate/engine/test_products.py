"""Every product of matrices on the engine in JAX names its precision: accelerators take less than they are given."""

import ast

import pytest

from tests.test_house import dotted, sources

PRODUCTS = {"conv_general_dilated", "dot", "dot_general", "einsum", "inner", "matmul", "tensordot", "vdot", "vecdot"}


def find_products_without_precision(text):
    """Return the lines with a product that does not name its precision."""
    found = []
    for node in ast.walk(ast.parse(text)):
        operator = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.MatMult)
        named = isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] in PRODUCTS
        if operator or (named and all(keyword.arg != "precision" for keyword in node.keywords)):
            found.append(node.lineno)
    return found


def test_every_product_names_its_precision():
    texts = sources(("substrate/engine/jax",))
    assert any("precision=precision" in text for text in texts.values())
    found = {path: find_products_without_precision(text) for path, text in texts.items()}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    ["x @ y", "x @= y", "jnp.dot(x, y)", "jnp.matmul(x, y)", 'jnp.einsum("ij,jk", x, y)', "lax.dot_general(x, y, d)"],
)
def test_a_product_without_precision_is_reported(line):
    assert find_products_without_precision(f"z = 1\n{line}") == [2]


def test_a_product_with_a_precision_passes():
    assert find_products_without_precision("jnp.matmul(x, y, precision=p) * jnp.sum(x)") == []
