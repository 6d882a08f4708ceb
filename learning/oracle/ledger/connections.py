"""Oracle side: where the error of a connection's gradient comes from, as the batch mean that the rule asks for.

The steps are those of `learning.oracle.ledger.vectors`. A feedback kernel moves its own softmax pooling: no product of
its two ends gives that part of the exact gradient, and the term `locality` takes it off. Up to the limit of a vanishing
nudge the error vector meets the presynaptic activity at rest; then the factor of a complete settling, which a finite
nudge moves if it is a mean over the nudges; from the step `presynaptic` on the factor that the chip takes; at the end
what cells forget until the write, what a plain write keeps of the request, and effective weights around that.
Forgetting has a term of its own, since no better write would help against it, and so has the noise of effective
weights, since the next write draws it anew.
The contrastive rule is compared with the gradient of a weight that both directions of a pair share, ``exact[ij] +
exact[ji]``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.chip.chip import Chip
from substrate.chip.randomness import has_random_writes

from ... import cost
from ...rules.contrastive import Contrastive, contrast_readings
from ...rules.dyadic import Dyadic
from ...rules.error_vector import ErrorVector
from ..exact import ExactErrors, compute_exact_gradients
from ..goal import ChangedGoal
from .runs import LedgerRun, LedgerRuns, Mask, SchemeRun, Trial
from .vectors import Ledger, compute_sample_moments, name_rule_terms, split_finite_nudge

Array = NDArray[np.float64]
Blocks = dict[str, Array]
Layers = Mapping[str, Array]

_WRITTEN = ("forgetting", "write", "write_noise")
"""Terms between the request and what the units feel."""


class TrialWrite(NamedTuple):
    """The write that is tried: ``-rate`` times the gradient of every repeat."""

    rate: float
    """Learning rate; no momentum."""

    repeats: int
    """Writes of their own where their rounding is random."""


def make_connection_ledgers(
    chip: Chip, runs: LedgerRuns, trial: Trial, s: int, keep: Mask, probe: TrialWrite
) -> dict[str, Ledger]:
    """Return the ledger of every connection that the rule teaches, by block name ``weight/<pre>-<post>``.

    Parameters
    ----------
    chip : Chip
        The chip as it is; it is not written.
    runs : Runs
        Its runs.
    trial : Trial
        What was asked in them.
    s : int
        Which scheme.
    keep : bool array (batch,)
        Samples that count; without any, everything is NaN.
    probe : Probe
        How the requests are written.
    """
    rule = _Products(chip, trial, keep)
    reference, topology = runs.reference, chip.topology
    rest: Layers = {topology.input: trial.x} | topology.split(reference.equilibrium.activity)

    def at_rest(delta: Array) -> Blocks:
        return rule.limit(topology.split(delta), rest)

    exact = rule.reference(topology.split(runs.aim), rest)
    goal = runs.goals[s]
    change = {} if goal is None else rule.find_goal_change(goal, runs.aim, rest)
    whole = rule.reference(topology.split(reference.delta), rest, local=False)
    limit, trimmed, first = at_rest(runs.limit), *(at_rest(delta) for delta in _find_parts_of_limit(runs))
    if isinstance(trial.rule, Dyadic):
        complete, change = limit, {name: np.zeros_like(block) for name, block in limit.items()}
    else:
        # Of nudges that were settled completely the presynaptic factor belongs to the finite nudge.
        complete = rule.measured(runs.complete.taken[s], None)
        rest = runs.complete.taken[s].estimate.presynaptic
    steps = [whole, exact, limit, complete]
    before: LedgerRun | None = None
    for run in (runs.settled, runs.precise, runs.static):
        steps.append(steps[-1] if run is before else rule.measured(run.taken[s], rest))
        before = run
    paired = isinstance(trial.rule, Contrastive)  # both factors of its products are the readings themselves
    steps.append(steps[-1] if paired else rule.measured(runs.static.taken[s], None))
    requests = [rule.measured(run.taken[s], None) for run in runs.repeats] if runs.random else [steps[-1]]
    writes = {"write", "retention"} & set(chip.causes) and keep.any()
    written, faded = _measure_writes(chip, trial, requests, probe) if writes else ([], {})
    books = {}
    for name in limit:
        parts = {"gains": limit[name] - trimmed[name], "irreducible": trimmed[name] - exact[name]}
        parts["first_order"] = first[name] - exact[name]
        parts |= split_finite_nudge(complete[name] - limit[name], change.get(name))
        known = tuple(step[name] for step in steps)
        drawn, errors = [request[name] for request in requests], [(w.kept[name], w.effective[name]) for w in written]
        most = max((w.cut[name] for w in written), default=0)
        book = _make_connection_ledger(known, parts, drawn, errors, faded.get(name))
        books[name] = name_rule_terms(book, trial.rule)._replace(cut=most)
    return books


def find_batch_gradients(
    chip: Chip, trial: Trial, taken: SchemeRun, reference: ExactErrors, keep: Mask
) -> dict[str, tuple[Array, Array]]:
    """Return what the rule asks for after a run, and the exact gradient beside; over the samples `keep`, by block."""
    rule, split = _Products(chip, trial, keep), chip.topology.split
    rest = {chip.topology.input: trial.x} | split(reference.equilibrium.activity)
    asked, exact = rule.measured(taken, None), rule.reference(split(reference.delta), rest, local=False)
    return {name: (block, exact[name]) for name, block in asked.items()}


def _find_parts_of_limit(runs: LedgerRuns) -> tuple[Array, Array]:
    """Return error vectors without gains of units, and to first order of the asymmetry; of other limits NaN."""
    reference, limit = runs.reference, runs.limit
    if limit is reference.ep:
        return reference.trimmed, reference.delta + reference.first_order
    same = limit if limit is reference.delta else np.full_like(limit, np.nan)
    return same, same


def _make_connection_ledger(
    known: tuple[Array, ...],
    parts: Blocks,
    requests: list[Array],
    errors: list[tuple[Array, Array]],
    faded: Array | None,
) -> Ledger:
    """Return the ledger of one connection: from its steps without noise, requests, errors of writes and forgetting."""
    noisy, variance, count = known[-1], np.zeros_like(known[-1]), len(requests)
    single, uncertain = {}, {}
    if requests[0] is not known[-1]:
        noisy, variance = compute_sample_moments(requests)
        single["noise"], uncertain["noise"] = variance, variance / count
    forgotten = noisy if faded is None else noisy + faded
    held = dict.fromkeys(("noise", *_WRITTEN), uncertain["noise"]) if uncertain else {}
    steps = [noisy, forgotten, forgotten, forgotten]
    if errors:
        sums = [requests[r % count] for r in range(len(errors))]
        for k, term in enumerate(_WRITTEN[1:]):
            drawn = [error[k] for error in errors]
            mean, spread = compute_sample_moments(drawn)
            steps[k + 2] = steps[k + 1] + mean
            sums = [before + error for before, error in zip(sums, drawn, strict=True)]
            if len(errors) > 1:
                single[term], uncertain[term] = spread, spread / len(errors)
                held[term] = compute_sample_moments(sums)[1] / len(errors)
    return Ledger((*known, *steps), parts, variance, single, uncertain, held, np.ones(1, dtype=bool))


class _WriteError(NamedTuple):
    """What one write misses of its request by block, over ``-rate``."""

    kept: Blocks
    """Realised minus requested change of what cells keep, from what they still held when the write came."""

    effective: Blocks
    """Change of the effective weights around what they keep."""

    cut: Mapping[str, int]
    """Cells that were asked for more pulses than one write gives."""


def _measure_writes(
    chip: Chip, trial: Trial, requests: list[Blocks], probe: TrialWrite
) -> tuple[list[_WriteError], Mapping[str, Array]]:
    """Return what every write misses, and what cells forget before it, over ``-rate``."""
    count = max(len(requests), probe.repeats) if has_random_writes(chip.design.devices) else len(requests)
    names = list(requests[0])
    # A sum that both directions ask for is split between them, because the chip adds them up again.
    shares = dict.fromkeys((name for pair in _find_shared_blocks(chip, names) for name in pair), 0.5)
    waiting = chip.variant()
    now, _ = _compute_kept_weights(waiting, names)
    waiting.writer.wait()
    before, around = _compute_kept_weights(waiting, names)
    faded = {name: (before[name] - now[name]) / -probe.rate for name in names} if "retention" in chip.causes else {}
    missed = []
    for r in range(count if "write" in chip.causes else 0):
        bystander = chip.variant()
        trial.clamp(bystander, r)
        changes = {name: -probe.rate * block for name, block in requests[r % len(requests)].items()}
        bystander.write({name: shares.get(name, 1.0) * change for name, change in changes.items()})
        after, noisy = _compute_kept_weights(bystander, names)
        kept = {name: (after[name] - before[name] - changes[name]) / -probe.rate for name in names}
        noise = {name: (noisy[name] - around[name]) / -probe.rate for name in names}
        asked = dict(zip(chip.topology.shapes, bystander.tally.cut.tolist(), strict=True))
        missed.append(_WriteError(kept, noise, asked))
    return missed, faded


def _compute_kept_weights(chip: Chip, names: list[str]) -> tuple[Blocks, Blocks]:
    """Return what is left of what the cells keep, and the effective weights around that."""
    held = {name: chip.held[name].copy() for name in names}
    kept = {name: chip.writer.state(name, block) for name, block in held.items()}
    return kept, {name: chip.writer.compute_effective(name, block) - kept[name] for name, block in held.items()}


class _Products(NamedTuple):
    """What the rule of a trial makes of error vectors and activities: batch means by weight block."""

    chip: Chip
    trial: Trial
    keep: Mask

    def reference(self, delta: Layers, rest: Layers, local: bool = True) -> Blocks:
        """Return the gradient that the rule should find, or all of it, which no local product gives."""
        blocks = self._plain(delta, rest)
        if not local:
            blocks = _select_weight_blocks(compute_exact_gradients(self.chip, rest, delta, self.keep))
        if isinstance(self.trial.rule, Contrastive):
            names = {f"weight/{pre}-{post}": (pre, post) for pre, post in self.chip.connections}
            blocks = {
                name: blocks[name] + _transpose_opposite(self.chip, blocks, *ends) for name, ends in names.items()
            }
        return self._added(blocks)

    def limit(self, delta: Layers, rest: Layers) -> Blocks:
        """Return what the rule asks for if `delta` is the derivative of the activities."""
        return self._asked(self._products(delta, rest))

    def find_goal_change(self, goal: ChangedGoal, delta: Array, rest: Layers) -> Blocks:
        """Return what the changed goal adds to what the rule asks for if `delta` (batch, units) is exact."""
        split, inputs = self.chip.topology.split, {self.chip.topology.input: self.trial.x}
        there = np.where(goal.jumped[:, None], 0.0, delta)
        exact = self.limit(split(there), rest)
        whole: Blocks = {}
        for point in goal.points:
            for name, block in self._products(split(point.delta), inputs | split(point.activity)).items():
                whole[name] = whole.get(name, 0.0) + np.real(block)
        asked = self._asked(whole)
        return {name: asked[name] - exact[name] for name in exact}

    def measured(self, taken: SchemeRun, rest: Layers | None) -> Blocks:
        """Return what the rule asks for after a run, with the presynaptic factor at rest or as it was taken."""
        if isinstance(self.trial.rule, Contrastive):
            return self._added(_select_weight_blocks(contrast_readings(self.chip, taken.readings, self.keep)))
        presynaptic = taken.estimate.presynaptic if rest is None else rest
        return self._asked(self._plain(taken.estimate.delta, presynaptic))

    def _products(self, delta: Layers, rest: Layers) -> Blocks:
        """Return the products of errors and activities; of the contrastive rule, of both directions."""
        blocks = self._plain(delta, rest)
        if not isinstance(self.trial.rule, Contrastive):
            return blocks
        share = 1.0 / max(1, int(np.count_nonzero(self.keep)))
        known = {layer: a[self.keep] for layer, a in rest.items() if layer in delta}
        turned = _select_weight_blocks(self.chip.correlate(known, {layer: d[self.keep] for layer, d in delta.items()}))
        return blocks | {name: blocks[name] + part * share for name, part in turned.items()}

    def _plain(self, delta: Layers, presynaptic: Layers) -> Blocks:
        return _select_weight_blocks(cost.compute_gradients(self.chip, presynaptic, delta, self.keep))

    def _asked(self, blocks: Blocks) -> Blocks:
        """Return the blocks as the rule writes them."""
        if isinstance(self.trial.rule, ErrorVector):
            blocks = self.trial.rule.requests(blocks, self.chip, lambda: self.chip.programmed)
        return self._added(blocks)

    def _added(self, blocks: Blocks) -> Blocks:
        """Return the blocks with the two directions of one stored number added up, as the chip does."""
        sums = {}
        for forward, back in _find_shared_blocks(self.chip, blocks):
            sums[forward] = blocks[forward] + self.chip.mirror(back, blocks[back])
            sums[back] = self.chip.mirror(forward, sums[forward])
        return blocks | sums


def _find_shared_blocks(chip: Chip, blocks: Collection[str]) -> list[tuple[str, str]]:
    """Return the pairs of blocks among these, forward and back, that one stored number stands for."""
    pairs = chip.topology.pairs() if chip.design.devices.feedback.tied else []
    return [(f.block, b.block) for f, b in pairs if f.block in blocks and b.block in blocks]


def _transpose_opposite(chip: Chip, blocks: Blocks, pre: str, post: str) -> Array | float:
    """Return the gradient of the opposite direction, turned round; 0 where there is none."""
    name = f"weight/{post}-{pre}"
    return chip.mirror(name, blocks[name]) if name in blocks else 0.0


def _select_weight_blocks(blocks: Mapping[str, Array]) -> Blocks:
    return {name: block for name, block in blocks.items() if name.startswith("weight/")}
