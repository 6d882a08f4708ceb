"""What a scenario file can say about a chip on a board."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from devices.parameters import FilePath, Level, Parameters, Seconds, Time
from substrate.hardware.board import Scale
from substrate.hardware.loss import Loss

MOCK = "mock"
"""Port of a simulated chip, which the run itself serves at the other end of a pair of serial ports."""

BOUNDS = {"sigmoid": (0.0, 1.0), "hard-sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
"""Range of the activity of activations that have one: that of the converters of a mock board."""

DRIVES = 0.5
"""Largest drive that a mock board injects, of either sign, unless ``hardware.dac`` says otherwise."""


class Hardware(Parameters):
    """A chip on a board, in place of a simulated one.

    ``[devices]`` and ``[dynamics]`` then describe its twin: the chip behind a mock board. A run takes nothing else from
    them than the step of ``devices.update``, by which write policies count.
    """

    port: Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,1000}$")]
    """Serial port, such as ``/dev/ttyUSB0``; ``socket://HOST:PORT``, a connection; ``hwgrep://PATTERN``, the first
    serial port whose description matches; ``mock``: a board with the simulated chip of this scenario, at the other end
    of a pair of serial ports that the run opens."""

    baud: Annotated[int, Field(ge=50, le=100_000_000)] = 115_200
    """Bits per second; ports without any, such as those of USB, take no notice."""

    timeout: Annotated[Seconds, Field(gt=0.0, le=3600.0)] = 5.0
    """How long a reply is waited for before the request is sent again: longer than a settling and the longest line."""

    retries: Annotated[int, Field(ge=0, le=1000)] = 3
    """How often a request is sent again before the run stops with a checkpoint."""

    settle_time: Annotated[float, Field(gt=0.0, le=1e9), Time] | None = None
    """Length of every settling, in tau or seconds; the board is told in seconds. Without ``physical.tau`` one tau is
    one second. Absent: the board decides."""

    begin: Literal["programmed", "erased"] = "programmed"
    """What the cells hold before a training: `programmed`, ``network.parameters`` or the initial weights; `erased`,
    zeros, and the run first writes these weights pulse by pulse."""

    input: Scale | None = None
    """Activity of a clamped unit per code; absent: as the board tells. This and the next two set up a mock board."""

    adc: Scale | None = None
    """Activity of a unit per code; absent: as the board tells, of a mock board the range of the activation."""

    dac: Scale | None = None
    """Drive of a unit per code; absent: as the board tells, of a mock board -0.5 to 0.5."""

    calibration: FilePath | None = None
    """npz file with arrays (units,) that stand before the above: ``adc_scale``, ``adc_offset``, ``dac_scale``,
    ``dac_offset``, ``input_scale``, ``input_offset``, all unclamped units in the order of the layers; and with arrays
    ``stuck/weight/l1-l2`` of booleans, which mark cells that do not move. Each may be absent."""

    probes: Annotated[int, Field(ge=0, le=65_536)] = 0
    """Probes of node perturbation, of two settlings each, that `measure` compares every scheme with; 0: no comparison.
    As many as units, rounded up to a power of 2, miss nothing."""

    probe_size: Annotated[float, Field(gt=0.0, le=100.0), Level("volt_scale")] = 0.05
    """Injected drive of a probe; units of the state, above 0. Noise enters divided by it, and its own error grows as
    its square."""

    loss: Loss = Loss()
    """What befalls the lines to a mock board, to try timeouts and retries."""
