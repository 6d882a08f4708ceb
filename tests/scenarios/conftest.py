"""What all tests of scenarios share."""

import pytest

LOOKED_AT = {
    *("test_api", "test_catalogue", "test_cli", "test_figures", "test_figures_ledger", "test_figures_nudge"),
    *("test_pages", "test_report", "test_run", "test_study_nudges"),
}
"""Test files that look at figures."""


@pytest.fixture(autouse=True)
def without_pictures(request, monkeypatch):
    """Leave figures out where nothing looks at them: they take most of the time of a small run."""
    if request.module.__name__.rpartition(".")[2] in LOOKED_AT:
        return
    monkeypatch.setattr("scenarios.figures.figures_of", lambda _: {})
