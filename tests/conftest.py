"""What all tests share."""

import pytest

from scenarios.report import figures

DRAW = figures.draw_figures


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
