"""The board's side of a line: requests in, replies out, nothing carried out twice."""

from __future__ import annotations

import math
from collections.abc import Callable

from .board import Board, BoardError, BoardInfo, Pulses
from .lines import CHECKSUM, GarbledLineError, Message, format_codes, make_line, parse_codes, parse_line
from .streams import LineStream

_PAUSE = 0.05
"""Seconds between two looks at whether to stop."""


class Responder:
    """Answers the lines of a controller from a board.

    Parameters
    ----------
    board : Board
        Carries requests out.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._info: BoardInfo | None = None
        self._last: tuple[object, bytes] = (None, b"")

    def answer(self, line: bytes) -> bytes:
        """Return the reply to a line."""
        try:
            request = parse_line(line)
        except GarbledLineError:
            return make_line({"id": None, "error": CHECKSUM})
        number = request.get("id")
        if request.get("op") != "INFO" and number == self._last[0]:
            return self._last[1]
        try:
            reply = self._carry_out(request)
        except (BoardError, ValueError, KeyError, TypeError) as error:
            reply = {"error": "request", "text": str(error)}
        self._last = number, make_line({"id": number} | reply)
        return self._last[1]

    def _carry_out(self, request: Message) -> Message:
        board, op = self._board, request.get("op")
        if op == "INFO" or self._info is None:
            self._info = board.info()
        inputs, *units = self._info.layers.values()
        match op:
            case "INFO":
                return self._info.model_dump(exclude_none=True)
            case "CLAMP":
                board.clamp(parse_codes(request["codes"], inputs))
            case "GO":
                given = request.get("inject")
                ending = board.go(None if given is None else parse_codes(given, sum(units)), request.get("time"))
                status: Message = {} if ending.status is None else {"status": int(ending.status)}
                known = {"residual": ending.residual, "time": ending.time}
                return status | {name: value for name, value in known.items() if math.isfinite(value)}
            case "SAMPLE":
                return {"codes": format_codes(board.sample())}
            case "PULSE":
                counts = parse_codes(request["counts"], len(request["counts"]) // 4)
                board.pulse(Pulses(request["block"], request["first"], counts, request["size"]))
            case "CLOSE":
                board.close()
            case _:
                raise BoardError(f"no operation {op!r}: INFO, CLAMP, GO, SAMPLE, PULSE, CLOSE")
        return {}


def serve_lines(stream: LineStream, responder: Responder, stopped: Callable[[], bool]) -> None:
    """Answer every line of a stream until asked to stop."""
    while not stopped():
        if line := stream.read_line(_PAUSE):
            stream.write(responder.answer(line))
