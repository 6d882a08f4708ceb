"""What a settling is given: the machine, which stays the same, and the drive of one batch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.interface.cost_force import Circuit
from devices.neuron.noise import Noise

from ..network.connection import ConnectionKind
from ..protocol import State
from .methods import Dynamics
from .slow_drive import SlowState
from .transfer import Transfer

Array = NDArray[np.float64]


class Machine(NamedTuple):
    """What stays the same over all settlings of one chip."""

    edges: NDArray[np.int64]
    """One row (first pre column, first post column, pre, post, offset, colour of post) per recurrent connection.

    `pre` and `post` are units, and `offset` is where its block begins in `weights`.
    """

    kinds: tuple[ConnectionKind, ...]
    """How the block of each of these connections holds its weights."""

    weights: Array
    """Effective weights, flat."""

    layers: NDArray[np.int64]
    """One row (first column, last column + 1, colour) per unclamped layer."""

    circuit: Circuit
    law: str
    transfer: Transfer
    """From states to activities."""

    dynamics: Dynamics
    tau: Array
    """Time constant per unit (units,)."""

    synapse_tau: float
    """Time constant of the synaptic pole; 0: none."""

    noise: Noise
    threads: int
    thermal: Array
    """Factor of the thermal noise of every unit (units,)."""

    common: Array
    """Factor of the noise that all units share, of every unit (units,)."""

    slew: Array
    """Largest change of every state per tau (units,); (0,): no limit."""

    prepared: dict[Any, Any]
    """What an engine made of the weights; who changes them in place clears it."""

    substeps: int = 1
    """Equal parts that every step is taken in, see `substrate.settling.noise_step`."""

    fluctuation: float = 0.0
    """Largest drift at rest that the noise explains, see `substrate.settling.noise_step`."""

    @property
    def dtype(self) -> type[np.floating[Any]]:
        """Number type of the simulation."""
        return np.float64 if self.dynamics.precision == "double" else np.float32

    @property
    def slowest(self) -> float:
        """Time constant of the slowest element, membrane or synaptic pole, in tau."""
        return max(float(self.tau.max()), self.synapse_tau)


class Correction(NamedTuple):
    """Extra drive ``(W^T - W) (a - a0)``: `W` are couplings that are known, around the free activities `a0`."""

    weights: Array
    """Of the known couplings, flat, as `Machine.weights` are."""

    free: Array
    """``a0`` (batch, units)."""


class Drive(NamedTuple):
    """What is applied to a batch during one settling."""

    constant: State
    """Drive of the clamped input plus bias, (batch, units); complex with a held complex nudge."""

    beta: complex | NDArray[np.complex128]
    """Continuous nudge; or that of every step of a cycle which repeats, (steps,)."""

    target: Array
    """(batch, classes or outputs); not read when beta is 0."""

    ids: NDArray[np.int64] | None = None
    """Names of the samples, for their noise, (batch,); absent: their numbers in the batch."""

    names: tuple[int, int, str] = (0, 0, "")
    """Seed, instance and phase, for the white noise."""

    signs: Array | None = None
    """Factor of the nudge per sample, (batch,); absent: 1."""

    cycles: int = 0
    """Cycles of a nudge that swings before the one that is kept."""

    slow: SlowState | None = None
    """Where the slow noise of the membranes begins; absent: there is none."""

    correction: Correction | None = None
    """Of couplings that are no matrices; absent: none."""

    def only(self, rows: NDArray[np.int64]) -> Drive:
        """Return what is applied to the samples `rows`, but for slow noise."""
        ids = rows if self.ids is None else self.ids[rows]
        signs = None if self.signs is None else self.signs[rows]
        known = None if self.correction is None else self.correction._replace(free=self.correction.free[rows])
        rest = self._replace(constant=self.constant[rows], target=self.target[rows], ids=ids, signs=signs, slow=None)
        return rest._replace(correction=known)

    @property
    def swings(self) -> bool:
        """Whether the nudge changes from step to step."""
        return np.ndim(self.beta) > 0

    @property
    def size(self) -> float:
        """Largest magnitude of the nudge."""
        return float(np.abs(self.beta).max())


def count_planes(drive: Drive, start: State) -> int:
    """Return 2 if the settling happens in the complex plane, else 1."""
    planar = np.iscomplexobj(start) or np.iscomplexobj(drive.constant) or np.asarray(np.iscomplex(drive.beta)).any()
    return 2 if planar else 1
