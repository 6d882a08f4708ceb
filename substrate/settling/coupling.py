"""The couplings of a machine: as blocks where these are matrices, else around an activity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..dynamics.machine import Machine
from ..engine.door import load_engine
from ..network.couplings import Couplings, make_couplings
from ..network.dense import are_dense
from ..network.local_couplings import LocalCouplings
from ..network.topology import Topology

Array = NDArray[np.float64]

AnyCouplings = Couplings | LocalCouplings


def find_couplings(machine: Machine, topology: Topology, activity: Array) -> AnyCouplings:
    """Return the couplings ``W = dh/da`` of a machine at the activities (batch, units)."""
    if are_dense(machine.kinds):
        return make_couplings(topology, topology.blocks(machine.weights))
    linear = load_engine(machine.dynamics).linear(machine, activity)
    samples, units = activity.shape
    return LocalCouplings(samples, units, linear.product, linear.transposed)


def differentiate_drives(
    machine: Machine, topology: Topology, activity: Array, delta: Array, change: Array | None = None
) -> dict[str, Array]:
    """Return the derivative of ``sum delta h`` by the blocks of all recurrent connections, the activities being fixed.

    With `change` it is that of ``sum delta W change``. Under softmax pooling it holds what no local product gives: how
    a feedback kernel moves its own pooling.

    Parameters
    ----------
    machine : Machine
        Holds the weights.
    topology : Topology
        Names them.
    activity, delta : array (batch, units)
        Activities and errors of the drives.
    change : array (batch, units), optional
        Changes of the activities.
    """
    found = load_engine(machine.dynamics).differentiate(machine, activity, delta, change)
    return {c.block: block for c, block in zip(topology.recurrent(), found, strict=True)}
