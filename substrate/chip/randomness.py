"""What is random: whether two measurements differ, two writes, and whether one settling may stand for its conjugate.

The definitions are for the devices of a chip and of a scenario alike, whatever unit a level has. A block that can be
random tells so itself, by a property `random`; it is a block of writing if its imperfections are.
"""

from __future__ import annotations

from devices.hardware import Devices
from devices.imperfection import WRITE


def has_random_measurements(devices: Devices) -> bool:
    """Tell whether two measurements of one batch differ."""
    return _has_random_block(devices, writes=False)


def has_random_writes(devices: Devices) -> bool:
    """Tell whether the same request on the same cell can end differently."""
    return _has_random_block(devices, writes=True)


def has_conjugate_answers(devices: Devices) -> bool:
    """Tell whether the answer to a conjugate nudge is the conjugate answer, so that only one of both is settled.

    It is not where two measurements differ, where the nudge circuit treats its polarities differently, or where the
    imaginary plane is read with an error that keeps its sign: the charge of a hold, or a converter.
    """
    converters, hold = devices.converters, devices.hold
    alike = converters.nudge.gain_negative is None or converters.nudge.gain_negative == converters.nudge.gain
    even = hold.odd and converters.readout is None and not devices.acting("read")
    return alike and even and not has_random_measurements(devices)


def _has_random_block(devices: Devices, *, writes: bool) -> bool:
    blocks = [block for name in Devices.model_fields if hasattr(block := getattr(devices, name), "random")]
    return any(block.random for block in blocks if any(cause.kind == WRITE for cause in block.causes) == writes)
