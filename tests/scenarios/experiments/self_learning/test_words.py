"""What is said of a circuit that learned by itself: sentence, table, numbers and figure."""

import numpy as np
import pytest

from scenarios.experiments.figures import list_registered_figures
from scenarios.experiments.kind import find_kind, find_result_kind
from scenarios.report.answer import make_answer
from scenarios.report.sheets import make_sheets
from scenarios.report.summary import list_metrics
from scenarios.results.store import Variable
from tests.scenarios import result_files

PERIODS = np.array([0.02, 0.001, 0.1, 1.0])


def cycles(closed=(True, True, True, True), measured=True):
    group = {
        "period": Variable(("period",), PERIODS, "s"),
        "point": Variable(("point",), np.arange(3)),
        "element": Variable(("element",), np.array(["plus"])),
        "task": Variable(("point",), np.array(["A", "B", "A"])),
        "span": Variable(("period",), PERIODS**2, "V^2"),
        "error": Variable(("period",), 1e-5 + 0.5 * PERIODS**2, "V^2"),
        "floor": Variable((), 1e-5, "V^2"),
        "gate": Variable(("period", "point", "element"), np.zeros((4, 3, 1)), "V"),
        "closed": Variable(("period",), np.array(closed)),
    }
    if measured:
        for name, factor in (("span", 1.1), ("error", 1.2)):
            group[f"{name}_measured"] = Variable(("period",), factor * group[name].data, "V^2")
            group[f"{name}_factor"] = Variable((), factor)
    return result_files.result({"cycles": group})


def test_the_sentence_tells_both_ends_and_the_measurement():
    result = cycles(closed=(True, True, True, False))
    assert find_result_kind(result).name == "self-learning"
    assert make_answer(result) == (
        "While the tasks A, B take turns, the gates go round in a cycle: at 0.001 s and 0.1 s a round, its squared "
        "span is 1e-06 and 0.01 V^2, and the mean square error 1.05e-05 and 0.00501 V^2. Measured spans differ by an "
        "rms factor of 1.1, errors by 1.2. 1 of 4 cycles were not found."
    )
    assert "Measured" not in make_answer(cycles(measured=False))


def test_the_sentence_names_what_is_learned_and_what_meets_its_range():
    result = cycles(measured=False)
    group = result["cycles"]
    group["conductance"] = Variable(("period", "point", "resistor"), np.zeros((4, 3, 1)), "S")
    group["limited"] = Variable(("period",), np.array([0, 2, 1, 0]))
    assert "the gates and the conductances go round" in make_answer(result)
    assert make_answer(result).endswith("Up to 2 of them meet an end of their range.")
    del group["gate"]
    assert "take turns, the conductances go round" in make_answer(result)
    assert "voltages of their capacitors" in make_sheets(result, 2)[0].note


def test_a_result_without_cycles_is_void():
    result, kind = cycles(closed=(False,) * 4), find_kind("self-learning")
    assert "None of 4 cycles was found" in make_answer(result)
    assert kind.is_void(result)
    assert "no cycle was found" in kind.failure(result.groups)
    assert not list_registered_figures()["cycles"].when(result)
    assert list_metrics(result)["cycles/error_least"] is None
    assert not kind.is_void(cycles())
    assert kind.failure(cycles().groups) == kind.failure({}) == ""


def test_the_table_has_measured_numbers_beside_and_both_ends():
    (sheet,) = make_sheets(cycles(), 2)
    assert sheet.columns[1:4] == ["span (V^2)", "span measured (V^2)", "error (V^2)"]
    assert [row[0] for row in sheet.rows] == ["0.02", "1"]
    (plain,) = make_sheets(cycles(closed=(True, False, True, True), measured=False), 8)
    assert plain.columns == ["period (s)", "span (V^2)", "error (V^2)", "closed"]
    assert [row[-1] for row in plain.rows] == ["yes", "no", "yes", "yes"]


def test_metrics_leave_out_what_was_not_found():
    found = list_metrics(cycles(closed=(True, True, True, False)))
    assert found["cycles/closed"] == 0.75
    assert found["cycles/span_most"] == pytest.approx(0.01)
    assert found["cycles/error_least"] == pytest.approx(1.05e-5)
    assert found["cycles/error_factor"] == 1.2


@pytest.mark.parametrize("measured", [True, False])
def test_the_figure_has_log_axes_and_sorted_periods(measured):
    figure = list_registered_figures()["cycles"].draw(cycles(closed=(True, True, False, True), measured=measured))
    figure.canvas.draw()
    for axes, name in zip(figure.axes, ("span", "error"), strict=True):
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        lines = {line.get_label(): line.get_xydata() for line in axes.get_lines()}
        assert lines.keys() == ({"measured", "simulated"} if measured else {"simulated"})
        np.testing.assert_array_equal(lines["simulated"][:, 0], [0.001, 0.02, 1.0])
        if measured:
            factor = {"span": 1.1, "error": 1.2}[name]
            np.testing.assert_allclose(lines["measured"][:, 1], factor * lines["simulated"][:, 1])
