"""From a scenario to the bench of a chip on a board, a real one or a simulated one at a pair of serial ports."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.hardware.bench import BenchSetting, HardwareBench
from substrate.hardware.board import BoardError, BoardInfo
from substrate.hardware.line_board import LineBoard
from substrate.hardware.loss import LossyStream
from substrate.hardware.responder import Responder, serve_lines
from substrate.hardware.scales import make_scales
from substrate.hardware.sockets import open_port
from substrate.hardware.streams import LineStream, PairEnd

from ..build import Setup
from ..schema.board.keys import MOCK, Hardware
from .mock import list_blocks_at_begin, make_mock_board

if TYPE_CHECKING:  # it needs compiled code
    from substrate.hardware.chip_board import ChipBoard

Array = NDArray[np.float64]

_CHIP = "mock/"
"""Begins the names of what the chip of a mock board keeps in a checkpoint."""


class OpenBoard(NamedTuple):
    """A board that is connected."""

    bench: HardwareBench
    info: BoardInfo
    mock: ChipBoard | None = None
    """The simulated board at the other end, if it is one."""

    def keep(self) -> dict[str, Array]:
        """Return what a checkpoint needs; of a mock board also what its chip holds."""
        kept = self.bench.keep()
        return kept if self.mock is None else kept | {_CHIP + name: block for name, block in self.mock.keep().items()}


@contextmanager
def connect_board(
    setup: Setup, saved: Mapping[str, Array] | None = None, told: Callable[[str], None] = warnings.warn
) -> Iterator[OpenBoard]:
    """Open the port of a scenario and yield its bench; leave the chip and the port at the end.

    Parameters
    ----------
    setup : Setup
        With a table ``[hardware]``.
    saved : mapping, optional
        What `OpenBoard.keep` returned, to go on from.
    told : callable, optional
        Is told where the board could not be left in order.

    Raises
    ------
    BoardError
        If the board has another chip than the scenario, or does not stand where it was left.
    TransferError
        If the port cannot be opened, or the board does not answer.
    """
    given = get_hardware(setup)
    if given.port != MOCK:
        with _open_line(given.port, given, told) as line:
            yield _make_bench(setup, line, saved)
        return
    inside = {name.removeprefix(_CHIP): block for name, block in (saved or {}).items() if name.startswith(_CHIP)}
    mock, end, stop = make_mock_board(setup, inside or None), PairEnd(), threading.Event()
    stream: LineStream = LossyStream(end, given.loss, setup.fabrication.seed) if given.loss.on else end
    thread = threading.Thread(target=serve_lines, args=(stream, Responder(mock), stop.is_set), daemon=True)
    thread.start()
    try:
        with _open_line(end.name, given, told) as line:
            yield _make_bench(setup, line, saved)._replace(mock=mock)
    finally:
        stop.set()
        thread.join()
        end.close()


def get_hardware(setup: Setup) -> Hardware:
    """Return the table ``[hardware]``.

    Raises
    ------
    BoardError
        If the scenario has none.
    """
    if setup.scenario.hardware is None:
        raise BoardError('the scenario has no board: add [hardware] port = "mock"')
    return setup.scenario.hardware


@contextmanager
def _open_line(port: str, given: Hardware, told: Callable[[str], None]) -> Iterator[LineBoard]:
    line = LineBoard(open_port(port, given.baud, given.timeout), given.timeout, given.retries)
    try:
        yield line
    finally:
        line.close()
        if line.left:
            told(line.left)


def _make_bench(setup: Setup, line: LineBoard, saved: Mapping[str, Array] | None) -> OpenBoard:
    """Return the bench of a board that answers, once it is the board of the scenario."""
    given, info, topology = get_hardware(setup), line.info(), setup.design.topology
    wires = [c.name for c in topology.connections]
    if info.layers != topology.layers or list(info.layers) != list(topology.layers) or info.connections != wires:
        raise BoardError(
            f"the board {info.name!r} has layers {info.layers} and connections {', '.join(info.connections)}, "
            f"the scenario {dict(topology.layers)} and {', '.join(wires)}: both must agree, in this order"
        )
    step = getattr(setup.design.devices.update, "step", None)
    if step is not None and step != info.step:
        told = "of any size" if info.step is None else f"of {info.step:g}"
        raise BoardError(f"devices.update.step is {step:g}, but the pulses of the board {info.name!r} are {told}")
    scales = {name: scale for name in ("input", "adc", "dac") if (scale := getattr(given, name)) is not None}
    setting = BenchSetting(
        make_scales(info, scales, setup.calibration.scales),
        given.settle_time,
        setup.scenario.tau or 1.0,
        info.step,
        setup.calibration.stuck,
        setup.known_cells.tied,
    )
    bench = HardwareBench(line, info, topology, list_blocks_at_begin(setup), setting)
    if saved is not None:
        bench.restore(saved)
    elif given.begin == "erased" and info.written:
        raise BoardError(f"hardware.begin: the board has carried out {info.written} lines of pulses: erase its cells")
    return OpenBoard(bench, info)
