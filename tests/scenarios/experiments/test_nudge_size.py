"""Sizes of nudges that are found before an experiment begins, from the file to the words."""

import numpy as np
import pytest

from scenarios.experiments.counts import count_search_settlings
from scenarios.experiments.nudge_size import NAME
from scenarios.front.progress import Progress
from scenarios.language.load import load_scenario
from scenarios.report.answer import list_remarks
from scenarios.report.sheets import make_sheets
from scenarios.run.run import run_in_memory
from tests.scenarios.files import MEASURE, write_scenario
from tests.scenarios.scenario_files import only_fault

AUTO = 'learning={scheme={kind="centred", beta="auto", probe=0.1, rounds=1}}'
NOISE = "devices.noise.read=0.001"


def run(path, *edits):
    return run_in_memory(load_scenario(path, edits), 1, Progress(quiet=True))[0]


def test_a_measure_keeps_the_size_and_tells_it(tmp_path):
    path = write_scenario(tmp_path, MEASURE.replace("record = { samples = 2, every_steps = 2 }", ""))
    result = run(path, AUTO, NOISE, "experiment.samples=4", "experiment.repeats=2")
    group = result[NAME]
    beta = float(group["beta"].data[0])
    assert 0.0 < beta <= 0.2
    assert result["signal"]["beta"].data[0] == beta
    assert str(result["gradient"]["scheme"].data[0]) == f"centred, beta {beta:g}"
    assert group["settlings"].data[0] >= 7
    assert group["bias"].dims == group["noise"].dims == ("scheme", "layer")
    assert any(line.startswith(f'beta = "auto" was measured to be {beta:g} (centred') for line in list_remarks(result))
    assert any(sheet.title.startswith("Sizes of nudges that were found") for sheet in make_sheets(result, 8))


def test_a_training_and_a_study_find_their_size(tmp_path):
    text = MEASURE.replace('kind = "measure"\nrecord = { samples = 2, every_steps = 2 }', 'kind = "{}"')
    path = write_scenario(
        tmp_path, text.replace("{}", "train").replace("[experiment]", "[experiment]\nepochs = 1\nsamples = 4")
    )
    found, plain = (
        run(path, scheme, NOISE, "task.batch=2") for scheme in (AUTO, 'learning={scheme={kind="centred", beta=0.1}}')
    )
    assert NAME not in plain.groups
    spent = [int(one["metrics"]["settlings"].data[-1]) for one in (found, plain)]
    assert spent[0] - spent[1] == 2 * found[NAME]["settlings"].data[0]
    study = run(path, AUTO, NOISE, 'experiment={kind="nudge", samples=3, repeats=4, budget={settlings=30, reads=30}}')
    np.testing.assert_array_equal(study["nudge"]["beta"].data, study[NAME]["beta"].data)


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        (('learning.scheme={kind="random-sign", beta="auto"}',), "needs constant nudges of a known order"),
        (('learning.scheme={kind="centred", beta=0.1, probe=0.2}',), 'belong to beta = "auto"'),
        ((AUTO, 'experiment={kind="settle"}'), "makes none"),
        ((AUTO, 'learning.rule="dyadic"'), "does not nudge"),
        ((AUTO, 'experiment={kind="nudge", betas=[0.1]}'), "exclude each other"),
    ],
)
def test_where_no_size_can_be_found_it_is_refused(tmp_path, edits, words):
    path = write_scenario(tmp_path, MEASURE)
    fault = only_fault(path, *edits)
    assert words in f"{fault.message} {fault.hint}"


@pytest.mark.parametrize("kind", ["centred", "one-sided"])
@pytest.mark.parametrize("rounds", [1, 2])
def test_the_settlings_of_a_search_are_foretold(tmp_path, kind, rounds):
    """Within what a limit adds: one free settling to look for it, and one estimate to confirm the size."""
    path = write_scenario(tmp_path, MEASURE.replace("record = { samples = 2, every_steps = 2 }", ""))
    scheme = f'learning={{scheme={{kind="{kind}", beta="auto", probe=0.1, rounds={rounds}}}}}'
    loaded = load_scenario(path, (scheme, NOISE, "experiment.samples=4", "experiment.repeats=2"))
    spent = int(run_in_memory(loaded, 1, Progress(quiet=True))[0][NAME]["settlings"].data[0])
    one = {"centred": 3, "one-sided": 2}[kind]
    assert abs(count_search_settlings(loaded.scenario) - spent) <= 1 + 2 * one
