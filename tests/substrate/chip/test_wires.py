"""Wires of arrays against dense nodal solutions, published numbers and reciprocity."""

import json
from pathlib import Path

import numpy as np
import pytest

from devices.synapse.cell import FeedbackDevices, WeightDevices
from devices.synapse.wires import Wires
from substrate.chip import wires
from substrate.chip.wires import compute_tiled_transfer, compute_wire_transfer
from tests.networks import random_chip

GOLDEN = json.loads((Path(__file__).parents[2] / "data" / "wires" / "badcrossbar.json").read_text(encoding="utf-8"))
ENDS = [("first", "last"), ("last", "first"), ("first", "first"), ("last", "last")]
FORWARD, BACK = "weight/l1-l2", "weight/l2-l1"


def cells(rows, columns):
    """Cells of 10 to 100 kohm."""
    return 1.0 / np.random.default_rng(0).uniform(1e4, 1e5, (rows, columns))


def dense(conductance, segment, driven, drive_end, sense_end):
    """Solve the network node by node, with a loop; returns the currents (driven line, sensed line).

    `driven` is "rows" or "columns".
    """
    rows, columns = conductance.shape
    node = {(line, i, j): k for k, (line, i, j) in enumerate(np.ndindex(2, rows, columns))}
    matrix, g = np.zeros((len(node), len(node))), 1.0 / segment

    def join(a, b, size):
        for x, y in ((a, b), (b, a)):
            matrix[node[x], node[x]] += size
            matrix[node[x], node[y]] -= size

    for i, j in np.ndindex(rows, columns):
        join((0, i, j), (1, i, j), conductance[i, j])
        if j + 1 < columns:
            join((0, i, j), (0, i, j + 1), g)
        if i + 1 < rows:
            join((1, i, j), (1, i + 1, j), g)
    ends = {"rows": drive_end, "columns": sense_end} if driven == "rows" else {"rows": sense_end, "columns": drive_end}
    column, row = (0 if ends["rows"] == "first" else columns - 1), (0 if ends["columns"] == "first" else rows - 1)
    contacts = {
        "rows": [node[0, i, column] for i in range(rows)],
        "columns": [node[1, row, j] for j in range(columns)],
    }
    for places in contacts.values():
        for k in places:
            matrix[k, k] += g
    sense = contacts["columns" if driven == "rows" else "rows"]
    currents = []
    for k in contacts[driven]:
        source = np.zeros(len(node))
        source[k] = g
        currents.append(np.linalg.solve(matrix, source)[sense] * g)
    return np.array(currents)


@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (1, 5), (5, 1), (1, 1)])
@pytest.mark.parametrize(("row_end", "column_end"), ENDS)
def test_currents_are_those_of_a_dense_solution(shape, row_end, column_end):
    conductance = 1e4 * cells(*shape)
    found = compute_wire_transfer(conductance, 0.3, row_end, column_end)
    expected = dense(conductance, 0.3, "rows", row_end, column_end)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    # Reciprocity: the other lines driven, over the same ends.
    np.testing.assert_allclose(found, dense(conductance, 0.3, "columns", column_end, row_end).T, rtol=1e-12)


@pytest.mark.parametrize("golden", GOLDEN["solutions"], ids=lambda golden: golden["segment"])
def test_currents_are_those_of_a_published_simulator(golden):
    conductance = 1.0 / np.array(GOLDEN["resistance"])
    for name, ends in (("forward", ("first", "last")), ("backward", ("last", "first"))):
        np.testing.assert_allclose(
            compute_wire_transfer(conductance, golden["segment"], *ends), golden[name], rtol=1e-12
        )


def test_arrays_of_their_own_are_solved_on_their_own():
    conductance = cells(5, 7)
    found = compute_tiled_transfer(conductance, (2, 4), 50.0, "first", "last")
    for rows in (slice(0, 2), slice(2, 4), slice(4, 5)):
        for columns in (slice(0, 4), slice(4, 7)):
            expected = dense(conductance[rows, columns], 50.0, "rows", "first", "last")
            np.testing.assert_allclose(found[rows, columns], expected, rtol=1e-12)
    np.testing.assert_array_equal(
        compute_tiled_transfer(conductance, (9, 9), 50.0, "first", "last"),
        compute_wire_transfer(conductance, 50.0, "first", "last"),
    )


def test_an_array_that_was_solved_is_not_solved_again(monkeypatch):
    conductance, solved = cells(6, 8), []
    monkeypatch.setattr(wires, "_solve_array", lambda array, _: solved.append(array.shape) or array)
    compute_tiled_transfer(conductance, (3, 4), 61.0, "first", "last")
    assert len(solved) == 4
    compute_tiled_transfer(conductance.copy(), (3, 4), 61.0, "first", "last")
    assert len(solved) == 4
    conductance[0, 0] *= 1.001
    compute_tiled_transfer(conductance, (3, 4), 61.0, "first", "last")
    assert len(solved) == 5
    compute_tiled_transfer(conductance, (3, 4), 62.0, "first", "last")
    assert len(solved) == 9
    compute_wire_transfer(np.ones((2, 6)), 61.0, "first", "last")
    compute_wire_transfer(np.ones((3, 4)), 61.0, "first", "last")  # the same bytes
    assert solved[9:] == [(2, 6), (3, 4)]
    wires._solve_array_cached.cache_clear()


