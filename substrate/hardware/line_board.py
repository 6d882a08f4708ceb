"""A board at the other end of a line: requests with numbers, sent again until they are answered.

The board remembers its last reply and gives it again to a request of the same number, so that nothing is carried out
twice, however often a request or its reply is lost.
"""

from __future__ import annotations

import math
import time as clock
from typing import Any

from ..protocol import Status
from .board import Board, BoardError, BoardInfo, Codes, Ending, Pulses, TransferError, read_info
from .counts import Transfers
from .lines import (
    BUSY,
    CHECKSUM,
    GarbledLineError,
    Message,
    format_codes,
    has_checksum,
    make_line,
    parse_codes,
    parse_line,
)
from .streams import LineStream


class LineBoard(Board):
    """The six primitives as lines of a stream.

    Parameters
    ----------
    stream : LineStream
        Where the board is.
    timeout : float
        Seconds to wait for a reply before the request is sent again; longer than a settling and the longest line take.
    retries : int
        How often a request is sent again before it fails.
    """

    def __init__(self, stream: LineStream, timeout: float, retries: int) -> None:
        self._stream, self._timeout, self._retries = stream, timeout, retries
        self._number, self._units, self._answers = 0, 0, True
        self._heard, self._strange, self._injects = False, b"", False
        self.transfers = Transfers()
        """What went over the line so far."""
        self.left = ""
        """After `close`: what the board may still do, because it did not answer."""

    def info(self) -> BoardInfo:
        """Return what the board tells of itself; the board forgets the number of the last request."""
        told = self._ask("INFO")
        found = read_info({name: value for name, value in told.items() if name != "id"})
        self._units = sum(list(found.layers.values())[1:])
        return found

    def clamp(self, codes: Codes) -> None:
        """Clamp the inputs to codes, (inputs,)."""
        self._ask("CLAMP", codes=format_codes(codes))

    def go(self, inject: Codes | None, time: float | None) -> Ending:
        """Let the chip settle, see `Board.go`."""
        given: Message = {} if inject is None else {"inject": format_codes(inject)}
        self._injects = inject is not None
        told = self._ask("GO", **given, **({} if time is None else {"time": time}))
        try:
            status = told.get("status")
            found = Ending(
                None if status is None else Status(status), *(_read_number(told, n) for n in Ending._fields[1:])
            )
        except ValueError as error:
            raise BoardError(f"the reply to GO: {error}") from error
        return found

    def sample(self) -> Codes:
        """Return the activities of all unclamped units now, (units,)."""
        try:
            return parse_codes(self._ask("SAMPLE").get("codes"), self._units)
        except ValueError as error:
            raise BoardError(f"the reply to SAMPLE has {error}") from error

    def pulse(self, pulses: Pulses) -> None:
        """Write cells."""
        block, first, counts, size = pulses
        self._ask("PULSE", block=block, first=first, counts=format_codes(counts), size=size)

    def close(self) -> None:
        """Leave the chip and give the port back; a board that has not answered is asked no more."""
        why = "the board does not answer"
        try:
            if self._answers:
                self._ask("CLOSE")
                self._injects = False
        except (BoardError, TransferError) as error:
            why = str(error)
        finally:
            self._stream.close()
        if self._injects:
            self.left = f"{why}, so it may still inject the drive of its last nudge: switch it off"

    def _ask(self, op: str, **fields: Any) -> Message:
        """Return the reply to a request."""
        self._number += 1
        line = make_line({"id": self._number, "op": op, **fields})
        begin, failure = clock.monotonic(), ""
        try:
            for attempt in range(self._retries + 1):
                self._stream.write(line)
                self._count(lines=1, bytes=len(line), retries=int(attempt > 0))
                found = self._wait_for_reply()
                if isinstance(found, dict):
                    return self._refuse_errors(op, found)
                failure = found
        finally:
            self._count(seconds=clock.monotonic() - begin)
        self._answers = False
        times = "once" if self._retries == 0 else f"{self._retries + 1} times"
        raise TransferError(f"{op} was sent {times} without an answer: {failure}{self._guess_cause()}")

    def _wait_for_reply(self) -> Message | str:
        """Return the reply to the last request, or why the request has to be sent again."""
        end = clock.monotonic() + self._timeout
        while (left := end - clock.monotonic()) > 0.0 and (line := self._stream.read_line(left)):
            self._count(bytes=len(line))
            try:
                found = parse_line(line)
            except GarbledLineError as error:
                if has_checksum(line):
                    return f"a reply was garbled: {error}"
                self._strange = line  # messages of a board that starts up, say
                self._count(ignored=1)
                continue
            self._heard = True
            if found.get("error") == CHECKSUM:
                return "the board could not read the request"
            if found.get("error") == BUSY or found.get("id") == self._number:
                return found  # others are late: those before it were answered twice
        return f"no reply within the {self._timeout:g} s of hardware.timeout"

    def _guess_cause(self) -> str:
        """Return what may be wrong where a board has never answered."""
        if self._heard:
            return ""
        found = "nothing arrived"
        if self._strange:
            found = f"what arrived is none of the protocol, such as {self._strange[:40]!r}"
        return f"; {found}: is it the port of the board, at its baud rate, and nobody else's?"

    def _refuse_errors(self, op: str, found: Message) -> Message:
        if "error" in found:
            raise BoardError(f"the board refuses {op}: {found['error']}: {found.get('text', '')}")
        return found

    def _count(self, **more: float) -> None:
        self.transfers = self.transfers.plus(Transfers(**more))  # type: ignore[arg-type]


def _read_number(told: Message, name: str) -> float:
    value = told.get(name)
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {value!r}, no number")
    return float(value)
