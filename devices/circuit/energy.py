"""What a circuit takes: heat while it settles, and energy for reads and writes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..parameters import Parameters
from .units import Duration, Joule, Watt


class CircuitEnergy(Parameters):
    """Energy of a circuit; what is not given takes none."""

    settling_time: Annotated[Duration, Field(gt=0.0, le=1000.0)] | None = None
    """How long every settling lasts: for so long elements turn their power at rest into heat, and charging the
    capacitors takes ``C dV^2/2`` on top (exact where all is linear and no current source feeds a node, and the time is
    many time constants). Absent: settlings are not counted."""

    static: Annotated[Watt, Field(ge=0.0, le=1e6)] = Field(default=0.0, validate_default=False)
    """Power of what is no element, such as amplifiers and comparators, while the circuit settles."""

    per_read: Annotated[Joule, Field(ge=0.0, le=1.0)] = Field(default=0.0, validate_default=False)
    """Energy to read the voltage of one node once."""

    per_write: Annotated[Joule, Field(ge=0.0, le=1.0)] = Field(default=0.0, validate_default=False)
    """Energy to change one learned parameter once."""
