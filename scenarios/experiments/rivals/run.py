"""Train one chip by one rule until a budget is spent, and test it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.draws import combine_seeds
from learning.optimisers.optimiser import AnyOptimiser, OptimiserContext, compute_requested_changes
from learning.optimisers.schedule import TrainingMoment
from learning.oracle.exact import make_exact_rule
from learning.oracle.models import make_recorded_cells, make_rule_model
from learning.policies.policy import make_request_writer
from learning.rules.asym_ep import AsymEP
from learning.rules.rule import LearningRule, RuleContext, make_rule
from learning.training import Rule, TrainingState, evaluate, train
from substrate.chip.chip import Chip
from substrate.chip.randomness import has_conjugate_answers
from substrate.protocol import Budget

from ...build import Setup
from ..train.batches import EpochBatches, shuffle_batches
from .budget import RivalBudget
from .checkpoint import NOTHING, Entry, RaceLog
from .plan import CompareRivals, Rival

Array = NDArray[np.float64]
Blocks = Mapping[str, Array]

_FOREVER = 10**6
"""Epochs that no budget pays."""

_AGAIN = 10**7
"""Epochs from which the estimates before a training are named, so that none of them is one of the training."""

_DRAWN = 10**6
"""Numbers of chips from which spreads are drawn for a training in silico."""


class Place(NamedTuple):
    """One kind of chip on the map."""

    mismatch: float
    read_noise: float


class RivalRace(NamedTuple):
    """All that is needed to train one rival on one chip."""

    setup: Setup
    plan: CompareRivals
    threads: int | None
    log: RaceLog
    tell: Callable[[float], None]
    """Hears which share of a training is done; it may raise to end it all."""

    def chip(
        self, place: Place, instance: int, programmed: Blocks | None = None, rule: LearningRule | None = None
    ) -> Chip:
        """Return a chip of a place of the map, with the correction that a rule demands."""
        correction = rule.knowledge if isinstance(rule, AsymEP) else "none"
        design = self.setup.design._replace(correction=correction)
        weights = design.devices.weights.model_copy(update={"mismatch_sigma": place.mismatch})
        noise = design.devices.noise.model_copy(update={"read": place.read_noise})
        dynamics = design.dynamics.model_copy(update={"audit": 0})
        changed = self.setup._replace(design=design.replace(weights=weights, noise=noise, dynamics=dynamics))
        return changed.chip(instance, programmed, self.threads)

    def choose_rate(self, rival: Rival, pilots: list[Entry]) -> Rival:
        """Return the rival with the rate of the pilot that has the lowest loss; without pilots it keeps its own."""
        if not pilots or self.plan.rates is None:
            return rival
        losses = [np.inf if pilot.failure or np.isnan(pilot.loss) else pilot.loss for pilot in pilots]
        return rival.model_copy(update={"rate": self.plan.rates[int(np.argmin(losses))]})

    def run(self, place: Place, rival: Rival, instance: int, pilot: bool = False) -> Entry:
        """Train one chip until the budget is spent, and test it; as a pilot on training samples."""
        chip = self.chip(place, instance, self._begin(place, rival), rival.rule)
        entry, state, failure = NOTHING, TrainingState(), ""
        if rival.rule is not None:
            cells, optimiser, record = self.setup.known_cells, self._pace(rival), lambda: chip.programmed
            if not pilot:  # what these estimates tell of the chip is not kept: no budget pays for it
                entry = self._judge_estimates(chip, self._make_rule(chip, rival.rule, {}))
            entry, rule = entry._replace(rate=optimiser.rate), self._make_rule(chip, rival.rule, state.memory)
            written = make_recorded_cells(rival.rule, chip, cells, state.memory)
            last, write = Budget(), make_request_writer(self.setup.learning.write, written, cells)
            for step in train(chip, rule, optimiser, self._batches, _FOREVER, state, record, write):
                failure, entry = step.failure, entry._replace(batches=entry.batches + 1)
                one, last = state.budget.plus(last, -1), state.budget
                self.tell(compute_share(self.plan.budget, last))
                if failure or not pays(self.plan.budget, last.plus(one)):
                    break
        data, count = self.setup.data, self.plan.test_samples
        x, y = (data.x_test, data.y_test) if len(data.x_test) and not pilot else (data.x, data.y)
        test = evaluate(chip, x[:count], y[:count])
        return entry._replace(loss=test["loss"], error=test["error"], spent=state.budget, failure=failure)

    def _pace(self, rival: Rival) -> AnyOptimiser:
        optimiser = self.setup.learning.optimiser
        return optimiser if rival.rate is None else optimiser.model_copy(update={"rate": rival.rate})

    def _batches(self, epoch: int) -> EpochBatches:
        size = self.setup.scenario.task.batch
        return shuffle_batches(self.setup.data, self.plan.samples, size, self.setup.fabrication.seed, epoch)

    def _make_rule(self, chip: Chip, rule: LearningRule, memory: dict[str, Array]) -> Rule:
        scheme = next(iter(self.setup.learning.given_schemes()), rule.stand_in([]))
        mirror, model = has_conjugate_answers(chip.design.devices), make_rule_model(rule, chip, memory)
        how = RuleContext(scheme, self.setup.learning.presynaptic, mirror, lambda: chip.programmed, model)
        return make_rule(_draw_anew(rule, chip), chip, how)

    def _judge_estimates(self, chip: Chip, rule: Rule) -> Entry:
        """Return bias and scatter of the gradient of the first batch, all cells together."""
        batch, before = self._batches(0)[0], chip.budget
        exact = make_exact_rule(chip.without(*(c for c in chip.causes if c == "read-noise")))(batch).blocks
        names = [name for name in exact if not name.startswith("readout/")]
        found = []
        for k in range(self.plan.estimates):
            self.tell(0.0)
            found.append(rule(batch._replace(epoch=_AGAIN + k)).blocks)
        taught = [name for name in names if name in found[0]]
        estimates = np.array([_flatten(blocks, taught) for blocks in found])
        true, mean = _flatten(exact, taught), estimates.mean(axis=0)
        variance = float(np.sum(estimates.var(axis=0, ddof=1)))
        bias = float(np.sum((mean - true) ** 2)) - variance / len(found)
        size, cost = float(np.linalg.norm(true)), chip.budget.plus(before, -1).settlings / len(found)
        return NOTHING._replace(square_bias=bias / size**2, scatter=variance**0.5 / size, per_batch=cost)

    def _begin(self, place: Place, rival: Rival) -> Blocks | None:
        """Return the parameters a rival starts from; None: the initial ones."""
        if rival.start == "scratch":
            return None
        key = rival.start, place.mismatch if rival.start == "spread-aware" else 0.0
        if key not in self.log.in_silico:
            self.log.in_silico[key] = self._train_in_silico(Place(key[1], 0.0), rival)
        return self.log.in_silico[key]

    def _train_in_silico(self, place: Place, rival: Rival) -> Blocks:
        """Return parameters trained with exact gradients of chips as designed, or with spreads of every batch."""
        known, memory = dict(self.setup.programmed), dict[str, Array]()
        optimiser, drawn = self.setup.learning.optimiser, 0
        for epoch in range(self.plan.in_silico_epochs):
            parts = self._batches(epoch)
            for k in range(len(parts)):
                self.tell(0.0)
                chip = self.chip(place, _DRAWN + drawn, known)
                chip = chip.without(*(c for c in chip.causes if c != "mismatch" or rival.start == "deployed"))
                gradient, drawn = make_exact_rule(chip)(parts[k]), drawn + 1
                moment = TrainingMoment(drawn - 1, self.plan.in_silico_epochs * len(parts), len(parts))
                context = OptimiserContext(moment, lambda: known)  # noqa: B023  asked at once
                changes = compute_requested_changes(optimiser, gradient.blocks, memory, context)
                known = known | {name: known[name] + change for name, change in changes.items()}
        return known


def _draw_anew(rule: LearningRule, chip: Chip) -> LearningRule:
    """Return the rule with draws of its own for every chip, where it draws: no two chips have the same probes."""
    own, made = getattr(rule, "seed", None), chip.fabrication
    if own is None:
        return rule
    return rule.model_copy(update={"seed": combine_seeds((1_000_003 * made.seed + made.instance) % 2**63, own)})


def _flatten(blocks: Blocks, names: list[str]) -> Array:
    return np.concatenate([blocks[name].ravel() for name in names])


def pays(budget: RivalBudget, spent: Budget) -> bool:
    """Tell whether a budget pays for what is spent."""
    return all(amount <= limit for amount, limit in _list_limits(budget, spent))


def compute_share(budget: RivalBudget, spent: Budget) -> float:
    """Return which share of a budget is spent, of what is limited most tightly."""
    return max((amount / limit for amount, limit in _list_limits(budget, spent)), default=1.0)


def _list_limits(budget: RivalBudget, spent: Budget) -> list[tuple[float, float]]:
    """Return what is spent of everything that is limited, and the limit."""
    amounts = {
        "settlings": spent.settlings,
        "reads": spent.reads + spent.outputs_read,
        "time": spent.elapsed,
        "pulses": spent.pulses,
        "joules": spent.energy,
    }
    limits = {name: getattr(budget, name) for name in amounts}
    return [(amounts[name], limit) for name, limit in limits.items() if limit is not None]


def list_places(plan: CompareRivals, setup: Setup) -> list[Place]:
    """Return every kind of chip on the map, row by row."""
    devices = setup.design.devices
    mismatch = plan.mismatch or [float(devices.weights.mismatch_sigma)]
    return [Place(*values) for values in product(mismatch, plan.read_noise or [float(devices.noise.read)])]
