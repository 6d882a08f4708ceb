"""What an engine offers: the arithmetic of settlings, whoever does it.

An engine gets everything it needs with each call and keeps nothing but what `SettlingEngine.prepare` left in the
machine. All engines end a settling by the same rules, `substrate.engine.stopping` and `substrate.engine.sweeping`, take
the same number of steps, `substrate.engine.lengths`, and draw the same noise, `substrate.engine.names`. What chips are
made of, reads, nudge circuits and audits lie outside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..dynamics.machine import Drive, Machine
from ..dynamics.methods import Phase
from ..network.connection import ConnectionKind
from ..network.local_couplings import CouplingProduct
from ..protocol import SettlingResult, State

Array = NDArray[np.float64]


class Average(NamedTuple):
    """Mean activity over a window; arrays (batch, units), complex if the state is."""

    mean: State
    error: Array
    """Standard error of the mean (of both planes together if complex), see `substrate.dynamics.autocorrelation`.

    NaN for a window of less than three steps. No window shows what is slower than itself: where the correlation
    time is a third of the window or more, this is a lower bound.
    """

    autocorrelation: Array
    """Integrated autocorrelation time `t` in tau, in ``error^2 = 2 t/T variance`` for a window `T`."""


class Relaxation(NamedTuple):
    """Where a settling led."""

    state: State
    """Membrane state (batch, units); complex if the nudge or the start is."""

    settled: SettlingResult
    full: State
    """The same with the synaptic poles behind the membranes (batch, width)."""

    average: Average | None = None
    """Activity over the window of the phase, if it has one."""

    cycle: State | None = None
    """Activity at every step of the last cycle of a nudge that swings, (steps, batch, units)."""

    slow: tuple[Array, ...] = ()
    """Slow noise of the membranes at the end, by plane, (processes, batch, units); empty without any."""


class Linear(NamedTuple):
    """What the connections do to small changes of the activity; both take and return (batch, units)."""

    product: CouplingProduct
    """``W v``."""

    transposed: CouplingProduct
    """``W^T v``."""


class SettlingEngine(Protocol):
    """One way to compute the settlings of a machine; states and activities are given and returned in double precision.

    Every method leaves its arguments as they are, but for ``machine.prepared``.
    """

    def prepare(self, machine: Machine) -> object:
        """Return the weights as the engine keeps them, and keep them in ``machine.prepared``.

        The other methods call it; a write clears what is kept.
        """
        ...

    def relax(
        self,
        machine: Machine,
        drive: Drive,
        start: State,
        phase: Phase,
        every: int | None = None,
        record: Callable[[State], object] | None = None,
    ) -> Relaxation:
        """Let every sample follow its trajectory.

        Parameters
        ----------
        machine : Machine
            The chip and its dynamics; one step is ``dynamics.dt``, whatever its substeps.
        drive : Drive
            Inputs, nudge and targets; a complex nudge makes the state complex.
        start : array (batch, units) or (batch, width)
            State at the beginning. Synaptic poles that are not given start at 0.
        phase : Phase
            When to stop.
        every, record : int, callable, optional
            Call ``record(state)`` at the start and after every so many steps.
        """
        ...

    def rest(self, machine: Machine, drive: Drive, start: State, phase: Phase) -> Relaxation:
        """Find the rest point of every sample by sweeps over the layers, without following time.

        Parameters
        ----------
        machine : Machine
            The chip without noise; time constants do not matter.
        drive : Drive
            Inputs, nudge and targets; the nudge does not swing.
        start : array (batch, units)
            Where to start from.
        phase : Phase
            Tolerance, and how many sweeps at most.
        """
        ...

    def activate(self, machine: Machine, state: State) -> State:
        """Return the activity of a state (batch, units), real or complex."""
        ...

    def force(self, machine: Machine, activity: Array, target: Array) -> Array:
        """Return ``e = dC/da`` on the outputs (batch, outputs), at the activities (batch, units) of a real state."""
        ...

    def drive(self, machine: Machine, activity: Array) -> Array:
        """Return the drive ``W a`` that the units get from each other's activities, (batch, units)."""
        ...

    def apply(self, kind: ConnectionKind, weights: Array, activity: Array) -> Array:
        """Return the drives (batch, post) that a connection from the clamped input makes of activities (batch, pre)."""
        ...

    def linear(self, machine: Machine, activity: Array) -> Linear:
        """Return what the connections do to small changes around the activities (batch, units) of rest points."""
        ...

    def correlate(
        self,
        kind: ConnectionKind,
        activity: State,
        delta: State,
        weights: Array | None = None,
        here: State | None = None,
        there: State | None = None,
    ) -> State:
        """Return what the circuits beside the cells of one connection make of its two ends, of the shape of its block.

        Parameters
        ----------
        kind : Kind
            What holds the weights.
        activity, delta : array (batch, pre), (batch, post)
            Presynaptic activities and errors of the post layer; neither is conjugated.
        weights : array, optional
            The block, for kinds whose gradient depends on it.
        here, there : array (batch, post), (batch, pre), optional
            Activities of both layers at which pooling stands; absent: `activity` of the pre layer.
        """
        ...

    def differentiate(
        self, machine: Machine, activity: Array, delta: Array, change: Array | None = None
    ) -> list[Array]:
        """Return the derivative of ``sum delta h`` with respect to the block of every recurrent connection.

        Parameters
        ----------
        machine : Machine
            Holds the blocks.
        activity, delta : array (batch, units)
            Activities, which stay as they are, and errors of the drives `h`.
        change : array (batch, units), optional
            Of ``sum delta W change`` instead, with the couplings `W` around the activities.
        """
        ...
