"""Cells of weights, from a scenario file to the chip."""

import pytest

from scenarios.build import make_setup
from scenarios.front.progress import Progress
from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario
from scenarios.report.sheets import make_sheets
from scenarios.results import store
from scenarios.run.run import RunOptions, run_scenario
from tests.scenarios.experiments.measure.test_hardware import TRAIN
from tests.scenarios.files import write_scenario
from tests.scenarios.scenario_files import GOOD, faults_of, write

PHYSICAL = """
[physical]
volt_scale = "200 mV"
activity_volts = "500 mV"
tau = "1 us"
capacitance = "10 pF"
"""
CELLS = """
[devices.weights]
cell = "pair"
window = ["1 uS", "100 uS"]
levels = 64
mismatch_sigma = "5 %"
"""


def test_feedback_cells_stand_over_the_others(tmp_path):
    loaded = load_scenario(write(tmp_path, GOOD + CELLS + PHYSICAL))
    weights, feedback = loaded.scenario.in_units().devices.weights, loaded.scenario.in_units().devices.feedback
    assert weights.window == [0.25, 25.0]
    assert (weights.sigma, feedback.over(weights).sigma) == (0.05, 0.1)
    assert feedback.over(weights).levels == 64
    again = load_scenario(write(tmp_path, loaded.scenario.to_toml(), "again.toml")).scenario
    assert again == loaded.scenario


def test_a_chip_gets_its_cells(tmp_path):
    edit = 'devices.weights={window=[-1.0, 1.0], mismatch_sigma=0.2, gain_sigma="3 %"}'
    loaded = load_scenario(write_scenario(tmp_path), [edit])
    setup = make_setup(loaded)
    chip = setup.chip(0, threads=1)
    assert chip.causes == ["mismatch", "window", "path-gain"]


def test_the_largest_weight_of_a_cell_is_its_window(tmp_path):
    """Of both kinds of cells; the chip holds nothing beyond it, and says how many cells fall short."""
    edits = ["physical.weight_range=0.2", 'devices.feedback.cell="pair"']
    loaded = load_scenario(write_scenario(tmp_path), edits)
    devices = loaded.scenario.in_units().devices
    assert devices.weights.window == [-0.2, 0.2]
    assert devices.feedback.over(devices.weights).window == [0.0, 0.2]
    setup = make_setup(loaded)
    chip = setup.chip(0, threads=1)
    assert "window" in chip.causes
    for c in chip.topology.connections:
        assert abs(chip.held[c.block]).max() == 0.2 < abs(chip.programmed[c.block]).max()
        assert chip.unreached[c.block] == (abs(chip.programmed[c.block]) > 0.2).sum()


@pytest.mark.parametrize("table", ["weights", "feedback"])
def test_a_window_beside_the_largest_weight_is_refused(tmp_path, table):
    edits = ["physical.weight_range=0.2", f"devices.{table}.window=[-1.0, 1.0]"]
    (fault,) = faults_of(write_scenario(tmp_path), *edits)
    assert fault.path == ("devices", table, "window")
    assert "physical.weight_range is a window, too" in fault.message


@pytest.mark.parametrize(
    ("edits", "path", "message"),
    [
        (["devices.weights.levels=8"], "devices.weights", "give `window`"),
        (["devices.feedback.levels=8"], "devices.feedback", "over devices.weights: `levels` divide the window"),
        (["devices.weights.window=[0.1, 1.0]"], "devices.weights", "does not hold 0"),
        (['devices.weights.window=["-1 uS", "1 uS"]'], "devices.weights.window", "is in S, which needs [physical]"),
        (["devices.weights.mismatch_sigma=-1"], "devices.weights.mismatch_sigma", "must be >= 0"),
        (["devices.feedback.storage=copied"], "network.asymmetry.angle", "one number stands for both weights"),
        (
            ["devices.feedback.storage=shared-device", "network.asymmetry.angle=0"],
            "devices.feedback",
            "a shared device is the forward cell, so mismatch_sigma belongs into devices.weights",
        ),
    ],
)
def test_cells_without_meaning_are_refused_at_their_key(tmp_path, edits, path, message):
    fault, *_ = faults_of(write(tmp_path, GOOD), *edits)
    assert ".".join(str(key) for key in fault.path) == path
    assert message in fault.message


