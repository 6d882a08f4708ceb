"""Simulated boards: with the chip of a scenario, at their end of a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from substrate.hardware.board import BoardError, BoardInfo, Scale
from substrate.hardware.loss import LossyStream
from substrate.hardware.responder import Responder, serve_lines
from substrate.hardware.scales import span_range
from substrate.hardware.sockets import SocketEnd, open_port
from substrate.hardware.streams import LineStream, PairEnd

from ..build import Setup
from ..schema.board.keys import BOUNDS, DRIVES, Hardware

if TYPE_CHECKING:  # it needs compiled code
    from substrate.hardware.chip_board import ChipBoard

Array = NDArray[np.float64]

_SEEN = 1000
"""Samples whose range the inputs of a simulated board span."""


def list_blocks_at_begin(setup: Setup) -> dict[str, Array]:
    """Return what cells and readout hold before a training, by block."""
    given = setup.scenario.hardware
    erased = given is not None and given.begin == "erased"
    return {
        name: np.zeros_like(block) if erased and not name.startswith("readout/") else block
        for name, block in setup.programmed.items()
    }


def make_mock_board(setup: Setup, kept: Mapping[str, Array] | None = None) -> ChipBoard:
    """Return a simulated board with the chip of a scenario.

    Parameters
    ----------
    setup : Setup
        With a table ``[hardware]``, or without: then with the usual scales.
    kept : mapping, optional
        What `ChipBoard.keep` returned, to go on from.
    """
    from substrate.hardware.chip_board import ChipBoard  # noqa: PLC0415  it loads compiled code

    given = setup.scenario.hardware
    blocks = dict(kept or list_blocks_at_begin(setup))
    written, presented = (int(blocks.pop(name, np.array(0.0))) for name in ("written", "presented"))
    topology = setup.design.topology
    info = BoardInfo(
        name=f"simulated {setup.scenario.name}",
        layers=dict(topology.layers),
        connections=[c.name for c in topology.connections],
        step=getattr(setup.design.devices.update, "step", None),
        written=written,
        **dict[str, Any](_choose_scales(setup, given)),
    )
    board = ChipBoard(setup.chip(programmed=blocks, threads=1), info, setup.scenario.tau or 1.0, presented)
    board.warm_up()
    return board


def _choose_scales(setup: Setup, given: Hardware | None) -> dict[str, Scale]:
    """Return the scales of a simulated board, as given or so that its codes span what they have to say."""
    seen = np.concatenate([np.asarray(part[:_SEEN]) for part in (setup.data.x, setup.data.x_test)])
    law = setup.scenario.network.activation
    usual = {
        "input": span_range(min(0.0, float(seen.min())), max(1.0, float(seen.max()))),
        "adc": span_range(*BOUNDS[law]) if isinstance(law, str) and law in BOUNDS else None,
        "dac": span_range(-DRIVES, DRIVES),
    }
    found = {name: getattr(given, name, None) or scale for name, scale in usual.items()}
    if lacking := [name for name, scale in found.items() if scale is None]:
        raise BoardError(f"hardware.{lacking[0]} is needed: the activation has no range of its own")
    return {name: scale for name, scale in found.items() if scale is not None}


def serve_mock_board(
    setup: Setup, at: str | int | None, told: Callable[[str], None], stopped: Callable[[], bool]
) -> None:
    """Serve a simulated board until asked to stop.

    Parameters
    ----------
    setup : Setup
        With the chip.
    at : str, int or None
        Port to serve at, such as one end of a pair; number of a socket of this machine to listen at, 0 for any that is
        free; None: a new pair of serial ports.
    told : callable
        Is told the port to open at the other end.
    stopped : callable
        Tells whether to end.

    Raises
    ------
    BoardError
        If the activation has no range and no scale is given.
    TransferError
        If the port cannot be opened.
    """
    given, board = setup.scenario.hardware, make_mock_board(setup)
    end = _open_end(at, given)
    told(end.name if isinstance(end, PairEnd | SocketEnd) else f"the other end of {at}")
    stream = end
    if given is not None and given.loss.on:
        stream = LossyStream(end, given.loss, setup.fabrication.seed)
    try:
        serve_lines(stream, Responder(board), stopped)
    finally:
        end.close()


def _open_end(at: str | int | None, given: Hardware | None) -> LineStream:
    """Return the board's end of a line."""
    if isinstance(at, int):
        return SocketEnd(at)
    if at is None:
        return PairEnd()
    baud, patience = (
        Hardware.model_fields[name].default if given is None else getattr(given, name) for name in ("baud", "timeout")
    )
    return open_port(at, baud, patience)
