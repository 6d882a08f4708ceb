"""Layer-local nudges: every layer has a cost of its own, and all layers are nudged at once.

A hidden layer `l` is read through a fixed random readout `V_l`, and the chip descends ``C + w sum_l C_l(V_l a_l)``
(local errors of fixed random classifiers: Mostafa, Ramesh & Cauwenberghs 2018). The forces `e` on all units are
computed from the free activities and injected as constant drives ``-beta_k e``: ``delta = -sum_k c_k a(beta_k)`` tends
to ``R (1 - W R)^-1 e``. On a symmetric chip it is, at any size of the nudge, the exact gradient of
``sum_k c_k int_0^beta_k e a(u) du``. No signal has to cross the network: early layers answer as strongly as late ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from substrate.protocol import Bench, Port, Readout, SettlingResult, State

from .. import cost
from ..draws import draw_matrix
from ..estimator import FreeReading, NudgeReading
from ..schemes.nodes import RandomSign
from ..schemes.scheme import Scheme, Swing
from .error_vector import ErrorVector, Layers
from .rule import RULES, RuleContext

Array = NDArray[np.float64]


@RULES.register
class LayerNudges(ErrorVector):
    """Error vectors of the cost and of local costs of all hidden layers, which are nudged together."""

    kind: Literal["layer-nudges"] = "layer-nudges"  # type: ignore[assignment]

    weight: Annotated[float, Field(ge=0.0, le=1000.0)] = 0.1
    """Weight of the cost of every hidden layer, over that of the outputs; 0 to 1000."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Seed of the readouts of hidden layers; 0 to 2^63 - 1."""

    nudges: ClassVar[bool] = False
    computes: ClassVar[bool] = True
    injects: ClassVar[bool] = True
    ports: ClassVar[frozenset[Port]] = frozenset({"injected"})
    terms: ClassVar[Mapping[str, str]] = {"locality": "layer_costs"}

    def find_scheme_fault(self, scheme: Scheme) -> str:
        """Return why the nudges of a scheme cannot be injected as constant drives; empty if they can."""
        if isinstance(scheme, Swing) or scheme.needs_complex:
            return "injects constant real drives, and the nudge of this scheme is neither"
        return "draws no signs of its nudges" if isinstance(scheme, RandomSign) else ""

    def readings(self, bench: Bench, free: FreeReading, target: Array, how: RuleContext) -> Iterator[NudgeReading]:
        """Inject the forces of all layers, settle and read as the scheme says, one reading after the other."""
        forces = self.forces(free.activity, target, bench.readout)
        classes = target.shape[1]
        bench.count_macs(len(target) * 2 * classes * sum(f.shape[1] for f in list(forces.values())[:-1]))
        nodes = how.scheme.nodes()
        last = max(k for k, node in enumerate(nodes) if node.beta != 0.0)
        for k, node in enumerate(nodes):
            settled: SettlingResult | None = None
            activity: Mapping[str, State] = free.activity
            if node.beta != 0.0:
                beta = float(np.real(node.beta))
                settled = bench.settle_injected({name: -beta * force for name, force in forces.items()})
                activity = bench.read(waits=k != last)
            yield NudgeReading(node.weight, 1.0 / len(nodes), False, activity, settled)

    def forces(self, activity: Layers, target: Array, readout: Readout | None) -> Layers:
        """Return ``e = d(C + w sum C_l)/da`` of all layers, per unclamped layer (batch, units)."""
        *hidden, output = list(activity)[1:]
        found = {}
        for k, name in enumerate(hidden):
            local, a = draw_matrix(self.seed, k, (target.shape[1], activity[name].shape[1])).T, activity[name]
            if readout is None:
                force = (a @ local - target) @ local.T
            else:
                force = cost.compute_cost_force(Readout(local, np.zeros(target.shape[1])), a, target)
            found[name] = self.weight * force
        return found | {output: cost.compute_cost_force(readout, activity[output], target)}
