"""A line that loses, garbles and delays what goes over it, to see that nothing wrong is ever taken for an answer."""

from __future__ import annotations

import time
from typing import Annotated

from pydantic import Field

from devices.parameters import Parameters, Seconds
from devices.random import Stream

from .streams import LineStream

Probability = Annotated[float, Field(ge=0.0, le=0.9)]


class Loss(Parameters):
    """What befalls lines, each way by itself."""

    drop: Probability = 0.0
    """Probability that a line is lost."""

    garble: Probability = 0.0
    """Probability that one byte of a line is another."""

    delay: Probability = 0.0
    """Probability that a reply is late."""

    late: Annotated[Seconds, Field(ge=0.0, le=60.0)] = 0.1
    """How late, in seconds; one later than the timeout arrives after the request was sent again."""

    @property
    def on(self) -> bool:
        """Whether anything befalls a line."""
        return max(self.drop, self.garble, self.delay) > 0.0


class LossyStream(LineStream):
    """A stream with losses in both directions, drawn by the seed and the number of the line.

    Parameters
    ----------
    stream : LineStream
        The one without.
    loss : Loss
        What befalls its lines.
    seed : int
        Names the draws.
    """

    def __init__(self, stream: LineStream, loss: Loss, seed: int) -> None:
        self._stream, self._loss, self._seed, self._lines = stream, loss, seed, 0

    def read_line(self, seconds: float) -> bytes:
        """Return the next line that is not lost, possibly garbled; nothing if none arrives in time."""
        line = self._stream.read_line(seconds)
        return self._afflict(line)[0] if line else b""

    def write(self, line: bytes) -> None:
        """Send a line, or not, possibly garbled or late."""
        sent, late = self._afflict(line)
        if late:
            time.sleep(self._loss.late)
        if sent:
            self._stream.write(sent)

    def close(self) -> None:
        """Give the port back."""
        self._stream.close()

    def _afflict(self, line: bytes) -> tuple[bytes, bool]:
        """Return what is left of a line, nothing if it is lost, and whether it is late."""
        self._lines += 1
        drawn = Stream(self._seed, f"line/{self._lines}").uniform((4,))
        if drawn[0] < self._loss.drop:
            return b"", False
        if drawn[1] < self._loss.garble:
            place = int(drawn[2] * (len(line) - 1))
            line = line[:place] + bytes([line[place] ^ 0x15]) + line[place + 1 :]
        return line, bool(drawn[3] < self._loss.delay)
