"""What all tests of scenarios share."""

import pytest

LOOKED_AT = {
    "cli.test_main",
    "experiments.measure.test_ledger_figures",
    "experiments.nudge.test_figures",
    "experiments.nudge.test_run",
    "report.test_figures",
    "report.test_page",
    "run.test_run",
    "test_api",
    "front.test_catalogue",
    "front.test_figures",
    "report.test_pages",
}
"""Test files that look at figures."""


@pytest.fixture(autouse=True)
def without_pictures(request, monkeypatch):
    """Leave figures out where nothing looks at them: they take most of the time of a small run."""
    if request.module.__name__.removeprefix("tests.scenarios.") in LOOKED_AT:
        return
    monkeypatch.setattr("scenarios.report.figures.draw_figures", lambda _: {})
