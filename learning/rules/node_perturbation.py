"""Node perturbation: drives of all units are moved at random, and the costs are compared.

Constant drives ``+s xi`` and ``-s xi`` are injected into the settled chip, with `xi` of +1 and -1, and the costs `C+`
and `C-` follow from the outputs alone: ``delta = mean (C+ - C-)/(2 s) xi``. Its mean over the probes is ``dL/d drive``
whatever the couplings, to the order ``s^2``; its relative variance is ``(N - 1)/m`` for `m` random probes of `N` units
(Widrow & Lehr 1990; Spall 1992). Orthogonal probes are columns of a Hadamard matrix, whose rows are flipped at random
for every sample: they leave ``N/m - 1``, and nothing at ``m = N``. With the estimate `q` of a nudge as control variate
only what `q` missed is probed: ``q + ((C+ - C-)/(2 s) - xi.q) xi`` is unbiased, and its variance is that of the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from devices.parameters import Level
from substrate.protocol import Bench, Port

from .. import cost
from ..draws import draw_order, draw_unit_signs
from ..estimator import Estimate, FreeReading, estimate_error_vectors
from ..schemes.scheme import Scheme
from ..schemes.unnudged import Unnudged
from .error_vector import ErrorVector, take_free_estimate
from .rule import RULES, RuleContext

Array = NDArray[np.float64]

_DRAWS = 2**20
"""More draws than one measurement takes."""


@RULES.register
class NodePerturbation(ErrorVector):
    """Error vectors from the cost of the outputs under injected drives of both signs."""

    kind: Literal["node-perturbation"] = "node-perturbation"  # type: ignore[assignment]

    probes: Annotated[int, Field(ge=1, le=65_536)] = 16
    """Probes of one estimate, of two settlings each; 1 to 65 536."""

    code: Literal["orthogonal", "random"] = "orthogonal"
    """Signs of the probes: `orthogonal`, columns of a Hadamard matrix, none twice; `random`, drawn for every unit."""

    size: Annotated[float, Field(gt=0.0, le=100.0), Level("volt_scale")] = 0.02
    """Injected drive of every unit; units of the state, above 0."""

    control: Literal["none", "ep"] = "none"
    """`ep`: the estimate of ``learning.scheme`` stands as a first guess, and probes measure what it missed."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Seed of the probes; 0 to 2^63 - 1."""

    takes_presynaptic: ClassVar[bool] = False
    nudges: ClassVar[bool] = False
    takes_scheme: ClassVar[bool] = False
    computes: ClassVar[bool] = True
    draws: ClassVar[bool] = True
    ports: ClassVar[frozenset[Port]] = frozenset({"injected", "output-read"})
    terms: ClassVar[Mapping[str, str]] = {"finite_nudge": "finite_perturbation"}

    @property
    def needs_scheme(self) -> bool:
        """Whether a nudge makes the first guess."""
        return self.control == "ep"

    def stand_in(self, given: Sequence[Scheme]) -> Unnudged:
        """Return what stands for this rule where results tell schemes apart."""
        return super().stand_in(given).model_copy(update={"settlings": 2 * self.probes, "size": self.size})

    def estimate(self, bench: Bench, free: FreeReading, target: Array, how: RuleContext) -> Estimate:
        """Return the mean over the probes."""
        layers = dict(list(bench.layers.items())[1:])
        output, units = list(layers)[-1], sum(layers.values())
        status, steps = free.settled.status, np.zeros_like(free.settled.steps)
        guess = np.zeros((len(target), units))
        if self.control == "ep":
            first = estimate_error_vectors(bench, free, target, how.scheme, mirror=how.mirror)
            guess, status, steps = first.flat, first.status, first.steps
        found, bounds = np.zeros_like(guess), list(np.cumsum(list(layers.values()))[:-1])
        codes = self._draw_codes(units, free, how)
        for xi in codes:
            costs = []
            for sign in (1.0, -1.0):
                drive = dict(zip(layers, np.split(sign * self.size * xi, bounds, axis=1), strict=True))
                settled = bench.settle_injected(drive)
                status, steps = np.maximum(status, settled.status), steps + settled.steps
                costs.append(cost.compute_loss(bench.readout, np.real(bench.read_layers([output])[output]), target))
            change = (costs[0] - costs[1]) / (2.0 * self.size)
            found += (change - np.sum(xi * guess, axis=1))[:, None] * xi / len(codes)
        bench.count_macs(len(target) * len(codes) * units * (2 if self.control == "ep" else 1))
        delta = dict(zip(layers, np.split(guess + found, bounds, axis=1), strict=True))
        return take_free_estimate(free, delta, status, steps)

    def _draw_codes(self, units: int, free: FreeReading, how: RuleContext) -> list[Array]:
        """Return the signs of every probe, (batch, units) each."""
        ids = np.arange(len(free.settled.status)) if free.ids is None else free.ids
        first = how.repeat * _DRAWS
        if self.code == "random" and not how.whole:
            return [draw_unit_signs(self.seed, ids, free.epoch, first + p, units) for p in range(self.probes)]
        size = 1 << max(0, units - 1).bit_length()
        count, columns = size if how.whole else self.probes, draw_order(self.seed, free.epoch, first, size)
        found = []
        for p in range(count):
            if p % size == 0:  # a set is complete: a new one gets new signs
                flips = draw_unit_signs(self.seed, ids, free.epoch, first + p // size, units)
            found.append(flips * compute_hadamard_column(int(columns[p % size]), units))
        return found


def compute_hadamard_column(column: int, rows: int) -> Array:
    """Return the first rows of a column of Sylvester's Hadamard matrix: ``(-1)^(bits that row and column share)``."""
    shared = np.arange(rows, dtype=np.int64) & column
    for shift in (32, 16, 8, 4, 2, 1):  # the parity of the bits gathers in the last one
        shared ^= shared >> shift
    return np.where(shared & 1, -1.0, 1.0)
