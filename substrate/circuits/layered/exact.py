"""The exact side of a layered circuit: rest points to the last digits, and the conductance matrix around them.

The matrix J couples neighbouring layers by minus their conductances and has the sum of all conductances of a node on
its diagonal; nodes that a diode holds are left out. It is symmetric, so the error vector and what EP finds for a
vanishing nudge are one vector.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from ...protocol import Nudge, SettlingResult, has_settled
from ..exact import Blocks, CircuitPoint, Mask, WeighedLimit
from ..linear import solve_each
from .chip import LayeredChip

Array = NDArray[np.float64]


def _solve_symmetric(matrix: Array, right: Array) -> Array:
    """Return the solution of a symmetric system, which is positive definite wherever a rest point is stable."""
    try:
        return np.asarray(linalg.cho_solve(linalg.cho_factor(matrix), right), dtype=np.float64)
    except linalg.LinAlgError:  # a negative nudge beyond the critical one
        return np.asarray(solve_each(matrix[None], right[None])[0])


class LimitReads(NamedTuple):
    """Two reads whose contrast, times `factor`, is what squared drops tend to, summed over samples."""

    after: Mapping[str, Array]
    before: Mapping[str, Array]
    factor: float


def make_exact_reads(chip: LayeredChip, target: Array) -> LimitReads:
    """Return what a circuit would read for a vanishing nudge, from its last free state, which is refined.

    All in the precision of the simulation: the error vector is found by sweeps, as rest points are.
    """
    chip.refine()
    read = chip.read()
    return _make_limit_reads(read, chip.respond(list(read.values())[-1] - target))


def _make_limit_reads(read: Mapping[str, Array], response: Array) -> LimitReads:
    """Return reads on both sides of one, the input first, along minus a response (samples, nodes without the input)."""
    voltages = list(read.values())[1:]
    large = float(np.abs(response).max(initial=0.0)), max(float(np.abs(v).max(initial=0.0)) for v in voltages)
    # Products of changes and sums of two reads; a change as large as the voltages keeps all digits of both.
    part = 2.0 ** np.floor(np.log2(large[1] / large[0])) if min(large) > 0.0 and np.isfinite(sum(large)) else 1.0
    stops = np.cumsum([v.shape[1] for v in voltages])
    halves = dict(zip(list(read)[1:], np.split(0.5 * part * response, stops[:-1], axis=1), strict=True))
    after, before = ({name: v - sign * halves.get(name, 0.0) for name, v in read.items()} for sign in (1.0, -1.0))
    return LimitReads(after, before, 0.5 / part)


class LayeredOracle:
    """The exact side of a layered circuit; implements `substrate.circuits.exact.CircuitOracle`."""

    def __init__(self, chip: LayeredChip) -> None:
        self._chip = chip.make_complete().variant(nudge="continuous")
        self.is_continuous = chip.design.nudge == "continuous"
        self.has_kinks = len(chip.design.diodes) > 0
        self._names = list(chip.layers)
        sizes = list(chip.layers.values())[1:]
        self._stops = np.cumsum([0, *sizes])
        self.metrics = np.ones(self._stops[-1])
        self._matrix = self._assemble()

    def _assemble(self) -> Array:
        """Return J without nudge, all nodes free."""
        blocks, count = self._chip.effective, int(self._stops[-1])
        matrix, total = np.zeros((count, count)), np.zeros(count)
        for k, (pre, post) in enumerate(self._chip.design.connections):
            g, after = blocks[f"conductance/{pre}-{post}"], slice(*self._stops[k : k + 2])
            total[after] += g.sum(axis=tuple(range(g.ndim - 1)))
            if k:
                before = slice(*self._stops[k - 1 : k + 1])
                total[before] += g.sum(axis=1)
                matrix[before, after], matrix[after, before] = -g, -g.T
        matrix[np.arange(count), np.arange(count)] = total
        return matrix

    def find_point(self, x: Array, target: Array, beta: float | Array = 0.0) -> CircuitPoint:
        """Return a rest point, see `CircuitOracle`."""
        settled, voltages, size = *self._settle(x, target, beta), np.zeros(len(x)) + beta
        clamped = self._find_clamped(voltages)
        outputs = np.arange(self._stops[-2], self._stops[-1])
        error = voltages[:, outputs] - target
        vector, through = np.zeros_like(voltages), np.zeros_like(voltages)
        conductance = np.empty((len(x), len(outputs), len(outputs)))
        for k, held in enumerate(clamped):
            free = np.flatnonzero(~held)
            matrix = self._matrix[np.ix_(free, free)]
            own = np.searchsorted(free, outputs)
            matrix[own, own] += size[k]
            right = np.zeros((len(free), len(outputs)))
            right[own, np.arange(len(outputs))] = 1.0
            impedance = _solve_symmetric(matrix, right)
            conductance[k] = solve_each(impedance[None, own], np.eye(len(own))[None])[0]
            vector[k, free] = impedance @ error[k]
            through[k, free] = impedance @ (conductance[k] @ error[k])
        known = np.isfinite(conductance.sum(axis=(1, 2)))
        critical = np.linalg.eigvalsh(np.where(known[:, None, None], conductance, 0.0))[:, 0]
        critical = np.where(known, critical, np.nan)
        reached = has_settled(settled.status) & np.isfinite(vector).all(axis=1)
        return CircuitPoint(
            x, reached, voltages, error, vector, vector, through, conductance, np.asarray(critical), clamped
        )

    def find_held(self, x: Array, target: Array, beta: float | Array) -> Mask:
        """Return which nodes diodes hold, see `CircuitOracle`."""
        return self._find_clamped(self._settle(x, target, beta)[1])

    def _settle(self, x: Array, target: Array, beta: float | Array) -> tuple[SettlingResult, Array]:
        """Return how a settling ended, and the voltages of all nodes, (batch, nodes)."""
        chip, size = self._chip, np.zeros(len(x)) + beta
        chip.set_input(x)
        settled = chip.settle()
        if size.any():
            settled = chip.settle(Nudge(1.0, target, size), start="free")
        return settled, np.concatenate(list(chip.state.values()), axis=1)

    def _find_clamped(self, voltages: Array) -> Mask:
        clamped = np.zeros(voltages.shape, dtype=bool)
        for k, name in enumerate(self._names[1:]):
            part = slice(*self._stops[k : k + 2])
            clamped[:, part] = (name in self._chip.design.diodes) & (voltages[:, part] == 0.0)
        return clamped

    def compute_gradients(self, point: CircuitPoint, keep: Mask) -> Blocks:
        """Return the exact gradients by block, means over the samples that count."""
        return self.compute_limits(point, point.adjoint, keep)

    def compute_limits(self, point: CircuitPoint, response: Array, keep: Mask) -> Blocks:
        """Return what squared drops tend to, by block: ``dV d(dV)/dbeta`` with ``dV/dbeta`` of minus the response."""
        read = dict(zip(self._names, [point.x, *np.split(point.voltages, self._stops[1:-1], axis=1)], strict=True))
        after, before, factor = _make_limit_reads({name: v[keep] for name, v in read.items()}, response[keep])
        count = np.float64(np.count_nonzero(keep))
        with np.errstate(invalid="ignore", divide="ignore"):  # no sample counts
            return {name: factor * block / count for name, block in self._chip.contrast(after, before).items()}

    def weigh_nodes(self, point: CircuitPoint, keep: Mask) -> WeighedLimit:
        """Return the limit itself: there are no amplifiers."""
        return WeighedLimit(np.where(keep[:, None], point.response, 0.0), self.compute_gradients(point, keep))
