"""What a board cannot do is refused when a scenario is checked, in words that say what to use instead."""

import numpy as np
import pytest

import nudgelab
from scenarios.build import make_any_setup
from scenarios.run.identity import compute_run_id
from scenarios.schema.board.faults import CURES
from substrate.ports import ALL_PORTS, BOARD_PORTS, PORTS
from tests.scenarios.boards.scenarios_on_boards import BOARD, MEASURE, TABLES, load_on_board

REFUSED = [
    ({"phases.nudge": "continuous"}, "a nudge that is not held needs a force", 'set phases.nudge = "held"'),
    ({"learning.scheme": {"kind": "circle", "points": 4, "beta": 0.1}}, "circle needs states and nudges", "centred"),
    ({"learning.scheme": {"kind": "centred", "beta": "auto"}}, "is found on a simulated chip", "give the number"),
    ({"learning.rule": "pat"}, "pat needs a model", '"error-vector"'),
    ({"learning.rule": "dfa"}, "dfa needs a model", '"error-vector"'),
    ({"learning.rule": "dyadic"}, "dyadic needs a second state", '"error-vector"'),
    ({"learning.rule": "asym-ep"}, "asym-ep needs circuits that correct", '"error-vector"'),
    ({"learning.rule": "weight-perturbation"}, "weight-perturbation needs a line", '"node-perturbation"'),
    ({"learning.homeostasis": {"kind": "open-loop"}}, "open-loop needs reads of the drives", '"closed-loop"'),
    ({"learning.homeostasis": {"kind": "exact"}}, "exact needs the weights as they are", '"closed-loop"'),
    (
        {"learning.write": "verify", "devices.update": {"kind": "constant-step", "step": 0.01}},
        "verify needs reads of single cells",
        '"accumulate"',
    ),
    ({"experiment": {"kind": "settle"}}, "settle looks into a simulated chip", "measure or train"),
    ({"experiment": {"kind": "nudge"}}, "nudge looks into a simulated chip", "measure or train"),
    ({"experiment.ledger": {"samples": 2}}, "needs a simulated chip", "a twin of the chip has it"),
    ({"experiment.reference": True}, "needs a simulated chip", "leave it out"),
    (MEASURE | {"experiment.change": [{"set": {"devices.noise.read": 0.1}}]}, "experiment.change", "leave it out"),
    (MEASURE | {"experiment.interactions": True}, "needs a simulated chip", "leave it out"),
    (MEASURE | {"hardware.begin": "erased"}, "takes the cells as they are", '"train"'),
    ({"hardware.probes": 4}, "a training compares nothing", '"measure"'),
    (MEASURE | {"hardware.probe_size": 0.3}, "there are no probes", "hardware.probes"),
    ({"hardware.port": "COM3", "hardware.loss.drop": 0.1}, "lines to a mock board", 'port = "mock"'),
    ({"network.activation": "softplus"}, "has no range of its own", "add adc"),
    (
        {"sweep": {"axis": [{"path": "chip.instance", "values": [0, 1]}]}},
        "there is one board",
        "leave it out",
    ),
]


@pytest.mark.parametrize(("edits", "words", "hint"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_it_is_refused_by_name_with_what_to_use_instead(edits, words, hint):
    with pytest.raises(nudgelab.ScenarioError) as error:
        load_on_board(edits)
    assert words in str(error.value)
    assert hint in str(error.value)
    plain = {key: value for key, value in edits.items() if not key.startswith("hardware")}
    if plain == edits and "auto" not in str(edits):
        nudgelab.load(TABLES, plain)  # a simulated chip can


@pytest.mark.parametrize(
    "edits",
    [
        {},
        MEASURE | {"hardware.probes": 4},
        {"learning.rule": "contrastive"},
        {"learning.rule": "node-perturbation"},
        {"learning.rule": "layer-nudges", "phases.nudge": "continuous"},
        {"devices.feedback": {"storage": "copied"}},
        {"learning.rule": {"kind": "kolen-pollack", "decay": 0.01}},
        {"learning.rule": "feedback-alignment"},
        {"learning.homeostasis": {"kind": "closed-loop"}},
        {"learning.scheme": {"kind": "random-sign", "beta": 0.1}},
        {"network.activation": "softplus", "hardware.adc": {"scale": 1e-4}},
    ],
)
def test_what_a_board_can_do_is_good(edits):
    assert str(load_on_board(edits).check()) == "good"


def test_every_port_that_boards_lack_has_a_cure():
    assert PORTS.keys() == ALL_PORTS
    assert CURES.keys() == ALL_PORTS - BOARD_PORTS


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"adc_scale": np.ones(3)}, "give real numbers of shape (15,)"),
        ({"dac_scale": np.zeros(15)}, "scales are above 0"),
        ({"input_offset": np.array([0.0, np.nan])}, "all are finite"),
        ({"gain": np.ones(15)}, "no such array"),
        ({"stuck/weight/l1-l2": np.zeros((6, 5))}, "give booleans of shape (6, 5)"),
    ],
)
def test_a_calibration_that_does_not_fit_is_refused(tmp_path, arrays, words):
    np.savez(tmp_path / "board.npz", **arrays)
    with pytest.raises(nudgelab.ScenarioError) as error:
        load_on_board({"hardware.calibration": str(tmp_path / "board.npz")}).check()
    assert words in str(error.value)


def test_a_calibration_is_told(tmp_path):
    stuck = np.zeros((6, 5), dtype=bool)
    stuck[0, 0] = True
    np.savez(tmp_path / "board.npz", adc_scale=np.full(15, 2e-5), **{"stuck/weight/l1-l2": stuck})
    taken = load_on_board({"hardware.calibration": str(tmp_path / "board.npz")}).check().taken
    assert taken == ["hardware.calibration = board.npz: adc_scale; 1 cells are stuck"]


def test_what_a_calibration_holds_names_the_run(tmp_path):
    found = []
    for scale in (2e-5, 2e-5, 3e-5):
        np.savez(tmp_path / f"board-{len(found)}.npz", adc_scale=np.full(15, scale))
        loaded = load_on_board({"hardware.calibration": str(tmp_path / f"board-{len(found)}.npz")}).loaded
        found.append(compute_run_id(loaded.spec, make_any_setup(loaded).content))
    assert found[0] == found[1] != found[2]


def test_how_lines_travel_names_no_run():
    names = {
        compute_run_id(load_on_board(edits).loaded.spec, {})
        for edits in ({}, {"hardware.baud": 9600}, {"hardware.timeout": 1.0, "hardware.retries": 9})
    }
    assert len(names) == 1
    assert compute_run_id(nudgelab.load(TABLES, BOARD | {"hardware.port": "COM3"}).loaded.spec, {}) not in names
