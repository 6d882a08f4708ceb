"""What all tests share."""

import os
from functools import partial

import pytest

from scenarios.report import figures
from tests.substrate.engine.cpu.small_runs import CHIPS, LAWS, settle, write

DRAW = figures.draw_figures

# What runs tests in several processes tells them the width of its terminal, which the program would obey.
os.environ.pop("COLUMNS", None)

COMPILED = [
    partial(settle, CHIPS["euler"], "double"),
    partial(settle, CHIPS["heun"], "double"),
    partial(settle, CHIPS["sweeps"], "double"),
    partial(settle, CHIPS["euler"], "single"),
    partial(settle, CHIPS["sweeps"], "single"),
    partial(write, LAWS["nearest"]),
]
"""Small runs that compile one kernel each, and what is small beside it."""

MANY = 1000
"""Tests from which on it pays to compile them first."""


def pytest_collection_finish(session):
    """Share the kernels to compile among processes: each test needs them, so that all would compile the same one.

    The first test is given out when all have done their part.
    """
    ours = getattr(session.config, "workerinput", None)  # of pytest-xdist
    if ours and len(session.items) > MANY:
        for run in COMPILED[int(ours["workerid"].removeprefix("gw")) :: ours["workercount"]]:
            run()


@pytest.fixture(autouse=True, scope="module")
def without_figures(request):
    """Leave figures out where nothing looks at them: they take most of the time of a small run."""
    with pytest.MonkeyPatch.context() as patch:
        if request.node.get_closest_marker("figures") is None:
            patch.setattr(figures, "draw_figures", lambda _: {})
        yield


@pytest.fixture(autouse=True)
def with_figures(request, monkeypatch):
    """Draw them for a test that looks at them."""
    if request.node.get_closest_marker("figures") is not None:
        monkeypatch.setattr(figures, "draw_figures", DRAW)
