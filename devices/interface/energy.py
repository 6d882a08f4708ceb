"""What a measurement takes: energy per read, per pulse, per digital multiply-add, and while time passes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..parameters import Joules, Parameters, Watts


class Energy(Parameters):
    """Energy of a chip; what is not given takes none."""

    per_read: Annotated[Joules, Field(ge=0.0, le=1.0)] = 0.0
    """Energy to read one unit once; joules. A complex state costs two reads."""

    per_pulse: Annotated[Joules, Field(ge=0.0, le=1.0)] = 0.0
    """Energy of one pulse on one cell; joules. Needs ``devices.update``, which says what a pulse is."""

    per_mac: Annotated[Joules, Field(ge=0.0, le=1.0)] = 0.0
    """Energy of one digital multiply-add of the controller; joules. Only rules that compute errors make any."""

    static: Annotated[Watts, Field(ge=0.0, le=1e6)] = 0.0
    """Power of the whole chip while it settles; watts. Needs tau in seconds. The time of held and waiting reads is not
    counted, and equilibrium mode takes none."""


def compute_joules(
    energy: Energy, reads: int = 0, pulses: int = 0, time: float = 0.0, tau: float | None = None, macs: int = 0
) -> float:
    """Return the energy of some reads, pulses, settling time and digital multiply-adds.

    Parameters
    ----------
    energy : Energy
        What each takes.
    reads : int
        Reads of single units.
    pulses : int
        Pulses on single cells.
    time : float
        Settling time, in tau.
    tau : float or None
        Membrane time constant, in seconds.
    macs : int
        Digital multiply-adds.

    Raises
    ------
    ValueError
        If time passes under a static power and `tau` is unknown.
    """
    if energy.static and time and tau is None:
        raise ValueError(f"energy.static = {energy.static:g} W needs tau in seconds: give [physical] tau")
    parts = energy.per_read * reads + energy.per_pulse * pulses + energy.static * time * (tau or 0.0)
    return parts + energy.per_mac * macs
