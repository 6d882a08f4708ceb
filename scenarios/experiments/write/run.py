"""The comparison of write policies on one chip."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from learning.draws import combine_seeds
from learning.optimisers.optimiser import OptimiserContext, compute_requested_changes
from learning.optimisers.schedule import TrainingMoment
from learning.oracle.models import make_recorded_cells
from learning.oracle.writes.window import ReplayedPolicy, iterate_requests, replay_window
from learning.policies.direct import Direct
from learning.policies.policy import Memory, WritePolicy, make_request_writer
from learning.training import Samples, describe_failure
from substrate.chip.chip import Chip

from ...build import Setup
from ..kind import RunError
from ..train.batches import shuffle_batches
from ..train.run import make_training_rule
from ..watch import Watch
from .plan import CompareWrites

Array = NDArray[np.float64]


def list_compared_policies(setup: Setup, plan: CompareWrites) -> list[WritePolicy]:
    """Return what is compared, drawing by the seed of the scenario, too."""
    if plan.policies is None:
        return list(dict.fromkeys([Direct(), setup.learning.write]))
    seed = setup.fabrication.seed
    return [_draw_by(policy, seed) for policy in plan.policies]


def _draw_by(policy: WritePolicy, seed: int) -> WritePolicy:
    own = getattr(policy, "seed", None)
    return policy if own is None else policy.model_copy(update={"seed": combine_seeds(seed, own)})


def compare_writes(chip: Chip, setup: Setup, plan: CompareWrites, watch: Watch) -> list[ReplayedPolicy]:
    """Return what becomes of the requests of a window under every policy.

    Parameters
    ----------
    chip : Chip
        With its noise; it is written only where requests are to turn.
    setup : Setup
        Learning and data.
    plan : CompareWrites
        Batches and policies.
    watch : Watch
        Is told after every batch, and may stop all.

    Raises
    ------
    RunError
        If a gradient is not finite, or nothing settles.
    Interrupted
        If the watch asked to stop.
    """
    learning, policies = setup.learning, list_compared_policies(setup, plan)
    memory: Memory = {}
    rule = make_training_rule(learning, chip, memory)

    def measure(samples: Samples, moment: TrainingMoment) -> Mapping[str, Array]:
        gradient = rule(samples)
        if failure := describe_failure(gradient):
            raise RunError(f"experiment: {failure}, so there is nothing to write")
        known = OptimiserContext(moment, lambda: chip.programmed)
        return compute_requested_changes(learning.optimiser, gradient.blocks, memory, known)

    written = make_recorded_cells(learning.rule, chip, setup.known_cells, memory)
    write = None if plan.frozen else make_request_writer(learning.write, written, setup.known_cells)
    requests = iterate_requests(iterate_batches(setup, plan.batches), plan.batches, measure, write)
    return replay_window(
        chip,
        requests,
        policies,
        setup.known_cells,
        plan.batches,
        lambda done: watch.advance(done, plan.batches, f"batch {done}"),
    )


def iterate_batches(setup: Setup, count: int) -> Iterator[Samples]:
    """Yield the first batches of a training, epoch after epoch."""
    for epoch in itertools.count():
        batches = shuffle_batches(setup.data, None, setup.scenario.task.batch, setup.fabrication.seed, epoch)
        for k in range(min(len(batches), count)):
            yield batches[k]
        count -= len(batches)
        if count <= 0:
            return
