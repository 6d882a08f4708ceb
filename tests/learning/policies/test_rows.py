"""Rows of arrays of cells."""

import numpy as np
import pytest

from learning.policies.rows import count_block_rows, read_block_rows, spread_block_rows


@pytest.mark.parametrize(("shape", "rows"), [((4,), 1), ((3, 4), 3), ((1, 4), 1)])
def test_a_block_of_biases_is_one_row(shape, rows):
    assert count_block_rows(shape) == rows
    due = np.ones(rows, dtype=bool)
    assert spread_block_rows(due, shape).shape == shape


def test_rows_that_are_due_are_read_in_their_places():
    class Cells:
        def read_cells(self, name, chosen):
            assert name == "weight/a-b"
            return np.arange(12.0).reshape(3, 4)[chosen]

    read = read_block_rows(Cells(), "weight/a-b", np.array([True, False, True]), (3, 4))
    np.testing.assert_array_equal(read, [[0, 1, 2, 3], [0, 0, 0, 0], [8, 9, 10, 11]])
