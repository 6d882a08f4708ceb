"""A run finds the same over a socket and over a real pair of serial ports, and goes on where a connection was lost."""

import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest

import nudgelab
from scenarios.api import serve_board
from scenarios.boards.mock import make_mock_board
from scenarios.build import make_any_setup
from scenarios.experiments.watch import Interrupted
from substrate.hardware.responder import Responder
from substrate.hardware.sockets import SocketEnd
from tests.scenarios.boards.scenarios_on_boards import MEASURE, load_on_board
from tests.substrate.hardware.boards import answer_lines

SHORT = {"experiment.epochs": 1, "task.samples": 12}


@contextmanager
def serve(at):
    """Serve the simulated board of the tables; yield the port to open."""
    told, stop = [], threading.Event()
    ready = threading.Event()

    def tell(port):
        told.append(port)
        ready.set()

    thread = threading.Thread(target=serve_board, args=(load_on_board(SHORT), at, tell, stop.is_set))
    thread.start()
    try:
        assert ready.wait(60)
        yield told[0]
    finally:
        stop.set()
        thread.join()


def assert_same(found, wanted):
    for name in ("loss_train", "loss_test"):
        assert np.array_equal(found["metrics"][name].data, wanted["metrics"][name].data, equal_nan=True), name
    for name in ("in-l1", "l2-l1"):
        one, other = (run[f"weights/{name}"]["programmed"].data for run in (found, wanted))
        assert np.array_equal(one, other), name


@pytest.fixture(scope="module")
def straight():
    return load_on_board(SHORT).run()


def test_a_training_over_a_socket_is_that_over_a_pair_of_ports(straight):
    with serve(0) as port:
        assert port.startswith("socket://127.0.0.1:")
        assert_same(load_on_board(SHORT | {"hardware.port": port}).run(), straight)


@pytest.mark.skipif(shutil.which("socat") is None, reason="socat makes the pair of serial ports")
def test_a_training_over_a_real_pair_of_serial_ports(tmp_path, straight):
    ends = [tmp_path / name for name in ("board-end", "run-end")]
    wire = subprocess.Popen(["socat", *(f"pty,raw,echo=0,link={end}" for end in ends)])
    try:
        limit = time.monotonic() + 20.0
        while not all(end.exists() for end in ends):
            assert time.monotonic() < limit
            time.sleep(0.01)
        with serve(str(ends[0])) as told:
            assert told == f"the other end of {ends[0]}"
            assert_same(load_on_board(SHORT | {"hardware.port": str(ends[1])}).run(), straight)
    finally:
        wire.kill()
        wire.wait()


class HangingUp(Responder):
    """A board that hangs up once, after so many requests; the last one is carried out or not."""

    def __init__(self, board, end, after, arrives):
        super().__init__(board)
        self.left, self.end, self.arrives = after, end, arrives

    def answer(self, line):
        self.left -= 1
        if self.left:
            return super().answer(line)
        if self.arrives:
            super().answer(line)
        self.end._leave()
        return b""


@contextmanager
def serve_until_it_hangs_up(after, arrives):
    """Serve the board of the tables, with noise of reads if it is measured; yield the port."""
    board, end = make_mock_board(make_any_setup(load_on_board(SHORT).loaded)), SocketEnd(0)
    with answer_lines(HangingUp(board, end, after, arrives), end, end) as port:
        yield port


@pytest.mark.parametrize(("after", "arrives"), [(20, False), (120, True), (127, True), (127, False)])
def test_a_training_whose_connection_is_lost_goes_on(tmp_path, straight, after, arrives):
    """Amid the first tests, a measurement, and the lines of a write."""
    with serve_until_it_hangs_up(after, arrives) as port:
        run = load_on_board(SHORT | {"hardware.port": port})
        with pytest.raises(Interrupted, match="has closed the connection; the same command goes on from the"):
            run.run(tmp_path / "run")
        found = run.run(tmp_path / "run")
    assert_same(found, straight)
    # What was asked before counts: the free settlings that were cut off may be asked for once more.
    more = found["board"]["reads"].data - straight["board"]["reads"].data
    assert 0 <= more <= 12


@pytest.mark.parametrize("after", [60, 1 + 2 * (12 + 4 * 8) + 20])
def test_a_measurement_whose_connection_is_lost_goes_on(tmp_path, after):
    """In the first repeat, of which nothing is kept, and in the third."""
    three = SHORT | MEASURE | {"experiment.repeats": 3}
    with serve_until_it_hangs_up(after, True) as port:
        run = load_on_board(three | {"hardware.port": port})
        kept = (after - 1) // (12 + 4 * 8)
        words = f"closed the connection; {kept} of 3 measurements are kept, and the same command goes on"
        with pytest.raises(Interrupted, match=words):
            run.run(tmp_path / "run")
        found = run.run(tmp_path / "run")
    straight = load_on_board(three).run()
    for name in ("size", "spread"):
        assert np.array_equal(found["estimates"][name].data, straight["estimates"][name].data), name
    assert found["reads"]["out"].shape[0] == 3
    assert straight["board"]["reads"].data <= found["board"]["reads"].data <= straight["board"]["reads"].data + 12


def test_a_board_that_may_still_inject_is_told():
    def measure(port):
        with load_on_board(SHORT | {"hardware.port": port}).board() as bench:
            bench.set_input(np.zeros((1, 2)))
            bench.settle_injected({"out": np.zeros((1, 4))})
            bench._board._stream._socket.shutdown(socket.SHUT_RDWR)

    with serve(0) as port, pytest.warns(UserWarning, match="may still inject the drive of its last nudge"):
        measure(port)


def test_a_port_is_refused_when_the_scenario_is_checked():
    with pytest.raises(nudgelab.ScenarioError, match=r"hardware.port.*loop:// is refused.*socket://HOST:PORT"):
        load_on_board({"hardware.port": "loop://"})
