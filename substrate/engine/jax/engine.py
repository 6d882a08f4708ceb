"""The engine for accelerators: programs of JAX over the samples of a batch."""

from __future__ import annotations

from typing import Any, cast

import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

from ...dynamics.machine import Machine
from ...network.connection import ConnectionKind
from ...network.convolution import ConvolutionFeedback
from ...network.local_couplings import CouplingProduct, Rows
from ...protocol import State
from ..protocol import Linear
from .batch import (
    Tile,
    count_rows,
    list_blocks,
    make_cell,
    make_planes,
    make_spec,
    merge_equal_copies,
    prepare_weights,
    read_planes,
)
from .compile import calculate_in_double
from .programs import linear
from .programs.connections import pack_weight
from .programs.law import ReadoutArrays, compute_force, compute_unit_activity
from .settle import find_rest, relax

Array = NDArray[np.float64]


class JaxEngine:
    """Implements `substrate.engine.protocol.SettlingEngine`."""

    prepare = staticmethod(calculate_in_double(prepare_weights))
    relax = staticmethod(relax)
    rest = staticmethod(find_rest)

    @staticmethod
    @calculate_in_double
    def activate(machine: Machine, state: State) -> State:
        """Return the activity of a state (batch, units), real or complex."""
        machine, tile = _make_exact(machine), _make_tile(len(state))
        u = make_planes(state, tile, 2 if np.iscomplexobj(state) else 1, np.float64)
        return read_planes(compute_unit_activity(int(machine.transfer.code), make_cell(machine).curve, u), tile)

    @staticmethod
    @calculate_in_double
    def force(machine: Machine, activity: Array, target: Array) -> Array:
        """Return ``e = dC/da`` on the outputs (batch, outputs), at the activities (batch, units) of a real state."""
        circuit = machine.circuit
        readout = ReadoutArrays(jnp.asarray(circuit.weight), jnp.asarray(circuit.bias))
        outputs = jnp.asarray(activity[None, :, circuit.first_output :])
        return np.array(compute_force(int(circuit.cost), readout, outputs, jnp.asarray(target))[0])

    @staticmethod
    @calculate_in_double
    def drive(machine: Machine, activity: Array) -> Array:
        """Return the drive that the units get from each other's activities, (batch, units)."""
        machine, tile = _make_exact(machine), _make_tile(len(activity))
        a = make_planes(activity, tile, 1, np.float64)[0]
        return read_planes(linear.compute_drive(make_spec(machine), prepare_weights(machine), a)[None], tile)

    @staticmethod
    def linear(machine: Machine, activity: Array) -> Linear:
        """Return what the connections do to small changes around the activities (batch, units) of rest points."""
        machine = _make_exact(machine)
        spec = make_spec(machine)

        def act(program: Any) -> CouplingProduct:
            @calculate_in_double
            def change(v: Array, rows: Rows = None) -> Array:
                at = activity if rows is None else activity[rows]
                tile = _make_tile(len(v))
                a, moved = (make_planes(x, tile, 1, np.float64)[0] for x in (at, v))
                return read_planes(program(spec, prepare_weights(machine), a, moved)[None], tile)

            return cast("CouplingProduct", change)

        return Linear(act(linear.compute_product), act(linear.compute_transposed))

    @staticmethod
    @calculate_in_double
    def apply(kind: ConnectionKind, weights: Array, activity: Array) -> Array:
        """Return the drives (batch, post) that a connection from the clamped input makes of activities (batch, pre)."""
        tile = _make_tile(len(activity))
        a = make_planes(activity, tile, 1, np.float64)
        packed = pack_weight(kind, jnp.asarray(merge_equal_copies(kind, weights)))
        return read_planes(linear.apply(kind, packed, a, a[..., :0], lax.Precision.HIGHEST), tile)

    @staticmethod
    @calculate_in_double
    def correlate(
        kind: ConnectionKind,
        activity: State,
        delta: State,
        weights: Array | None = None,
        here: State | None = None,
        there: State | None = None,
    ) -> State:
        """Return what the circuits beside the cells of one connection make of its two ends, of its block's shape."""
        tile = _make_tile(len(activity))
        lower = here if isinstance(kind, ConvolutionFeedback) else activity if there is None else there
        ends = (activity, delta, np.zeros((len(activity), 0)) if lower is None else lower)
        planes = 2 if any(map(np.iscomplexobj, ends)) else 1
        a, d, low = (make_planes(x, tile, planes, np.float64) for x in ends)
        packed = () if weights is None else pack_weight(kind, jnp.asarray(merge_equal_copies(kind, weights)))
        found = np.asarray(linear.correlate(kind, packed, a, d, low, lax.Precision.HIGHEST))
        return np.asarray(found[0] if planes == 1 else found[0] + 1j * found[1])

    @staticmethod
    @calculate_in_double
    def differentiate(machine: Machine, activity: Array, delta: Array, change: Array | None = None) -> list[Array]:
        """Return the derivative of ``sum delta h``, or of ``sum delta W change``, with respect to every block."""
        machine, tile = _make_exact(machine), _make_tile(len(activity))
        spec, blocks = make_spec(machine), list_blocks(machine)
        a, d = (make_planes(x, tile, 1, np.float64)[0] for x in (activity, delta))
        if change is None:
            found = linear.differentiate_drive(spec, blocks, a, d)
        else:
            moved = make_planes(change, tile, 1, np.float64)[0]
            found = linear.differentiate_product(spec, blocks, a, d, moved)
        return [
            np.array(cells).reshape(-1, *kind.shape).sum(axis=0)
            for kind, cells in zip(machine.kinds, found, strict=True)
        ]


def _make_exact(machine: Machine) -> Machine:
    """Return the machine in double precision."""
    return machine._replace(dynamics=machine.dynamics.model_copy(update={"precision": "double"}))


def _make_tile(samples: int) -> Tile:
    return Tile(slice(0, samples), count_rows(samples))
