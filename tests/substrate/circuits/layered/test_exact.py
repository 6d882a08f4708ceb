"""What a vanishing nudge would show, found by sweeps, is what dense solutions give."""

import numpy as np
import pytest

from substrate.circuits.layered.exact import LayeredOracle, make_exact_reads
from tests.substrate.circuits.layered.circuits import DEEP, HIDDEN, assemble, draw_batch, make_chip

NARROW = {"in": 6, "h1": 9, "h2": 7, "h3": 8, "out": 3}


@pytest.mark.parametrize(("precision", "digits"), [("double", 1e-10), ("single", 2e-4)])
@pytest.mark.parametrize("layers", [HIDDEN, DEEP, NARROW])
def test_exact_reads_contrast_to_the_exact_gradients(layers, precision, digits):
    chip = make_chip(layers, precision=precision, sweeps=1, tolerance=1.0)
    x, y = draw_batch(chip)
    oracle = LayeredOracle(chip)
    point = oracle.find_point(x, y)
    assert 0.1 < point.clamped.mean() < 0.9
    expected = oracle.compute_gradients(point, point.reached)
    chip.set_input(x)
    chip.settle()
    after, before, factor = make_exact_reads(chip, y)
    for name, block in chip.contrast(after, before).items():
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(factor * block / len(x), expected[name], rtol=0.0, atol=digits * scale, err_msg=name)


def test_a_response_is_the_answer_of_the_conductances_around_rest():
    chip = make_chip(NARROW)
    x, _ = draw_batch(chip)
    chip.set_input(x)
    chip.settle()
    free, current = np.concatenate(list(chip.state.values()), axis=1), np.ones((len(x), 3))
    nodes, matrix, _ = assemble(chip)
    first, outputs = 2 * len(nodes["in"]), nodes["out"]
    for k, answer in enumerate(chip.respond(current)):
        moving = first + np.flatnonzero(free[k] != 0.0)
        expected = np.zeros(len(matrix))
        expected[moving] = np.linalg.solve(matrix[np.ix_(moving, moving)], np.isin(moving, outputs).astype(float))
        np.testing.assert_allclose(answer, expected[first:], rtol=0.0, atol=1e-11 * np.abs(expected).max())
    np.testing.assert_array_equal(np.concatenate(list(chip.state.values()), axis=1), free)


def test_a_refined_state_is_at_rest():
    chip, other = make_chip(NARROW, sweeps=2, tolerance=1.0), make_chip(NARROW)
    x, y = draw_batch(chip)
    for one in (chip, other):
        with pytest.raises(ValueError, match="no free state"):
            one.refine()
        with pytest.raises(ValueError, match="no free state"):
            one.respond(y)
        one.set_input(x)
        one.settle()
    rough = np.abs(chip.read()["out"] - other.read()["out"]).max()
    assert rough > 1e-6
    chip.refine()
    np.testing.assert_allclose(chip.read()["out"], other.read()["out"], rtol=0.0, atol=1e-13)


def test_every_block_may_take_a_share_of_its_own():
    chip, other = make_chip(NARROW, window=(2e-5, 8e-5)), make_chip(NARROW, window=(2e-5, 8e-5))
    x, y = draw_batch(chip)
    for one in (chip, other):
        one.set_input(x)
        one.settle()
    after, before, _ = make_exact_reads(chip, y)
    shares = {name: 1e-6 * (k + 1) for k, name in enumerate(chip.design.blocks) if name != "conductance/h1-h2"}
    first = chip.programmed
    changes = {name: share * chip.contrast(after, before)[name] for name, share in shares.items()}
    chip.imprint(after, before, shares)
    other.write(changes)
    for name, values in other.programmed.items():
        assert np.array_equal(values, first[name]) == (name == "conductance/h1-h2")
        np.testing.assert_allclose(chip.programmed[name], values, rtol=0.0, atol=1e-15 * np.abs(values).max())
    assert chip.budget.pulses == sum(block.size for block in changes.values())
