"""Boards with simulated chips, at once and at the other end of a pair of serial ports."""

from __future__ import annotations

import threading
from contextlib import contextmanager

from substrate.dynamics.phases import Phases
from substrate.hardware.bench import BenchSetting, HardwareBench
from substrate.hardware.board import BoardInfo
from substrate.hardware.chip_board import ChipBoard
from substrate.hardware.line_board import LineBoard
from substrate.hardware.loss import LossyStream
from substrate.hardware.responder import Responder, serve_lines
from substrate.hardware.scales import make_scales, span_range
from substrate.hardware.sockets import open_port
from substrate.hardware.streams import PairEnd
from tests.networks import random_chip

HELD = Phases(nudge="held")


def held_chip(**changes):
    """Return a chip as boards have them: with a nudge that is held."""
    return random_chip(sigma=0.1, phases=HELD, **changes)


def make_info(chip, **changes):
    """Return what a board with this chip tells: activities from 0 to 1, drives from -0.5 to 0.5."""
    told = {
        "name": "simulated",
        "layers": dict(chip.layers),
        "connections": [f"{pre}-{post}" for pre, post in chip.connections],
        "input": span_range(0.0, 1.0),
        "adc": span_range(0.0, 1.0),
        "dac": span_range(-0.5, 0.5),
    }
    return BoardInfo(**(told | changes))


def make_board(chip=None, **changes):
    chip = chip or held_chip()
    return ChipBoard(chip, make_info(chip, **changes))


def make_bench(board, chip=None, **setting):
    """Return a bench on a board whose chip, if not that of the board, names the wiring and the programmed weights."""
    chip, info = chip or board.chip, board.info()
    return HardwareBench(
        board, info, chip.topology, chip.programmed, BenchSetting(make_scales(info, {}, {}), **setting)
    )


@contextmanager
def serve(board, end, loss=None):
    """Answer from a board at one end of a line; yield the name of the other."""
    stream = end if loss is None else LossyStream(end, loss, seed=1)
    with answer_lines(Responder(board), stream, end) as port:
        yield port


@contextmanager
def answer_lines(responder, stream, end):
    """Answer the lines of a stream, which come to one end of a line; yield the name of the other."""
    stop = threading.Event()
    thread = threading.Thread(target=serve_lines, args=(stream, responder, stop.is_set))
    thread.start()
    try:
        yield end.name
    finally:
        stop.set()
        thread.join()
        end.close()


@contextmanager
def serve_over_pair(board, loss=None, timeout=2.0, retries=3):
    """Answer from a board at one end of a pair of serial ports; yield the line board at the other."""
    with serve(board, PairEnd(), loss) as port, connect(port, timeout, retries) as line:
        yield line


@contextmanager
def connect(port, timeout=2.0, retries=3):
    """Yield the line board at a port."""
    line = LineBoard(open_port(port, 115_200, timeout), timeout, retries)
    try:
        yield line
    finally:
        line.close()
