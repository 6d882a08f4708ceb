"""The correction that makes EP exact on asymmetric couplings: an extra drive in nudged settlings.

With ``A_hat = (W_hat - W_hat^T) / 2`` of the couplings `W_hat` that the controller knows, and the free
activities `a0`, the drive gets ``-2 A_hat (a - a0)`` (AsymEP: Scurria, Vanden Abeele, Mognetti, Massar,
arXiv 2602.03670, 2026). That is an ordinary settling with the couplings
``W - 2 A_hat`` and the constant drive ``+ 2 A_hat a0``: with exact knowledge the couplings are ``W^T``, the
free rest point stays where it is, and the response to the nudge is that of the adjoint.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..dynamics.machine import Drive, Machine
from ..network.couplings import couplings_of
from ..network.topology import Topology
from ..protocol import State
from .weights import edges_of

Array = NDArray[np.float64]


def two_way(topology: Topology) -> Topology:
    """Return the same layers with a reverse connection beside every recurrent one, without readout."""
    wires = [c.name for c in topology.connections]
    wires += [f"{c.post}-{c.pre}" for c in topology.recurrent() if f"{c.post}-{c.pre}" not in wires]
    return Topology(topology.layers, wires)


def corrected(
    machine: Machine,
    drive: Drive,
    topology: Topology,
    known: Mapping[str, Array],
    free: Array,
) -> tuple[Machine, Drive]:
    """Return the machine and the drive of a corrected settling.

    Parameters
    ----------
    machine, drive : Machine, Drive
        Of the settling without a correction; the cells of the machine are those that act.
    topology : Topology
        The wiring of the chip.
    known : mapping of block name to array
        The couplings that the controller knows.
    free : array (batch, units)
        The free activities `a0`.
    """
    acting = couplings_of(topology, topology.blocks(machine.weights))
    correction = couplings_of(topology, known).antisymmetric()
    wiring, total = two_way(topology), acting.plus(correction.times(-2.0))
    cells = np.zeros(wiring.size)
    blocks = wiring.blocks(cells)
    for c in wiring.recurrent():
        blocks[c.block][...] = total.weights[c.ends]
    constant: State = drive.constant + 2.0 * correction.product(free)
    return machine._replace(edges=edges_of(wiring), weights=cells), drive._replace(constant=constant)
