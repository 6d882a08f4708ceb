"""Squared drops, contrasted over the nudges of a scheme: equilibrium propagation in circuits.

``dL/dg = sum_k c_k dV(beta_k)^2 / 2`` over the nodes of a scheme, whose weights make ``sum_k c_k f(beta_k)`` the
derivative ``df/dbeta`` (Kendall et al., arXiv 2006.01981; Scellier, arXiv 2402.11674). Since the weights sum to 0, the
sum is one of differences: ``sum_k C_k (dV(beta_k)^2 - dV(beta_k+1)^2) / 2`` with ``C_k = c_1 + ... + c_k``.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from substrate.protocol import CircuitBench, Nudge

from ..draws import draw_sample_signs
from ..schemes.nodes import RandomSign
from ..schemes.scheme import Scheme
from ..training import Samples
from .rule import CIRCUIT_RULES, CircuitReading, CircuitRule, Contrast, Read, measure_free_circuit

Array = NDArray[np.float64]


@CIRCUIT_RULES.register
class SquaredDrops(CircuitRule):
    """Squared drops of every element, contrasted over nudges of the outputs by currents."""

    kind: Literal["contrastive"] = "contrastive"

    def measure(self, bench: CircuitBench, samples: Samples, scheme: Scheme | None) -> CircuitReading:
        """Settle freely, then at every node of the scheme, each from the free state.

        Raises
        ------
        ValueError
            If there is no scheme.
        """
        if scheme is None:
            raise ValueError("squared drops need a nudge scheme, such as centred")
        free = measure_free_circuit(bench, samples)
        signs = draw_signs(samples, scheme)
        status, steps = free.settled.status, np.zeros_like(free.settled.steps)
        reads: list[Read] = []
        nodes = scheme.nodes()
        for node in nodes:
            read: Read = free.activity
            if node.beta != 0.0:
                settled = bench.settle(Nudge(node.beta, samples.target, signs), start="free")
                status, steps = np.maximum(status, settled.status), steps + settled.steps
                read = bench.read()
            reads.append(read)
        weights = [complex(node.weight).real for node in nodes]
        signed = np.ones((len(samples.x), 1)) if signs is None else signs[:, None]
        delta = {name: np.zeros_like(v) for name, v in list(free.activity.items())[1:]}
        for c, read in zip(weights, reads, strict=True):
            for name in delta:
                delta[name] -= c * signed * (read[name] - free.activity[name])
        contrasts = [
            Contrast(*_order_reads(reads[k], reads[k + 1], signs), 0.5 * sum(weights[: k + 1]))
            for k in range(len(nodes) - 1)
        ]
        return CircuitReading(free, contrasts, status, steps, delta)


def draw_signs(samples: Samples, scheme: Scheme) -> Array | None:
    """Return the sign of the nudges of every sample, (batch,); None where a scheme draws none."""
    if not isinstance(scheme, RandomSign):
        return None
    ids = np.arange(len(samples.x)) if samples.ids is None else samples.ids
    return draw_sample_signs(scheme.seed, ids, samples.epoch)


def _order_reads(after: Read, before: Read, signs: Array | None) -> tuple[Read, Read]:
    """Return both reads, exchanged for the samples that were nudged the other way round."""
    if signs is None:
        return after, before
    up = signs[:, None] > 0.0
    one = {name: np.where(up, after[name], before[name]) for name in after}
    return one, {name: np.where(up, before[name], after[name]) for name in after}
