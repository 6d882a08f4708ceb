"""What is random: whether two measurements differ, two writes, and whether one settling may stand for its conjugate.

The definitions are for a design of a chip and for the devices of a scenario alike, whatever unit a level has.
"""

from __future__ import annotations

from typing import Protocol

from devices.interface.converter import Converters
from devices.interface.hold import Hold
from devices.neuron.noise import Noise
from devices.programming.comparator import Comparator
from devices.programming.laws import Step, Verified


class Parts(Protocol):
    """The devices that can be random."""

    @property
    def noise(self) -> Noise:
        """Noise of membranes and reads."""
        ...

    @property
    def hold(self) -> Hold:
        """Capacitors in which reads wait."""
        ...

    @property
    def converters(self) -> Converters:
        """Readout converter and nudge circuit."""
        ...

    @property
    def update(self) -> Step | Verified | None:
        """How cells are written."""
        ...

    @property
    def comparator(self) -> Comparator | None:
        """What lets only the sign of a request through."""
        ...


def measurements_differ(parts: Parts) -> bool:
    """Tell whether two measurements of one batch differ."""
    adc = parts.converters.readout
    return parts.noise.random or parts.hold.random or (adc is not None and adc.stochastic)


def writes_differ(parts: Parts) -> bool:
    """Tell whether the same request on the same cell can end differently."""
    return any(part is not None and part.random for part in (parts.update, parts.comparator))


def conjugates(parts: Parts) -> bool:
    """Tell whether the answer to a conjugate nudge is the conjugate answer, so that only one of both is settled.

    It is not where two measurements differ, where the nudge circuit treats its polarities differently, or where the
    imaginary plane is read with an error that keeps its sign: the charge of a hold, or a converter.
    """
    nudge, hold = parts.converters.nudge, parts.hold
    alike = nudge.gain_negative is None or nudge.gain_negative == nudge.gain
    return alike and hold.odd and parts.converters.readout is None and not measurements_differ(parts)
