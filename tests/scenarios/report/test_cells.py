"""What a result says of cells that do not hold their weight, and of requests that one write could not give."""

import re

import pytest

from scenarios.build import make_setup
from scenarios.front.progress import Progress
from scenarios.language.load import load_scenario
from scenarios.reach import count_unreached, describe_unreached_cells
from scenarios.report.answer import list_remarks
from scenarios.report.sheets import make_sheets
from scenarios.results import store
from scenarios.run.run import RunOptions, run_scenario
from tests.scenarios.experiments.measure.test_hardware import TRAIN
from tests.scenarios.result_files import find_nameless

from ..files import MEASURE, write_scenario

TIGHT = "devices.update={kind='soft-bounds', step=1e-9, w_max=0.2, w_min=-0.2, w_max_sigma=0.3}"
EVALUATE = ['experiment={kind="evaluate", chips=2}']


def told(tmp_path, text, *edits):
    loaded = load_scenario(write_scenario(tmp_path, text), [TIGHT, *edits])
    done = run_scenario(loaded, RunOptions(tmp_path / "out"), Progress(quiet=True))
    result = store.read_result_file(done.folder / "run.h5")
    assert find_nameless(result) == []
    return result, "\n".join(list_remarks(result))


@pytest.mark.parametrize("text", [MEASURE, TRAIN])
def test_both_are_told_by_connection(tmp_path, text):
    result, words = told(tmp_path, text, "learning.optimiser.rate=0.5")
    count = int(result["devices/in-l1"]["unreached"].data)
    cells = result["devices/in-l1"]["programmed"].data.size
    assert 0 < count < cells
    assert re.search(rf"Cells: {count} \(.* %\) of in-l1, .* were given a weight beyond", words)
    assert re.search(r"Requests: \d+ of in-l1, .* asked for more pulses than one write gives", words)
    if "metrics" in result.groups:
        rows = [row[0] for sheet in make_sheets(result, 9) for row in sheet.rows]
        assert "requests of in-l1 cut to the most pulses of one write" in rows


def test_chips_that_are_only_tested_are_counted_as_wholes(tmp_path):
    result, words = told(tmp_path, MEASURE, *EVALUATE)
    worst = int(result["evaluate"]["unreached"].data.max())
    assert worst > 0
    assert f"Cells: up to {worst} of a chip were given a weight" in words


def test_a_chip_whose_cells_hold_all_says_nothing(tmp_path):
    _, words = told(tmp_path, MEASURE, "devices.update={kind='soft-bounds', step=0.01, w_max=50.0, w_min=-50.0}")
    assert "Cells:" not in words
    assert "Requests:" not in words


BESIDE = [
    [],
    ["devices.weights={cell='pair', window=[0.0, 0.3], levels=16}"],
    ["devices.feedback={storage='copied'}", "network.asymmetry.angle=0"],
    ["devices.feedback={storage='shared-device'}", "network.asymmetry.angle=0", "chip.instance=3"],
    ["devices.update={kind='verified', error=[0.0], w_max=0.3}"],
    ["devices.update={kind='soft-bounds', step=0.01, w_max=0.3, w_max_sigma=0.3, one_sided={reset=0.05}}"],
    ["devices.update={kind='soft-bounds', step=0.01, w_max=0.3, up_down=0.2, subtract='symmetry-point'}"],
    ["physical.weight_range=0.2", "devices.update={kind='constant-step', step=0.01}"],
]


@pytest.mark.parametrize("edits", BESIDE)
def test_a_check_counts_the_cells_of_the_chip_that_a_run_makes(tmp_path, edits):
    text = MEASURE.replace('parameters = "parameters.npz"\n', "")
    loaded = load_scenario(write_scenario(tmp_path, text), [TIGHT, *edits])
    setup = make_setup(loaded)
    chip = setup.chip(loaded.scenario.chip.instance, threads=1)
    counts = count_unreached(setup)
    assert counts == {block: n for block, n in chip.unreached.items() if block.startswith("weight/")}
    assert sum(counts.values()) > 0
    assert re.search(r"^Cells: \d+ .* were given a weight beyond", "".join(describe_unreached_cells(setup)))


def test_a_check_of_parameters_from_a_file_counts_them(tmp_path):
    loaded = load_scenario(write_scenario(tmp_path, MEASURE), [TIGHT])
    setup = make_setup(loaded)
    chip = setup.chip(0, threads=1)
    for block, count in count_unreached(setup).items():
        assert count == chip.unreached[block]
    free = load_scenario(write_scenario(tmp_path, MEASURE), [])
    assert list(describe_unreached_cells(make_setup(free))) == []
