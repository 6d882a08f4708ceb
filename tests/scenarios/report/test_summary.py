"""What the terminal and other programs are told about a result."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from learning.oracle.circuits.ledger import TERMS as CIRCUIT_TERMS
from learning.oracle.ledger.remedies import REMEDIES
from learning.oracle.ledger.vectors import TERMS
from learning.rules.rule import RULES
from scenarios.experiments.alarms import KINDS
from scenarios.experiments.measure.advice import PARTS, WORDS
from scenarios.experiments.measure.words import NAMES
from scenarios.report.answer import list_remarks, make_answer
from scenarios.report.summary import format_open_lines, list_metrics, print_summary
from scenarios.results import store
from scenarios.results.store import Variable
from tests.scenarios import result_files

ROOT = Path(__file__).parents[3]
DIVERGED = {"status": "diverged", "reason": "every sample of a batch diverged", "last_epoch": 3}


def printed(result, width=120):
    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        print_summary(result, console)
    return capture.get()


def changed(result, path, **data):
    group = {name: v._replace(data=np.asarray(data.get(name, v.data))) for name, v in result[path].items()}
    return store.ResultData(result.attributes, result.groups | {path: group})


def settled(status, steps=((3, 4), (5, 9))):
    group = {
        "phase": Variable(("phase",), np.array(["free", "beta +0.2"])),
        "time": Variable(("time",), np.zeros(1)),
        "status": Variable(("phase", "sample"), status),
        "steps": Variable(("phase", "sample"), steps),
    }
    return result_files.result({"settling": group})


def test_every_cause_in_the_ledger_and_every_remedy_has_words():
    rules = {term for rule in RULES for term in getattr(rule, "terms", {}).values() if term}
    assert NAMES.keys() == {*TERMS, *CIRCUIT_TERMS, *rules}
    assert WORDS.keys() == REMEDIES.keys()
    assert PARTS.keys() < REMEDIES.keys()
    assert KINDS.keys() == {"dead", "saturated", "unsettled", "clipped"}


@pytest.mark.parametrize("epochs", [1, 5, 40])
def test_a_training_prints_its_first_and_last_and_some_epochs(epochs):
    text = printed(result_files.trained(epochs, exact=True))
    rows = [line.split()[0] for line in text.partition("unsettled:")[0].splitlines() if line[:1].isdigit()]
    assert (rows[0], rows[-1]) == ("0", str(epochs))
    assert len(rows) == min(epochs + 1, 8)
    assert [int(row) for row in rows] == sorted({int(row) for row in rows})
    assert ("8 of 41 epochs" in text) == (epochs == 40)
    for words in ("Budget of the training", "settlings", "reads", "writes", "exact gradients reaches", "Signal levels"):
        assert words in text, words


def test_a_training_says_where_it_began_and_ended():
    result = result_files.trained(10, exact=True)
    first, last = 100.0 * result["metrics"]["error_test"].data[[0, -1]]
    exact = 100.0 * result["metrics_exact"]["error_test"].data[-1]
    sentence = make_answer(result)
    for words in ("10 epochs", f"from {first:.3g} % to {last:.3g} %", f"exact gradients reaches {exact:.3g} %"):
        assert words in sentence
    assert "best" not in sentence
    assert make_answer(result_files.trained(1)).startswith("1 epoch took")


def test_a_better_epoch_than_the_last_is_named():
    result = changed(result_files.trained(3), "metrics", error_test=[0.9, 0.2, 0.1, 0.3])
    assert "to 30 % (best: 10 % after epoch 2)" in make_answer(result)


def test_without_classes_the_loss_is_judged():
    result = changed(result_files.trained(3), "metrics", error_test=[np.nan] * 4, loss_test=[2.0, 1.0, 0.5, 0.25])
    assert make_answer(result) == "3 epochs took the test loss from 2 to 0.25."
    assert "nan" not in printed(result)


def test_the_last_measured_epoch_is_the_one_that_is_judged():
    result = result_files.trained(9)
    assert list_remarks(result)[0].startswith("After epoch 8: Feedback asymmetry dominates: with centred, beta 0.05")
    cosine = result["gradient"]["cosine"].data[-1, 0, 0]
    assert f"{cosine:.4f}" in printed(result)
    assert f"{result['gradient']['cosine'].data[0, 0, 0]:.4f}" not in printed(result)


def test_samples_that_were_not_counted_are_told():
    result = result_files.trained(4)
    missed = changed(result, "ledger", unsettled=[[0], [0], [7]])
    assert len(list_remarks(result)) == 1
    assert list_remarks(missed)[1] == "Not counted there: 7 samples that did not settle or have no rest point."


@pytest.mark.parametrize(("clipped", "told"), [(0, (False, False)), (5, (False, True)), (50, (True, False))])
def test_reads_outside_the_range_are_told_once(clipped, told):
    counts = {"clipped": Variable((), np.int64(clipped)), "conversions": Variable((), np.int64(1000))}
    result = result_files.result(result_files.measured() | {"readout": counts})
    words = "of the conversions were outside the range"
    assert (words in make_answer(result), any(words in line for line in list_remarks(result))) == told
    assert "what is left" not in printed(result)  # none was left out


def test_a_divergence_names_reason_and_knob():
    text = printed(result_files.trained(3, **DIVERGED))
    assert "Training diverged in epoch 3: every sample of a batch diverged." in text
    assert "What would help: a smaller learning.optimiser.rate" in text
    assert "dynamics.dt" in text


def test_a_training_without_a_measurement_is_no_trouble():
    nothing = result_files.over_epochs(result_files.measured(), [])
    for groups in ({}, nothing):
        result = result_files.result({"metrics": result_files.metrics(2), **groups})
        assert list_remarks(result) == []
        assert "Error of each cause" not in printed(result)
        assert not [key for key in list_metrics(result) if key.startswith("gradient")]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            [0.10, 0.12, 0.11, 0.19],
            "is 13 % on average over 4 chips, standard deviation 4.08 %; the worst, chip 7, has 19",
        ),
        (
            [0.10, np.nan, 0.11, np.nan],
            "over 2 chips, standard deviation 0.707 %; the worst, chip 2, has 11 %; 2 chips",
        ),
    ],
)
def test_chips_are_summed_up(error, words):
    assert words in make_answer(changed(result_files.evaluated(), "evaluate", error=error))


def test_chips_without_classes_are_judged_by_their_loss():
    result = changed(result_files.evaluated(), "evaluate", error=[np.nan] * 4)
    assert "test loss is 0.6375 on average over 4 chips" in make_answer(result)
    nothing = changed(result, "evaluate", loss=[np.nan] * 4)
    assert make_answer(nothing) == "None of 4 chips settled, so there is no error to judge."


def test_one_chip_needs_no_statistics():
    group = {name: v._replace(data=v.data[:1]) for name, v in result_files.evaluated()["evaluate"].items()}
    assert make_answer(result_files.result({"evaluate": group})) == "Chip 0 has a test error of 10 %."


def test_settlings_are_summed_up():
    assert make_answer(settled([[0, 0], [0, 0]])) == (
        "All 4 recorded settlings settled; the slowest, beta +0.2, took 9 steps."
    )
    assert make_answer(settled([[0, 0], [1, 5]])).startswith(
        "2 of 4 recorded settlings did not settle: 1 step limit (allow"
    )
    assert "1 diverged (lower dynamics.dt" in make_answer(settled([[0, 0], [1, 5]]))


def test_an_empty_result_says_so():
    assert make_answer(result_files.result({})) == "This result holds no experiment."
    assert list_metrics(result_files.result({})) == {}


def test_markup_in_names_is_printed_as_it_is():
    layers = ("[bold]l1[/bold]", "[/]", "out")
    assert "[bold]l1[/bold]" in printed(result_files.result(result_files.measured(layers=layers)))


@pytest.mark.parametrize(
    "result", [result_files.trained(9, **DIVERGED), result_files.evaluated(), settled([[0, 1], [0, 0]])]
)
def test_numbers_for_other_programs_are_flat_finite_and_json(result):
    found = list_metrics(result)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert all(value is None or type(value) is float for value in found.values())
    assert found


def test_the_keys_are_stable_and_the_values_are_those_of_the_last_epoch():
    result = result_files.trained(9, exact=True)
    found = list_metrics(result)
    assert found["metrics/epoch"] == 9.0
    assert found["metrics/error_test"] == result["metrics"]["error_test"].data[-1]
    assert found["metrics_exact/error_test"] == result["metrics_exact"]["error_test"].data[-1]
    assert found["metrics/angle_weights/l1-l2 / l2-l1"] == result["metrics"]["angle_weights"].data[-1, 0]
    assert found["metrics/wall_s"] == 9 * 12.5
    assert found["gradient/cosine/centred, beta 0.05/l2"] == result["gradient"]["cosine"].data[-1, 0, 1]
    assert found["ledger/relative/centred, beta 0.05/l1/finite_nudge"] == 0.09
    assert list_metrics(result_files.evaluated())["evaluate/error_worst"] == 0.19
    assert list_metrics(settled([[0, 1], [0, 0]])) == {"settling/settled": 0.75, "settling/steps_max": 9.0}


def test_what_is_no_number_becomes_none():
    result = changed(result_files.trained(2), "metrics", error_test=[0.9, np.nan, np.inf])
    assert list_metrics(result)["metrics/error_test"] is None


def test_the_three_lines_open_the_file(tmp_path):
    result, lines = result_files.evaluated(), []
    for name in ("run.h5", 'it\'s a "run".h5', "back\\slash.h5"):
        store.write_result_file(tmp_path / name, result.groups, result.attributes)
        lines += format_open_lines(tmp_path / name).splitlines()
    assert len(lines) == 9
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stdout.count("/evaluate") == 3


def test_words_need_no_figures():
    modules = "scenarios.report.summary, scenarios.report.answer, scenarios.report.sheets, scenarios.results.views"
    code = f"import sys, {modules}, scenarios.front.progress; print({{'matplotlib', 'jinja2'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