def test_without_resistance_the_cells_are_what_they_are_and_less_the_more_there_is():
    conductance = cells(24, 40)
    assert compute_wire_transfer(conductance, 0.0, "first", "last") is conductance
    np.testing.assert_allclose(compute_wire_transfer(conductance, 1e-9, "first", "last"), conductance, rtol=1e-9)
    sums = [compute_wire_transfer(conductance, r, "first", "last").sum() for r in (0.0, 0.1, 1.0, 5.0)]
    assert sums == sorted(sums, reverse=True)


@pytest.mark.parametrize(("segment", "percent"), [(1.0, 1.3), (5.0, 6.3)])
def test_opposite_ends_make_the_asymmetry_that_was_published(segment, percent):
    """24 x 40 cells of 10 to 100 kohm, by badcrossbar on a flipped array: 1.3 % and 6.3 % to two digits."""
    conductance = cells(24, 40)
    forward, back = (
        compute_wire_transfer(conductance, segment, *ends) for ends in (("first", "last"), ("last", "first"))
    )
    asymmetry = np.linalg.norm(forward - back) / np.linalg.norm(forward)
    assert round(100.0 * asymmetry, 1) == percent


@pytest.mark.parametrize(("segment", "percent"), [(1.0, -1.72), (5.0, -7.96)])
def test_the_mean_drop_is_the_one_that_was_published(segment, percent):
    """32 x 32 such cells, by two peers; another draw of cells spreads it by some hundredths."""
    conductance = cells(32, 32)
    drop = np.mean(compute_wire_transfer(conductance, segment, "first", "last") / conductance - 1.0)
    assert 100.0 * drop == pytest.approx(percent, rel=0.02)


def test_too_large_an_array_is_refused(monkeypatch):
    monkeypatch.setattr(wires, "LARGEST", 100)
    with pytest.raises(ValueError, match=r"an array of 10 x 11 cells is too large.*devices\.wires\.array"):
        compute_wire_transfer(np.ones((10, 11)), 1.0, "first", "last")


# On a chip


def chip_with(ends, storage="shared-device", array=None, **weights):
    chip = random_chip(symmetric=True)
    return chip.variant(
        weights=WeightDevices(cell="pair", **weights),
        feedback=FeedbackDevices(storage=storage),
        wires=Wires(segment=0.05, ends=ends, array=array),
    )


@pytest.mark.parametrize("array", [None, [2, 3]])
@pytest.mark.parametrize("storage", ["shared-device", "copied", "independent"])
def test_lines_that_are_driven_and_sensed_at_one_end_keep_the_symmetry(storage, array):
    chip = chip_with("same", storage, array, window=[0.1, 5.0])
    np.testing.assert_allclose(chip.effective[BACK], chip.effective[FORWARD].T, rtol=0, atol=1e-13)
    assert np.abs(chip.effective[FORWARD] - chip.programmed[FORWARD]).max() > 0.01
    opposite = chip_with("opposite", storage, array, window=[0.1, 5.0])
    np.testing.assert_array_equal(opposite.effective[FORWARD], chip.effective[FORWARD])
    assert np.abs(opposite.effective[BACK] - chip.effective[BACK]).max() > 1e-3


def test_both_devices_of_a_pair_lie_behind_wires():
    chip = chip_with("same", window=[0.1, 5.0])
    w = chip.programmed["weight/in-l1"]
    plus, minus = (0.1 + np.maximum(s * w, 0.0) for s in (1.0, -1.0))
    expected = [dense(g, 0.05, "rows", "first", "last") for g in (plus, minus)]
    np.testing.assert_allclose(chip.effective["weight/in-l1"], expected[0] - expected[1], rtol=0, atol=1e-13)


def test_the_arrays_of_a_connection_have_lines_of_their_own():
    """Shorter lines lose less; rows are those of the pre units of the forward connection."""
    whole, cut = chip_with("same", window=[0.1, 5.0]), chip_with("same", array=[2, 5], window=[0.1, 5.0])
    w = cut.programmed[FORWARD]
    plus, minus = (0.1 + np.maximum(s * w, 0.0) for s in (1.0, -1.0))
    expected = [
        np.concatenate([dense(g[i : i + 2], 0.05, "rows", "first", "last") for i in (0, 2, 4, 6)])
        for g in (plus, minus)
    ]
    np.testing.assert_allclose(cut.effective[FORWARD], expected[0] - expected[1], rtol=0, atol=1e-13)
    errors = [np.abs(c.effective[FORWARD] - w).mean() for c in (cut, whole)]
    assert errors[0] < 0.8 * errors[1]


def test_wires_follow_what_is_written():
    chip = chip_with("same")
    chip.write({FORWARD: np.full((7, 5), 0.3)})
    anew = type(chip)(chip.design, chip.programmed, chip.fabrication)
    np.testing.assert_array_equal(chip.effective[BACK], anew.effective[BACK])


def test_wires_need_pairs():
    with pytest.raises(ValueError, match="needs conductances"):
        random_chip(wires=Wires(segment=0.1))
