"""What a chip on a board shows of its own gradients: how they repeat, and what node perturbation finds in their place.

Nobody knows the exact gradient of such a chip: there is no cosine to it, and no ledger.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning import cost
from learning.estimator import measure_free
from learning.rules.error_vector import ErrorVector
from learning.rules.node_perturbation import NodePerturbation
from learning.rules.rule import RuleContext
from substrate.hardware.bench import HardwareBench
from substrate.hardware.board import TransferError
from substrate.protocol import Status

from ...boards.connect import OpenBoard, get_hardware
from ...results.store import Group
from ...schema.plan import NOISY_REPEATS
from ..kind import Batch, ExperimentWork, RunError
from ..measure.plan import Measure
from ..watch import Interrupted
from .checkpoint import read_measurements, write_measurements
from .found import BoardMeasurement, Repeated
from .tables import make_board_groups

Array = NDArray[np.float64]


def measure_on_board(work: ExperimentWork[Any], plan: Measure, board: OpenBoard) -> dict[str, Group]:
    """Measure a batch with every scheme, again and again; return the groups of the result.

    Raises
    ------
    RunError
        If the rule has no error vectors.
    Interrupted
        If the board did not answer; there is a checkpoint with every measurement before.
    """
    learning, bench, setting = work.setup.learning, board.bench, work.setting
    rule, schemes = learning.rule, learning.all_schemes()
    if not isinstance(rule, ErrorVector):
        raise RunError(f'learning.rule: {rule.kind} makes no error vectors to compare; take "error-vector"')
    batch, repeats, taken = work.batch(plan.samples), plan.repeats or NOISY_REPEATS, read_measurements(setting.saved)
    given = learning.given_schemes() or schemes
    try:
        for k, scheme in enumerate(schemes):
            how = RuleContext(given[min(k, len(given) - 1)], learning.presynaptic)
            for repeat in range(repeats):
                if (k, repeat) not in taken:
                    told = f"{scheme.label}, measurement {repeat + 1}"
                    work.watch.advance(k * repeats + repeat, len(schemes) * repeats, told)
                    taken[k, repeat] = _measure_once(bench, rule, batch, how._replace(repeat=repeat))
        probed = _probe(work, bench, batch, RuleContext(given[0]))
    except TransferError as error:
        write_measurements(setting.kept, setting.identity, taken, board.keep())
        words = f"{len(taken)} of {len(schemes) * repeats} measurements are kept"
        raise Interrupted(f"{error}; {words}, and the same command goes on from there") from error
    found = [_stack_measurements([taken[k, repeat] for repeat in range(repeats)]) for k in range(len(schemes))]
    return make_board_groups(board, BoardMeasurement(schemes, found, probed), batch)


def _measure_once(bench: HardwareBench, rule: ErrorVector, batch: Batch, how: RuleContext) -> Repeated:
    free = measure_free(bench, batch.x)
    estimate = rule.estimate(bench, free, batch.target, how)
    keep = estimate.status != Status.DIVERGED
    blocks = cost.compute_gradients(bench, estimate.presynaptic, estimate.delta, keep)
    delta = {name: np.where(keep[:, None], layer, np.nan) for name, layer in estimate.delta.items()}
    activity = {name: free.activity[name] for name in delta}
    return Repeated(activity, delta, dict(rule.requests(blocks, bench, lambda: bench.programmed)), estimate.status)


def _stack_measurements(taken: list[Repeated]) -> Repeated:
    def stack(parts: list[dict[str, Array]]) -> dict[str, Array]:
        return {name: np.stack([part[name] for part in parts]) for name in parts[0]}

    return Repeated(
        stack([one.free for one in taken]),
        stack([one.delta for one in taken]),
        stack([one.blocks for one in taken]),
        np.stack([one.status for one in taken]),
    )


def _probe(
    work: ExperimentWork[Any],
    bench: HardwareBench,
    batch: Batch,
    how: RuleContext,
) -> list[dict[str, Array]]:
    """Return the error vectors of node perturbation, measured twice; nothing if they are not asked for."""
    hardware = get_hardware(work.setup)
    if not hardware.probes:
        return []
    work.watch.say(f"node perturbation, twice {hardware.probes} probes")
    rule = NodePerturbation(probes=hardware.probes, size=hardware.probe_size)
    return [
        rule.estimate(bench, measure_free(bench, batch.x), batch.target, how._replace(repeat=repeat)).delta
        for repeat in range(2)
    ]
