"""The membranes of one chip in motion: how a settling is carried out, and what it leaves to the next."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from devices.random import Stream

from ..dynamics.machine import Drive, Machine, compute_slow_deviations, count_planes
from ..dynamics.methods import Phase
from ..dynamics.slow_drive import SlowDrive
from ..dynamics.transfer import rescale_loaded_state
from ..engine.lengths import compute_longest_time
from ..engine.protocol import Relaxation
from ..network.topology import Topology
from ..protocol import State
from .completion import TOLERANCE, make_dynamics_complete, settle_completely
from .coupling import AnyCouplings, find_couplings
from .equilibrium import Audit, settle_by_sweeps
from .noise_step import compute_largest_drift, count_substeps
from .trajectory import relax_finely

Array = NDArray[np.float64]
Record = tuple[int, Callable[[State], object]] | None
"""Call the second at the start of a settling and after every so many steps; None: record nothing."""


class Settler:
    """Carries out the settlings of one chip; states are in units of its own membranes.

    Parameters
    ----------
    machine : Machine
        The chip; its arrays follow the writes.
    topology : Topology
        Its wiring.
    paced_by : tuple of float or None
        Correlation times of noise that was taken away, whose steps are still taken.
    completely : bool
        Whether to follow `settle_completely`, not the ends and steps of the dynamics.
    stream : callable
        ``stream(purpose)`` names the draws of the chip.
    """

    def __init__(
        self,
        machine: Machine,
        topology: Topology,
        paced_by: tuple[float, ...] | None,
        completely: bool,
        stream: Callable[[str], Stream],
    ) -> None:
        self._machine, self._topology, self._completely = machine, topology, completely
        own = tuple(machine.slow_times) if machine.noisy else None
        self._pace = None if own is None and paced_by is None else np.array([*(own or ()), *(paced_by or ())])
        # A second board has slow noise of its own.
        self._slow = [SlowDrive(machine.slow_times, len(machine.tau), stream, board) for board in ("", "-twin")]
        self.audit = Audit()
        """What audits of the equilibrium mode have found since the chip was made."""

    @cached_property
    def _couplings(self) -> AnyCouplings:
        """Effective couplings, which follow the writes; where they depend on the state, those at no activity."""
        return find_couplings(self._machine, self._topology, np.zeros((1, self._topology.units)))

    def restart(self, ids: NDArray[np.int64], name: str) -> None:
        """Begin with a new batch: `ids` (batch,) and `name` name the draws of its slow noise."""
        for slow in self._slow:
            slow.restart(ids, name)

    def elapse(self, time: Array) -> None:
        """Let the time (batch,) pass without a settling, in tau."""
        for slow in self._slow:
            slow.elapse(time)

    def follow(
        self,
        machine: Machine,
        drive: Drive,
        start: State,
        phase: Phase,
        busy: float,
        record: Record = None,
        board: int = 0,
    ) -> Relaxation:
        """Settle under a drive, from `start` to the end of a phase.

        Parameters
        ----------
        machine : Machine
            The chip; or a copy with other cells, whose load is its own.
        drive, start, phase : Drive, array (batch, units) or (batch, width), Phase
            As the engine takes them.
        busy : float
            Time that the last read still takes, in tau: no settling ends before.
        record : Record
            Every so many steps call ``record(state)``.
        board : int
            1 if the settling is that of a second board, which has slow noise of its own.

        Raises
        ------
        ValueError
            If a recording is asked for in equilibrium mode.
        """
        own, acting = self._machine.transfer, machine.transfer
        start = rescale_loaded_state(start, own, acting)
        if record is not None:
            every, keep = record
            record = every, lambda state: keep(rescale_loaded_state(state, acting, own))
        if self._completely:
            relaxed = settle_completely(machine, drive, start)
        elif machine.dynamics.mode == "equilibrium":
            if record is not None:
                raise ValueError('a recording follows a trajectory: set dynamics.mode = "trajectory"')
            found = settle_by_sweeps(machine, drive, start, phase)
            self.audit = self.audit.plus(found.audit)
            relaxed = found.relaxed
        else:
            relaxed = self._follow_in_time(machine, drive, start, phase, busy, record, board)
        return relaxed._replace(
            state=rescale_loaded_state(relaxed.state, acting, own), full=rescale_loaded_state(relaxed.full, acting, own)
        )

    def _follow_in_time(
        self, machine: Machine, drive: Drive, start: State, phase: Phase, busy: float, record: Record, board: int
    ) -> Relaxation:
        own, other = self._slow[board], self._slow[1 - board]
        if own.on:
            self.elapse(np.maximum(0.0, busy - compute_longest_time(machine, drive, phase)))
            drive = drive._replace(slow=own.begin(count_planes(drive, start), compute_slow_deviations(machine, drive)))
        relaxed = relax_finely(self._paced(machine, drive), drive, start, phase, *(record or (None, None)))
        own.end(relaxed.slow, relaxed.settled.time)
        other.elapse(relaxed.settled.time)
        return relaxed

    def _paced(self, machine: Machine, drive: Drive) -> Machine:
        """Return the machine with what its noise asks of steps and ends; noise that was taken away asks for steps."""
        if self._pace is None:
            return machine
        return machine._replace(
            substeps=count_substeps(machine, self._couplings, self._pace),
            fluctuation=compute_largest_drift(machine, self._couplings, drive),
        )

    def complete(self, constant: Array, start: State, tolerance: float = TOLERANCE) -> State:
        """Return where a state would come to rest under a constant drive, in double precision and without noise."""
        drive, dynamics = (
            Drive(constant, 0.0, np.zeros((len(start), 0))),
            make_dynamics_complete(self._machine.dynamics),
        )
        end = dynamics.free.model_copy(update={"tolerance": tolerance})
        machine = self._machine.quieten()._replace(dynamics=dynamics.model_copy(update={"free": end}))
        return settle_completely(machine, drive, start).state
