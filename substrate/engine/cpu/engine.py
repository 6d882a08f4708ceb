"""The engine for processors: Numba's kernels on tiles of a batch, which threads share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...dynamics.machine import Machine
from ...network.connection import ConnectionKind
from ...protocol import State
from ..protocol import Linear
from ..threads import limit_blas_threads
from .kernels import drift
from .rest import find_rest_points
from .tiles import make_unit_law, prepare_wiring, read_tile_rows, require_dense, write_tile_rows
from .trajectory import relax_tiles

Array = NDArray[np.float64]

_ROWS = 32
"""Rows of one product of inputs and weights."""


class CpuEngine:
    """Implements `substrate.engine.protocol.SettlingEngine`."""

    prepare = staticmethod(prepare_wiring)
    relax = staticmethod(relax_tiles)
    rest = staticmethod(find_rest_points)

    @staticmethod
    def activate(machine: Machine, state: State) -> State:
        """Return the activity of a state (batch, units), real or complex."""
        planes = 2 if np.iscomplexobj(state) else 1
        u = np.empty((planes * len(state), state.shape[1]))
        write_tile_rows(state, u, planes)
        a = np.empty_like(u)
        drift.activate(u, a, make_unit_law(machine, 0.0, planes))
        return read_tile_rows(a, np.arange(len(state)), planes)

    @staticmethod
    def force(machine: Machine, activity: Array, target: Array) -> Array:
        """Return ``e = dC/da`` on the outputs (batch, outputs), at the activities (batch, units) of a real state."""
        force = np.empty((len(activity), activity.shape[1] - machine.circuit.first_output))
        drift.compute_batch_forces(activity, np.ascontiguousarray(target, dtype=np.float64), machine.circuit, force)
        return force

    @staticmethod
    def drive(machine: Machine, activity: Array) -> Array:
        """Return the drive ``W a`` that the units get from each other's activities, (batch, units)."""
        return CpuEngine.linear(machine, activity).product(activity)

    @staticmethod
    def apply(kind: ConnectionKind, weights: Array, activity: Array) -> Array:
        """Return the drives of a connection (batch, post), every row with the same bits whatever rows are beside it.

        Libraries choose the order of a sum by the number of rows, so that they always get the same number.
        """
        filled = np.zeros((-(-len(activity) // _ROWS) * _ROWS, activity.shape[1]))
        filled[: len(activity)] = activity
        # No rows make one part, too.
        starts = range(0, max(len(filled), 1), _ROWS)
        with limit_blas_threads():
            parts = [kind.apply(weights, filled[first : first + _ROWS]) for first in starts]
        return np.concatenate(parts)[: len(activity)]

    @staticmethod
    def linear(machine: Machine, activity: Array) -> Linear:  # noqa: ARG004
        """Return what the connections do to small changes; of dense ones that does not depend on the activity."""
        blocks = _list_weight_blocks(machine)
        return Linear(
            lambda v, _=None: _add_columns(v, [(v[:, pre] @ weight, post) for pre, post, weight in blocks]),
            lambda v, _=None: _add_columns(v, [(v[:, post] @ weight.T, pre) for pre, post, weight in blocks]),
        )

    @staticmethod
    def correlate(
        kind: ConnectionKind,
        activity: State,
        delta: State,
        weights: Array | None = None,
        here: State | None = None,
        there: State | None = None,
    ) -> State:
        """Return the gradient of a block, of the shape it has, summed over the batch."""
        return kind.gradient(activity, delta, weights, here, there)

    @staticmethod
    def differentiate(machine: Machine, activity: Array, delta: Array, change: Array | None = None) -> list[Array]:
        """Return the derivative of ``sum delta W a``, or of ``sum delta W change``, with respect to every block."""
        given = activity if change is None else change
        return [given[:, pre].T @ delta[:, post] for pre, post, _ in _list_weight_blocks(machine)]


def _list_weight_blocks(machine: Machine) -> list[tuple[slice, slice, Array]]:
    """Return the columns of both ends and the weights (pre, post) of every recurrent connection."""
    require_dense(machine)
    return [
        (
            slice(first_pre, first_pre + pre),
            slice(first_post, first_post + post),
            machine.weights[offset : offset + pre * post].reshape(pre, post),
        )
        for first_pre, first_post, pre, post, offset, _ in machine.edges.tolist()
    ]


def _add_columns(like: Array, parts: list[tuple[Array, slice]]) -> Array:
    """Return the sum of parts (batch, some units), each at its columns of an array (batch, units)."""
    total = np.zeros_like(like)
    for part, columns in parts:
        total[:, columns] += part
    return total
