"""The wires of an array of cells: word lines and bit lines with a resistance between neighbouring cells.

Current through a line lowers the voltage of the cells behind it, so that a weight counts less the farther
it is from the ends that are driven and sensed. `substrate.chip.wires` solves the network.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..imperfection import COMMON, Cause
from ..parameters import Parameters
from ..quantities import CellQuantity

LARGEST = 2**18
"""Most cells of an array whose lines can be solved; 512 x 512 of them take a quarter of a minute."""

Lines = Annotated[int, Field(ge=1, le=2048)]


class Wires(Parameters):
    """The lines of every array; cells must be pairs, whose two devices lie in arrays of their own.

    Row ``i`` is the line of pre unit `i` of the forward connection, column ``j`` that of post unit `j`. Forward, rows
    are driven at their first end and columns sensed at their last one; backward, columns are driven and rows
    sensed. Feedback cells of their own are laid out in the same way.
    """

    segment: Annotated[float, Field(ge=0.0, le=1e6), CellQuantity("ohm")] = 0.0
    """Resistance of a line between two cells, and from the last cell to the driver or sense amplifier; in units of 1
    over the weight, or ohm. Published simulators take 0.15 to 0.35 ohm; sweeps 0 to 5 ohm."""

    ends: Literal["same", "opposite"] = "same"
    """Where lines are driven and sensed. `same`: a line is sensed at the end where it is driven in the other
    direction, and reciprocity of the network keeps both directions equal; `opposite`: at its other end, and they
    differ (1.3 % at 1 ohm, 6.3 % at 5 ohm for 24 x 40 cells of 10 to 100 kohm)."""

    array: Annotated[list[Lines], Field(min_length=2, max_length=2)] | None = None
    """Most rows and columns of one array, each 1 to 2048; a connection with more is cut into arrays with lines,
    drivers and sense amplifiers of their own, whose currents are added. Absent: one array per connection. Published
    chips have 64 to 512."""

    causes: ClassVar[tuple[Cause, ...]] = (
        Cause(
            "wires",
            COMMON,
            acts=lambda wires, _: wires.segment != 0.0,
            of_weights=True,
            words="the wires",
            cure="lines without resistance",
        ),
    )
