"""What the drives of a chip change by when the outputs of its units are held elsewhere, with the loop open."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..dynamics.machine import Machine
from ..engine.door import load_engine
from ..protocol import State

Array = NDArray[np.float64]


def evoke_drives(machine: Machine, free: State, offsets: Array) -> Array:
    """Return what the drives change by when `offsets` are added to the free activities, (batch, units).

    It is ``W offsets`` of linear connections; of others that to first order.
    """
    engine = load_engine(machine.dynamics)
    if all(kind.linear for kind in machine.kinds):
        return engine.drive(machine, offsets)
    activity = engine.activate(machine, free[:, : offsets.shape[1]].real)
    return engine.drive(machine, activity + offsets) - engine.drive(machine, activity)
