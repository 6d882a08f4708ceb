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


class UnitNoise(NamedTuple):
    """What the units of a batch get of the noise of their cells, in units of their drift."""

    white: Array
    """Variance on a bare leak (batch, units)."""

    drifts: Array
    """Standard deviation of every slow process (processes, batch, units)."""

    root: Array | None = None
    """Symmetric root of the covariance of all white noise on a bare leak, that of the membranes included, (batch,
    units, units), where devices that are read both ways move two units at once; None: units are independent."""

    push: Array | None = None
    """Drive that white noise adds in the mean, (batch, units); None: none."""

    def only(self, rows: NDArray[np.int64]) -> UnitNoise:
        """Return the noise of the samples `rows`."""
        root, push = (None if a is None else a[rows] for a in (self.root, self.push))
        return UnitNoise(self.white[rows], self.drifts[:, rows], root, push)


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
    """Of the membranes themselves."""

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

    cells_white: bool = False
    """Whether cells add white noise to that of the membranes, see `Drive.cells`."""

    cell_times: tuple[float, ...] = ()
    """Correlation times of the slow noise of the cells, in tau."""

    @property
    def noisy(self) -> bool:
        """Whether anything moves the membranes at rest."""
        return self.noise.on or self.cells_white or len(self.cell_times) > 0

    @property
    def white(self) -> bool:
        """Whether membranes have white noise."""
        return self.cells_white or bool(self.noise.on and (self.noise.thermal > 0.0 or self.noise.common > 0.0))

    @property
    def slow_times(self) -> Array:
        """Correlation times of all slow noise, (processes,), in tau: of the membranes, then of the cells."""
        return np.array([*self.noise.processes()[0], *self.cell_times])

    def quieten(self) -> Machine:
        """Return the machine without noise."""
        return self._replace(noise=Noise(), cells_white=False, cell_times=())

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

    cells: UnitNoise | None = None
    """Noise of the cells; absent: there is none."""

    def only(self, rows: NDArray[np.int64]) -> Drive:
        """Return what is applied to the samples `rows`, but for slow noise."""
        ids = rows if self.ids is None else self.ids[rows]
        signs = None if self.signs is None else self.signs[rows]
        known = None if self.correction is None else self.correction._replace(free=self.correction.free[rows])
        rest = self._replace(constant=self.constant[rows], target=self.target[rows], ids=ids, signs=signs, slow=None)
        cells = None if self.cells is None else self.cells.only(rows)
        return rest._replace(correction=known, cells=cells)

    @property
    def swings(self) -> bool:
        """Whether the nudge changes from step to step."""
        return np.ndim(self.beta) > 0

    @property
    def size(self) -> float:
        """Largest magnitude of the nudge."""
        return float(np.abs(self.beta).max())


def compute_white_deviation(machine: Machine, drive: Drive) -> Array:
    """Return the standard deviation of the white noise of every unit on a bare leak, (1 or batch, units)."""
    own = np.atleast_2d(machine.noise.thermal * machine.thermal)
    return own if drive.cells is None else np.sqrt(own**2 + drive.cells.white)


def compute_slow_deviations(machine: Machine, drive: Drive) -> Array:
    """Return the standard deviations of the slow processes, (processes, 1 or batch, 1 or units)."""
    own = machine.noise.processes()[1][:, None, None]
    if drive.cells is None or not len(drive.cells.drifts):
        return own
    return np.concatenate([np.broadcast_to(own, (len(own), *drive.cells.drifts.shape[1:])), drive.cells.drifts])


def count_planes(drive: Drive, start: State) -> int:
    """Return 2 if the settling happens in the complex plane, else 1."""
    planar = np.iscomplexobj(start) or np.iscomplexobj(drive.constant) or np.asarray(np.iscomplex(drive.beta)).any()
    return 2 if planar else 1
