"""What an experimenter may do with a chip: the whole of what learning sees."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .ports import Port as Port  # noqa: PLC0414  a part of the protocol
from .status import Status as Status  # noqa: PLC0414  a part of the protocol

Array = NDArray[np.float64]

State = NDArray[Any]
"""A state or an activity: float64, or complex128 under a complex nudge."""


def has_settled(status: NDArray[np.int64], by_clock: bool | NDArray[np.bool_] = False) -> NDArray[np.bool_]:
    """Tell which settlings have settled: the one meaning of the word.

    A settling that ends at rest has settled if it came to rest. Of one that the clock ends, whatever is read then
    counts, as on a real chip, unless the state flips, cycles or has diverged: statuses go from good to bad.

    Parameters
    ----------
    status : int array
        Values of `Status`.
    by_clock : bool or bool array
        Whether the clock ends the settling: a phase of fixed length, as noise of the membranes needs it, or a nudge
        that swings.
    """
    return np.asarray(np.where(by_clock, status <= Status.STALLED, status == Status.SETTLED))


class Wave(NamedTuple):
    """A nudge that swings while the chip settles; the clock starts at phase 0."""

    kind: Literal["cosine", "rotation"]
    """`cosine`: ``beta cos(omega t)`` on the real chip; `rotation`: ``beta exp(i omega t)`` on complex states."""

    period: float
    """Time of one cycle, in tau; the chip rounds it to a whole number of steps."""

    cycles: int
    """Whole cycles before the one that is read, 0 or more."""


class Nudge(NamedTuple):
    """A pull of the outputs towards their targets during a settling."""

    beta: complex
    """Size; positive real pulls towards lower cost."""

    target: Array
    """Target y, (batch, classes) or (batch, outputs)."""

    signs: Array | None = None
    """Factor of `beta` per sample, +1 or -1, (batch,); absent: +1."""

    wave: Wave | None = None
    """How it swings; absent: it is constant."""


class SettlingResult(NamedTuple):
    """How one settling ended, per sample."""

    status: NDArray[np.int64]
    """Values of `Status`, (batch,)."""

    steps: NDArray[np.int64]
    """Steps taken, (batch,)."""

    residual: Array
    """Largest drift ``|F|`` of any unit at the end, (batch,); units of the state. With noise a sample has settled when
    it is no more than the tolerance and what the noise explains.

    Under a nudge that swings, what the last cycle lacks to close.
    """

    time: Array
    """Time the sample took, in tau, (batch,); 0 in equilibrium mode, which has none."""


class Budget(NamedTuple):
    """What has been asked of a chip so far; everything counts per sample."""

    settlings: int = 0
    settled_time: float = 0.0
    """Time spent settling, in tau."""

    reads: int = 0
    """Real reads of all units; a complex state costs two."""

    writes: int = 0
    """Programming events."""

    pulses: int = 0
    """Cells that were stepped, over all programming events."""

    energy: float = 0.0
    """Energy spent, in joule; 0 where no device says what it takes."""

    probes: int = 0
    """Settlings with an injected drive; `settlings` has them, too."""

    probes_unsettled: int = 0
    """Of these: did not settle."""

    outputs_read: int = 0
    """Real reads of some layers only, such as the outputs; `reads` does not have them."""

    macs: int = 0
    """Multiply-adds that the controller made in digital to find errors."""

    cell_reads: int = 0
    """Cells that were read one by one."""

    elapsed: float = 0.0
    """Time of settlings, reads and writes, one after the other, in tau."""

    def plus(self, other: Budget, sign: int = 1) -> Budget:
        """Return the sum of two budgets, or their difference with `sign` -1."""
        return Budget._make(a + sign * b for a, b in zip(self, other, strict=True))


class Readout(NamedTuple):
    """The digital readout behind the output layer; known to the controller, which holds it."""

    weight: Array
    """Shape (outputs, classes)."""

    bias: Array
    """Shape (classes,)."""


class SettlingBench(Protocol):
    """What every machine on the bench offers that settles, whatever it is made of."""

    @property
    def layers(self) -> Mapping[str, int]:
        """Units of every layer, the clamped input first and the output last; public."""
        ...

    @property
    def readout(self) -> Readout | None:
        """The digital readout, for the cross-entropy cost; None for mse."""
        ...

    def set_input(self, x: Array, ids: NDArray[np.int64] | None = None, epoch: int = 0, purpose: str = "") -> None:
        """Clamp the input layer to `x`, shape (batch, inputs), until the next call.

        `ids` (batch,), `epoch` and `purpose` say which presentation of which sample this is: each has noise of its own.
        """
        ...

    def settle(self, nudge: Nudge | None = None, start: Literal["zero", "free"] = "zero") -> SettlingResult:
        """Let the chip settle, from zero or from the last free state, nudged or not."""
        ...

    def read(self, waits: bool = False) -> Mapping[str, State]:
        """Return the activities now, per layer (batch, units), the clamped input included.

        Complex after a complex nudge. `waits`: the read is held to be compared with a later one, as all
        reads of an estimate are but the last.
        """
        ...

    def write(self, changes: Mapping[str, Array]) -> None:
        """Request changes of the programmed parameters, by block name such as ``weight/l1-l2``."""
        ...

    @property
    def budget(self) -> Budget:
        """What has been asked of the chip so far."""
        ...


class CircuitBench(SettlingBench, Protocol):
    """A Kirchhoff network on the bench: what is read are voltages, and elements compare their own drops.

    Volts, siemens and amperes throughout: the nudge is a conductance ``beta`` in siemens, and the activities are the
    voltages of the nodes. No conductance can be seen through it.
    """

    @property
    def metrics(self) -> Mapping[str, float]:
        """Factor by which the squared drops of a block are weighed, from the nominal gains of amplifiers."""
        ...

    def contrast(
        self, after: Mapping[str, Array], before: Mapping[str, Array], keep: NDArray[np.bool_]
    ) -> Mapping[str, Array]:
        """Return what elements measure of two reads, by block: ``sum (dV_after^2 - dV_before^2)`` over kept samples.

        `dV` is the drop of an element. A transistor has it times its transconductance, for its gate; a current source
        ``2 (dV_after - dV_before)``, `dV` from the node it leaves to the one it enters.
        """
        ...

    def imprint(self, after: Mapping[str, Array], before: Mapping[str, Array], shares: Mapping[str, float]) -> None:
        """Change every parameter by a share, by block, of what its element measures of two reads, where it stands.

        As `write` of ``share * contrast``, without the detour through a controller.
        """
        ...


@runtime_checkable
class ClampingBench(CircuitBench, Protocol):
    """A circuit whose outputs can be held at a voltage."""

    def clamp(self, eta: float, target: Array) -> SettlingResult:
        """Let the circuit settle with its outputs held at ``V0 + eta (target - V0)``, `V0` of the last free state."""
        ...


class ExtraArrays(NamedTuple):
    """Arrays of cells that every block has beside its first one; their blocks are named by `name_array_block`."""

    gains: tuple[float, ...] = ()
    """Gain with which each enters the effective weights; one of 0 is only read by the controller."""

    reference_sigma: float = 0.0
    """Spread of what is subtracted from their cells around the right value; units of the weight."""


def name_array_block(array: int, block: str) -> str:
    """Return the name of a block in an array of cells: ``array-1/weight/l1-l2``; in the first one, 0, its own."""
    return f"array-{array}/{block}" if array else block


class WritableBench(Protocol):
    """What a controller that writes cells may do with them.

    Blocks of further arrays of cells, where the chip has them, go by the names of `name_array_block`.
    """

    def write(self, changes: Mapping[str, Array]) -> None:
        """Request changes of the programmed parameters, by block name such as ``weight/l1-l2``."""
        ...

    def read_cells(self, block: str, chosen: NDArray[np.bool_]) -> Array:
        """Read cells of a block one by one, those that are `chosen` (a bool array of its shape); return (cells,).

        What is read is the effective weight, noise of the write included, as the units feel it. Cells of a further
        array are read through the units, row by row: with their read noise and converter.
        """
        ...

    def mirror(self, block: str, request: Array) -> Array:
        """Return a request for a connection, by block, as its reverse would be asked for the same change."""
        ...


class Bench(SettlingBench, WritableBench, Protocol):
    """A chip on the bench: inputs, settlings, reads and writes, nothing else.

    No programmed weight can be seen through it, and an effective one only where it is read and paid for.
    """

    @property
    def capabilities(self) -> frozenset[Port]:
        """Ports it has, by the names of `substrate.ports`; what needs another one raises ValueError."""
        ...

    @property
    def connections(self) -> list[tuple[str, str]]:
        """(pre, post) layer of every connection: the floor plan is public, the weights are not."""
        ...

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every block of weights and biases that cells hold; public."""
        ...

    def perturb(self, signs: Mapping[str, Array], size: float) -> None:
        """Move cells by ``size * signs``, by block, from where they stand until the next call; nothing is written.

        A dither line: every cell adds to its weight. Blocks that are not named, and all after a write, stand as they
        are.
        """
        ...

    def read_layers(self, layers: Collection[str]) -> Mapping[str, State]:
        """Return the activities of some unclamped layers now, (batch, units) each; it is counted apart from `read`.

        The read is not held.
        """
        ...

    def count_macs(self, macs: int) -> None:
        """Enter multiply-adds of the controller, over all samples, into the budget."""
        ...

    def read_cycle(self) -> Mapping[str, State]:
        """Return the activities through the last cycle of a swinging nudge, the clamped input included.

        Per layer (points, batch, units), point k at phase ``2 pi k / points``; complex under a rotation.
        Every point is a real read per plane.
        """
        ...

    def settle_errors(self, target: Array) -> SettlingResult:
        """Let a second, adjoint state settle on transposed weights around the last free state.

        `target` is (batch, classes) or (batch, outputs). Additive law: ``tau dd/dt = -d + rho' (W^T d + e)``.
        """
        ...

    def read_errors(self) -> Mapping[str, Array]:
        """Return the error vectors ``dL/d drive`` that `settle_errors` found, per unclamped layer (batch, units)."""
        ...

    def read_drives(self, offsets: Mapping[str, Array]) -> Mapping[str, Array]:
        """Override the outputs with ``a0 + offsets``, loop open, and return the change ``W offsets`` of the drives.

        `a0` are the activities of the last free state, whose drive the read takes off. Per unclamped layer
        (batch, units), `offsets` in units of the activity, the answer in units of the state; one real read.
        """
        ...

    def settle_injected(self, drive: Mapping[str, Array]) -> SettlingResult:
        """Let the chip settle from the last free state with a constant `drive` on top of that of every unit.

        Per unclamped layer (batch, units), in units of the state. Then `read` returns ``a0 - J^-1 drive`` to first
        order, with ``J = W - K`` and `K` diagonal.
        """
        ...

    def correlate(
        self,
        delta: Mapping[str, State],
        presynaptic: Mapping[str, State],
        samples: NDArray[np.int64] | None = None,
    ) -> Mapping[str, State]:
        """Return what the circuits beside the cells make of error and activity, by block, summed over the samples.

        A connection multiplies `presynaptic` of its pre layer with `delta` of its post layer, (batch, units) each, and
        a bias adds up `delta`; what lacks a factor is left out. Nothing is conjugated: with errors ``dL/d drive`` and
        the activities behind them it is the gradient of every block, as far as local products give it.

        Behind a pooling circuit the error is weighed as its values are. It stands at the presynaptic activities; or,
        with `samples` (rows,), at the free state of the sample of the batch that each row belongs to.
        """
        ...


class BackwardModel(Protocol):
    """A model of a chip that a controller computes with: wiring, curves of units, and what it takes the weights for."""

    def backpropagate(
        self, activity: Mapping[str, Array], force: Array, iterations: int | None = None
    ) -> tuple[dict[str, Array], int]:
        """Return ``dL/d drive`` per unclamped layer (batch, units), as the model has it around rest, and what it took.

        Parameters
        ----------
        activity : mapping of layer to array (batch, units)
            Activities at rest, as they were read.
        force : array (batch, outputs)
            ``dC/da`` of the outputs.
        iterations : int, optional
            So many of ``x <- R W^T x + R e``; absent: the linear systems are solved.

        Returns
        -------
        tuple
            Error vectors, NaN where there is no solution, and multiply-adds over all samples.
        """
        ...

    def slopes(self, activity: Mapping[str, Array]) -> dict[str, Array]:
        """Return the slopes ``da/d drive`` of the units at these activities, per unclamped layer (batch, units)."""
        ...


class CorrectedModel(BackwardModel, Protocol):
    """A backward model whose weights can be corrected."""

    def correct(self, errors: Mapping[str, Array]) -> None:
        """Take weights for what was programmed plus `errors`, by block; blocks that are left out have none."""
        ...
