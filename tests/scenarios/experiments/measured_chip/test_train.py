"""A training on a board follows that of the simulator within its codes, and goes on where its line failed."""

import numpy as np
import pytest

import nudgelab
from scenarios.experiments.watch import Interrupted
from substrate.hardware import line_board
from substrate.hardware.board import TransferError
from tests.scenarios.boards.scenarios_on_boards import TABLES, load_on_board

CODE = 1.0 / 65_535


@pytest.fixture(scope="module")
def straight():
    """Return a training on a board, and the same in the simulator."""
    return load_on_board().run(), nudgelab.load(TABLES).run()


def test_the_training_is_that_of_the_simulator_within_the_codes(straight):
    """A gradient is off by about ``code/sqrt 12 x sqrt G/beta``, and a training by its steps' sum at the most.

    A cost of about 1 changes by less than its gradient's error times the way that was gone: here some 1e-4.
    """
    board, simulated = straight
    for name in ("error_train", "error_test"):
        assert np.array_equal(board["metrics"][name].data[1:], simulated["metrics"][name].data[1:])
    for name in ("loss_train", "loss_test"):
        assert np.allclose(board["metrics"][name].data[1:], simulated["metrics"][name].data[1:], rtol=0.0, atol=5e-4)
    steps, gain = 8, np.sqrt(0.5) / 0.2 * CODE / np.sqrt(12.0)
    way = steps * 0.1 * 10.0 * gain  # momentum makes ten steps of one; 5 standard errors below
    for name in ("in-l1", "l1-l2", "l2-out", "out-l2"):
        weights = [found[f"weights/{name}"]["programmed"].data for found in straight]
        assert np.abs(weights[0] - weights[1]).max() < 5.0 * way, name


def test_what_was_asked_is_counted(straight):
    metrics = straight[0]["metrics"]
    trained, tested = 2 * 24, 3 * 12
    assert metrics["settlings"].data[-1] == 5 * trained
    assert metrics["resettlings"].data[-1] == 2 * trained
    # Free and twice nudged for each sample, eight blocks for each of eight writes, and the first question.
    lines = trained * (3 + 2 * 4) + 3 * tested + 8 * 8 + 1
    assert metrics["lines"].data[-1] == lines
    assert straight[0]["board"]["lines"].data == lines
    assert metrics["retries"].data[-1] == 0
    assert 80 * lines < metrics["bytes"].data[-1] < 500 * lines
    assert "saturation" not in metrics
    assert "gradient" not in straight[0].stored.groups


def test_the_answer_and_the_tables_are_those_of_a_training(straight):
    assert "2 epochs took the test error" in straight[0].answer
    assert straight[0].status == "complete"


class Stop:
    """A watch that asks to stop after so many batches."""

    def __init__(self, after):
        self.after, self.lines = after, []

    def say(self, text):
        self.lines.append(text)

    def advance(self, done, _total, _text):
        self.done = done

    def log_to(self, path):
        pass

    def stopped(self):
        return getattr(self, "done", 0) >= self.after


def assert_same(found, wanted):
    for name in ("loss_train", "loss_test", "error_test", "settlings", "writes", "pulses", "requests_lost"):
        assert np.array_equal(found["metrics"][name].data, wanted["metrics"][name].data, equal_nan=True), name
    for name in ("in-l1", "l1-l2", "out-l2"):
        one, other = (run[f"weights/{name}"]["programmed"].data for run in (found, wanted))
        assert np.array_equal(one, other), name


def test_a_training_that_is_stopped_goes_on_code_for_code(tmp_path, straight):
    with pytest.raises(Interrupted, match="the same command goes on"):
        load_on_board().run(tmp_path / "run", watch=Stop(3))
    watch = Stop(1000)
    found = load_on_board().run(tmp_path / "run", watch=watch)
    assert any("going on after" in line for line in watch.lines)
    assert_same(found, straight[0])
    again = 2  # the question what the board is, and the end before
    assert found["metrics"]["lines"].data[-1] in (straight[0]["metrics"]["lines"].data[-1] + np.arange(again + 1))


@pytest.mark.parametrize(
    ("op", "count"),
    [
        ("GO", 130),
        ("PULSE", 12),
        pytest.param("SAMPLE", 120, marks=pytest.mark.slow),
        pytest.param("CLAMP", 40, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("arrived", [False, True])
def test_a_training_whose_line_fails_goes_on_code_for_code(tmp_path, straight, monkeypatch, op, count, arrived):
    """Amid a test, a measurement or a write; the request is lost, or it was carried out and its reply is."""
    asked, whole = [], line_board.LineBoard._ask

    def fail(self, name, **fields):
        asked.append(name)
        if name == op and asked.count(op) == count:
            if arrived:
                whole(self, name, **fields)
            raise TransferError(f"{name} was sent 4 times without an answer: no reply within 5 s")
        return whole(self, name, **fields)

    monkeypatch.setattr(line_board.LineBoard, "_ask", fail)
    with pytest.raises(Interrupted, match=r"without an answer.*goes on from the checkpoint"):
        load_on_board().run(tmp_path / "run")
    monkeypatch.setattr(line_board.LineBoard, "_ask", whole)
    assert_same(load_on_board().run(tmp_path / "run"), straight[0])


def test_a_lossy_line_changes_no_number(straight):
    lossy = {"hardware.loss": {"drop": 0.01, "garble": 0.02}, "hardware.timeout": 0.1, "hardware.retries": 30}
    found = load_on_board(lossy).run()
    assert_same(found, straight[0])
    assert found["metrics"]["retries"].data[-1] > 5


def test_erased_cells_are_programmed_first():
    found = load_on_board({"hardware.begin": "erased", "experiment.epochs": 1}).run()
    usual = load_on_board({"experiment.epochs": 1}).run()
    assert np.allclose(found["metrics"]["loss_test"].data, usual["metrics"]["loss_test"].data, rtol=0.0, atol=1e-3)
    assert found["board"]["lines"].data == usual["board"]["lines"].data + 5  # blocks that do not begin at 0


def test_a_board_with_another_chip_is_refused(monkeypatch):
    from scenarios.boards import connect, mock  # noqa: PLC0415

    whole = mock.make_mock_board

    def other(setup, kept=None):
        board = whole(setup, kept)
        board._info = board._info.model_copy(update={"connections": ["in-l1", "l1-out"]})
        return board

    monkeypatch.setattr(connect, "make_mock_board", other)
    with pytest.raises(nudgelab.RunError, match="both must agree, in this order"):
        load_on_board().run()


def test_a_port_that_is_not_there_is_told():
    with pytest.raises(nudgelab.RunError, match="no-such-port: cannot open this port"):
        load_on_board({"hardware.port": "no-such-port"}).run()


def test_what_was_lost_is_told():
    """Inputs beyond their converter, and requests that round to no pulse of 0.01."""
    edits = {"hardware.input": {"scale": 1e-3, "least": 0, "most": 100}, "experiment.epochs": 1}
    found = load_on_board(edits | {"devices.update": {"kind": "constant-step", "step": 0.01}}).run()
    clipped, lost = (int(found["board"][name].data) for name in ("codes_clipped", "requests_lost"))
    assert f"{clipped:,} inputs and drives beyond the range of their converter." in found.remarks
    assert f"{lost:,} requests of changes that round to no pulse." in found.remarks
    assert min(clipped, lost) > 0
