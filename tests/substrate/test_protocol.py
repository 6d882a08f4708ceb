import ast
from pathlib import Path

import numpy as np
import pytest

from substrate.protocol import Status, has_settled

ROOT = Path(__file__).parents[2]
ENDS = {
    Status.SETTLED: (True, True),
    Status.STEP_LIMIT: (False, True),
    Status.STALLED: (False, True),
    Status.PERIOD_2: (False, False),
    Status.CYCLE: (False, False),
    Status.DIVERGED: (False, False),
}
"""By status: settled where rest ends a settling, and where the clock does."""


def test_every_status_is_settled_or_not():
    assert ENDS.keys() == set(Status)


@pytest.mark.parametrize("dtype", [np.int8, np.int64])
def test_what_has_settled_depends_on_what_ends_a_settling(dtype):
    status = np.array(list(ENDS), dtype=dtype)
    at_rest, by_clock = np.array(list(ENDS.values())).T
    np.testing.assert_array_equal(has_settled(status), at_rest)
    np.testing.assert_array_equal(has_settled(status, by_clock=True), by_clock)
    np.testing.assert_array_equal(
        has_settled(np.array([status, status]), np.array([[False], [True]])), [at_rest, by_clock]
    )


def comparisons(text):
    """Return the lines that compare something with a status of rest, or with a list of statuses."""
    found = []
    for node in ast.walk(ast.parse(text)):
        sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        sides += node.args if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("isin") else []
        found += [node.lineno for side in sides if "Status.SETTLED" in ast.unparse(side)]
    return found


def test_nobody_else_decides_what_has_settled():
    files = [path for package in ("substrate", "learning", "scenarios") for path in (ROOT / package).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix(): comparisons(path.read_text(encoding="utf-8")) for path in files}
    assert {path for path, lines in found.items() if lines} == {"substrate/protocol.py"}


def test_a_second_definition_is_seen():
    assert comparisons("a = status != Status.SETTLED\nb = np.isin(s, [Status.SETTLED])\nc[:] = Status.SETTLED") == [
        1,
        2,
    ]
