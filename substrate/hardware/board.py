"""What a board does for its chip: six primitives in codes of 16 bits, and what it tells of itself."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from devices.parameters import Parameters, Unit

from ..protocol import Status

Codes = NDArray[np.int16]
"""Signed codes of converters, or counts of pulses."""

LEAST, MOST = -32768, 32767
"""Ends of the range of a code."""

PROTOCOL = 1
"""Version of the line protocol."""

MOST_PULSES = 32767
"""Largest count of one pulse line, of either sign."""


class BoardError(Exception):
    """The board refused a request, or is not the one that was expected; the text says why and what to try."""


class TransferError(Exception):
    """A line did not come through however often it was sent; nothing is taken for an answer in its place."""


class Scale(Parameters):
    """What a code means: ``value = offset + scale * code``."""

    scale: Annotated[float, Field(gt=0.0, le=1e6), Unit("per code")]
    """Value of one code; above 0."""

    offset: Annotated[float, Field(ge=-1e6, le=1e6)] = 0.0
    """Value of code 0."""

    least: Annotated[int, Field(ge=LEAST, le=MOST)] = LEAST
    """Lowest code of the converter; that of 12 bits with a sign: -2048."""

    most: Annotated[int, Field(ge=LEAST, le=MOST)] = MOST
    """Highest code of the converter, above `least`; that of 12 bits with a sign: 2047, without: 4095."""

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.least >= self.most:
            raise ValueError(f"least is {self.least} and most {self.most}: most must be above least")
        return self


class BoardInfo(Parameters):
    """What a board tells of itself and its chip."""

    protocol: Literal[1] = 1
    """Version of the line protocol."""

    name: Annotated[str, Field(max_length=200)]
    """Name of board and chip, such as a serial number."""

    layers: Annotated[dict[str, Annotated[int, Field(ge=1)]], Field(min_length=2)]
    """Units of every layer, the clamped one first, the outputs last."""

    connections: list[str]
    """Every connection as ``pre-post``."""

    input: Scale
    """Activity of a clamped unit per code."""

    adc: Scale
    """Activity of a unit per code."""

    dac: Scale
    """Drive of a unit per code."""

    step: Annotated[float, Field(gt=0.0, le=1e3)] | None = None
    """Nominal change of a weight by one pulse; absent: each line of pulses says how large they are."""

    chunk: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    """Most counts that one line of pulses may hold."""

    written: Annotated[int, Field(ge=0)] = 0
    """Lines of pulses carried out since the cells were erased; kept while the power is off where the cells are."""


def read_info(told: object) -> BoardInfo:
    """Return what a board told of itself.

    Raises
    ------
    BoardError
        If something is missing or has no meaning.
    """
    version = told.get("protocol", PROTOCOL) if isinstance(told, dict) else PROTOCOL
    if version != PROTOCOL:
        raise BoardError(
            f"the board speaks version {version!r} of the line protocol, and this nudgelab version {PROTOCOL}: "
            f"load firmware of version {PROTOCOL}, or take a nudgelab that knows version {version!r}"
        )
    try:
        return BoardInfo.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the reply"
        raise BoardError(f"what the board tells of itself is wrong at {place}: {first['msg']}") from error


class Ending(NamedTuple):
    """How one settling ended, as far as the board tells."""

    status: Status | None = None
    """None: it does not know."""

    residual: float = float("nan")
    """Largest drift of any unit at the end; units of the state."""

    time: float = float("nan")
    """How long it took, in seconds."""


class Pulses(NamedTuple):
    """What one line writes: neighbouring cells of a block, in the order of its rows."""

    block: str
    """Such as ``weight/in-l1``, with one row per presynaptic unit, or ``bias/l1``."""

    first: int
    """Place of the first cell."""

    counts: Codes
    """Pulses of every cell, positive ones up."""

    size: float
    """Change by one pulse, in units of the weight."""


class Board(Protocol):
    """A chip on a board. One sample is clamped at a time.

    Every primitive raises `BoardError` where the board refuses it, and `TransferError` where it does not answer.
    """

    def info(self) -> BoardInfo:
        """Return what the board tells of itself."""
        ...

    def clamp(self, codes: Codes) -> None:
        """Clamp the inputs to codes, (inputs,)."""
        ...

    def go(self, inject: Codes | None, time: float | None) -> Ending:
        """Let the chip settle from where it stands; with `inject` (units,), under a constant drive on top.

        `time` in seconds; None: the board decides how long.
        """
        ...

    def sample(self) -> Codes:
        """Return the activities of all unclamped units now, (units,)."""
        ...

    def pulse(self, pulses: Pulses) -> None:
        """Write cells."""
        ...

    def close(self) -> None:
        """Leave the chip: nothing is injected any more."""
        ...
