"""A simulated board in a process of its own is the board of a run in another."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import numpy as np
import tomlkit

import nudgelab
from scenarios.api import serve_board
from substrate.hardware.streams import PairEnd
from tests.scenarios.boards.scenarios_on_boards import MEASURE, TABLES, load_on_board

COMMAND = [sys.executable, "-c", "import nudgelab; nudgelab.main()", "mock-board"]


def same_estimates(found, wanted):
    for name in ("size", "spread"):
        assert np.array_equal(found["estimates"][name].data, wanted["estimates"][name].data), name


def test_the_command_serves_until_it_is_interrupted(tmp_path):
    """Two runs one after the other find the same chip; then the first interrupt ends it, with exit code 0."""
    (tmp_path / "board.toml").write_text(tomlkit.dumps(TABLES), encoding="utf-8")
    board = subprocess.Popen(
        [*COMMAND, str(tmp_path / "board.toml"), "--set", "seed=0"], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        port = board.stdout.readline().strip()
        for _ in range(2):
            same_estimates(load_on_board(MEASURE | {"hardware.port": port}).run(), load_on_board(MEASURE).run())
        board.send_signal(signal.SIGINT)
        assert board.wait(20) == 0
    finally:
        board.kill()
        board.stdout.close()


@contextmanager
def wire():
    """Yield the ports at the ends of a wire, as socat makes one: what arrives at one end leaves at the other."""
    ends, stop = (PairEnd(), PairEnd()), threading.Event()

    def carry(here, there):
        while not stop.is_set():
            there.write(here._receive(0.02))

    threads = [threading.Thread(target=carry, args=pair) for pair in (ends, ends[::-1])]
    for thread in threads:
        thread.start()
    try:
        yield [end.name for end in ends]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for end in ends:
            end.close()


def test_a_board_serves_at_one_end_of_a_wire():
    scenario, told, stop = nudgelab.load(TABLES), [], threading.Event()
    with wire() as (one, other):
        thread = threading.Thread(target=serve_board, args=(scenario, one, told.append, stop.is_set))
        thread.start()
        try:
            same_estimates(load_on_board(MEASURE | {"hardware.port": other}).run(), load_on_board(MEASURE).run())
        finally:
            stop.set()
            thread.join()
    assert told == [f"the other end of {one}"]


def test_the_bench_can_be_measured_by_hand():
    with load_on_board().board() as bench:
        bench.set_input(np.zeros((3, 2)))
        bench.settle()
        assert bench.read()["out"].shape == (3, 4)
        assert bench.transfers.lines == 1 + 3 * 3


def test_the_command_listens_at_a_socket(tmp_path):
    """It prints what to open, and serves at one place alone."""
    (tmp_path / "board.toml").write_text(tomlkit.dumps(TABLES), encoding="utf-8")
    file = str(tmp_path / "board.toml")
    told = subprocess.run([*COMMAND, file, "--listen", "1", "--port", "x"], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "a board serves at one of them" in told.stderr
    board = subprocess.Popen([*COMMAND, file, "--listen", "0"], stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        port = board.stdout.readline().strip()
        assert port.startswith("socket://127.0.0.1:")
        same_estimates(load_on_board(MEASURE | {"hardware.port": port}).run(), load_on_board(MEASURE).run())
        board.send_signal(signal.SIGINT)
        assert board.wait(20) == 0
    finally:
        board.kill()
        board.stdout.close()
