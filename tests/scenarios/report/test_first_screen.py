"""The first screen of a page of every kind holds question, answer, main figure and three numbers."""

import json

import numpy as np
import pytest

import nudgelab
from scenarios.experiments.kind import list_kinds
from scenarios.report.page import write_report
from scenarios.results.store import ResultData, Variable
from tests.scenarios import result_files
from tests.scenarios.boards.scenarios_on_boards import MEASURE, load_on_board
from tests.scenarios.experiments.copy.test_copies import load as load_copies
from tests.scenarios.experiments.rivals.test_rivals import compare
from tests.scenarios.experiments.self_learning.test_words import cycles
from tests.scenarios.experiments.write.test_run import SCENARIO
from tests.scenarios.report.browser import CHROMIUM, MISSING
from tests.scenarios.report.first_screen import find_bottoms, list_missing
from tests.scenarios.report.test_figures import MANY

pytestmark = [pytest.mark.figures, pytest.mark.skipif(CHROMIUM is None, reason=MISSING)]

LONG = (
    "# Bias budget of a chip of convolutions and pooling, feedback on a second array of cells, and readout of 10 bits"
)
EDITS = ["network.layers.hidden = 20", "devices.feedback.mismatch_sigma = 0.02", "seed = 3"]

MADE_UP = {
    "measure": lambda: result_files.result(result_files.measured()),
    "measure of many schemes": lambda: result_files.result(result_files.measured(schemes=MANY)),
    "train": lambda: result_files.trained(12, exact=True),
    "evaluate": result_files.evaluated,
    "nudge": lambda: result_files.result({"nudge": result_files.nudges()}),
    "self-learning": cycles,
}

RUN = {
    "settle": lambda: nudgelab.load("settling", {"experiment.record.every_steps": 200}).run().stored,
    "measured-chip": lambda: load_on_board(MEASURE | {"devices.noise.read": 0.01, "hardware.probes": 4}).run().stored,
    "copy": lambda: load_copies(calibrate="affine").run().stored,
    "write": lambda: nudgelab.load(SCENARIO).run().stored,
    "rivals": lambda: compare(mismatch=[0.0, 0.2, 0.4], read_noise=[0.01]).stored,
}


def ask(result, question=LONG, edits=EDITS):
    """Return the result of a changed scenario that asks a question."""
    told = result_files.provenance(question) | {"edits_json": Variable((), json.dumps(edits))}
    return ResultData(result.attributes, result.groups | {"provenance": told})


def test_every_kind_is_looked_at():
    assert {kind.name for kind in list_kinds()} <= MADE_UP.keys() | RUN.keys()


@pytest.mark.parametrize("results", [MADE_UP, pytest.param(RUN, marks=pytest.mark.slow)], ids=["made up", "run"])
def test_the_first_screen_of_every_kind_is_whole(tmp_path, results):
    pages = {}
    for kind, make in results.items():
        folder = tmp_path / kind.replace(" ", "-")
        folder.mkdir()
        pages[kind] = write_report(ask(make()), folder)[0]
    found = find_bottoms(pages, tmp_path)
    assert {kind: missing for kind, ends in found.items() if (missing := list_missing(ends))} == {}


def test_what_is_below_the_window_is_missed(tmp_path):
    page = tmp_path / "long.html"
    page.write_text('<h1 style="height: 900px">Why?</h1><div class="answer">Because.</div>')
    (ends,) = find_bottoms({"long": page}, tmp_path).values()
    assert list_missing(ends)[:2] == [".first figure svg", ".numbers dd"]
    assert {text.split(" at")[0] for text in list_missing(ends)[2:]} == {"h1", ".answer"}
    assert np.isfinite(ends["h1"]).all()