def test_parameters_that_differ_cannot_share_a_number(tmp_path):
    loaded = load_scenario(write_scenario(tmp_path), ["devices.feedback.storage=copied"])
    with pytest.raises(ScenarioError, match="'weight/l2-l1' is not the transpose of 'weight/l1-l2'"):
        make_setup(loaded)


def test_one_number_trains_for_both_directions(tmp_path):
    """A whole run on shared devices: the weights stay symmetric while they learn."""
    text = TRAIN.replace('parameters = "parameters.npz"', "").replace(
        "mismatch_sigma = 0.1", 'storage = "shared-device"'
    )
    done = run_scenario(
        load_scenario(write_scenario(tmp_path, text)), RunOptions(tmp_path / "out"), Progress(quiet=True)
    )
    metrics = store.read_result_file(done.folder / "run.h5")["metrics"]
    assert metrics["symmetry_couplings"].data[-1] == pytest.approx(1.0, abs=1e-12)


def test_a_capacitance_makes_the_noise_of_a_hold(tmp_path):
    """Root of kT/C at 1 pF and 300 K is 64.4 uV; four times the temperature doubles it."""
    text = GOOD + '[devices.hold]\ncapacitance = "1 pF"\n'
    for kelvins in (300.0, 1200.0):
        scenario = load_scenario(write(tmp_path, text + PHYSICAL), [f"physical.temperature={kelvins}"]).scenario
        hold = scenario.in_units().devices.hold
        assert hold.noise == pytest.approx(64.36e-6 / 0.5 * (kelvins / 300.0) ** 0.5, rel=1e-3)
        assert scenario.devices.hold.random
        assert hold.capacitance is None
    (fault,) = faults_of(write(tmp_path, text))
    assert fault.message == "its noise is in volts"


def test_wires_need_pairs(tmp_path):
    (fault,) = faults_of(write(tmp_path, GOOD), "devices.wires.segment=0.001")
    assert fault.message == "wires need conductances, which only pairs of devices have"
    text = GOOD + CELLS + PHYSICAL
    scenario = load_scenario(write(tmp_path, text), ["devices.wires={segment='1 ohm', ends='opposite'}"]).scenario
    # 1 ohm times the 4 uS of a weight of 1.
    assert scenario.in_units().devices.wires.segment == pytest.approx(4e-6)
    assert 'segment = "1 ohm"' in scenario.to_toml()


def test_a_report_tells_what_each_imperfection_does(tmp_path):
    edits = ["devices.twin.mismatch_sigma=0.01", "devices.noise.read=0.001", "experiment.record.samples=1"]
    done = run_scenario(
        load_scenario(write_scenario(tmp_path), edits), RunOptions(tmp_path / "out"), Progress(quiet=True)
    )
    result = store.read_result_file(done.folder / "run.h5")
    (sheet,) = (s for s in make_sheets(result, 8) if s.title == "Imperfections of this chip")
    assert [row[:2] for row in sheet.rows] == [
        ["mismatch", "common to both phases"],
        ["twin", "phase-different"],
        ["read-noise", "random"],
    ]
    assert "over beta" in sheet.rows[1][2]
    assert "phase-different" in (done.folder / "report.html").read_text(encoding="utf-8")
    ideal = run_scenario(
        load_scenario(write_scenario(tmp_path), ["devices.feedback.mismatch_sigma=0"]),
        RunOptions(tmp_path / "ideal"),
        Progress(quiet=True),
    )
    assert "causes" not in store.read_result_file(ideal.folder / "run.h5").groups
