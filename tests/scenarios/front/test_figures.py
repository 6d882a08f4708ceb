"""A figure that a user registers is one of the result's, and a mistake in it is shown where it was made."""

import traceback

import pytest
from matplotlib.figure import Figure

import nudgelab
from scenarios.experiments import figures
from scenarios.front.result import Result
from scenarios.report.page import write_report
from tests.scenarios import result_files

pytestmark = pytest.mark.figures

CAPTION = "Mine. The sizes of the gradients."


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    """Forget what a test registers."""
    figures.list_registered_figures()
    monkeypatch.setattr(figures, "_FIGURES", dict(figures._FIGURES))


def blank(space, _result):
    space.make_panels()


def is_measure(result):
    return "gradient" in result.groups


def test_a_registered_figure_is_in_the_result_and_on_the_page(tmp_path):
    nudgelab.register_figure("mine", is_measure, CAPTION, count=lambda _: "n = 3.")(blank)
    stored = result_files.result(result_files.measured())
    drawings = Result(stored).figures
    assert list(drawings)[-1] == "mine"
    assert drawings["mine"].caption == f"{CAPTION} n = 3."
    write_report(stored, tmp_path)
    assert (tmp_path / "figures/mine.svg").exists()
    assert CAPTION in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "mine" not in Result(result_files.evaluated()).figures


def test_the_same_name_registers_the_better_version():
    for text in ("First. One.", "Second. Two."):
        nudgelab.register_figure("mine", is_measure, text)(blank)
    assert Result(result_files.result(result_files.measured())).figures["mine"].caption == "Second. Two."


@pytest.mark.parametrize("name", ["causes", "../mine", "", "two words"])
def test_a_name_that_cannot_be_is_refused(name):
    with pytest.raises(ValueError, match="figure"):
        nudgelab.register_figure(name, is_measure, CAPTION)


def test_a_mistake_is_shown_at_its_line():
    @nudgelab.register_figure("mine", is_measure, CAPTION)
    def wrong(_space, result):
        result["no such group"]  # the line

    with pytest.raises(KeyError) as caught:
        Result(result_files.result(result_files.measured())).figures["mine"]
    lines = [frame.line for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert any("# the line" in line for line in lines)


def test_a_function_that_returns_a_figure_of_its_own_is_told():
    nudgelab.register_figure("mine", is_measure, CAPTION)(lambda _space, _result: Figure())
    with pytest.raises(TypeError, match="draw into the space, and return nothing"):
        Result(result_files.result(result_files.measured())).figures["mine"]
