"""Oracle side: where the error of an estimate comes from, term by term.

The terms are vectors whose sum is the total error ``estimate - exact``:

============ ===================================================================== ==============
step         what is run                                                           term
============ ===================================================================== ==============
exact        backpropagation through the equilibrium of the chip as it is
local        the part of it that products of both ends of a connection give        locality
limit        the rule for a vanishing nudge, settled completely                    asymmetry
complete     the scheme's finite nudges, settled completely; a swinging nudge      finite nudge
             stopped at every point of its cycle
settled      the scenario's own settling, in double precision                      settling
precise      the same in the scenario's precision                                  precision
static       hold, converter and nudge circuit                                     readout
presynaptic  the presynaptic factor as the chip takes it                           presynaptic
noise        the mean over repeats with all that differs between measurements      noise
forgotten    what cells forget until the next write added to the requested change  forgetting
written      what the cells keep of the requested change                           write
felt         what is read of what they keep, drawn anew by every write             write noise
============ ===================================================================== ==============

The asymmetry has parts, see `PARTS`. So has the finite nudge: the change of goal that `learning.oracle.goal` explains,
which is no error of the chip, and the rest. A cause that is off leaves an exact zero. Error vectors are no products,
have no presynaptic factor, are not forgotten and not written: these five terms belong to
`learning.oracle.ledger.connections`.

Rules that take no nudge have other names for two terms: what their limit lacks, and what a complete measurement adds
(`ErrorVector.terms`). The limit of such a rule is its own (`ErrorVector.limit`), and a rule that draws probes takes a
complete set of them in every run but the repeats, so that what is left to chance is noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...rules.dyadic import Dyadic
from ...rules.error_vector import ErrorVector
from ...rules.rule import LearningRule
from ..goal import ChangedGoal
from .runs import LedgerRuns, Mask, Trial

Array = NDArray[np.float64]

TERMS = (
    *("locality", "asymmetry", "finite_nudge", "settling", "precision", "readout"),
    *("presynaptic", "noise", "forgetting", "write", "write_noise"),
)
"""The causes, in the order in which they act."""

PARTS = ("gains", "irreducible", "first_order", "goal", "nudge_bias")
"""What is told of the asymmetry: the part of gains of units, the rest, and its first order; and of the finite nudge:
the change of goal, and the rest. The two parts of the finite nudge are NaN under a rule that has no goal."""


class Ledger(NamedTuple):
    """Error of one estimate, step by step; arrays (batch, units), or (pre, post) of one connection."""

    steps: tuple[Array, ...]
    """One more than there are terms; the same array where a cause is off."""

    parts: Mapping[str, Array]
    """Parts of the terms asymmetry and finite nudge, see `PARTS`; without the first order they sum to them."""

    variance: Array
    """Variance of one measurement; NaN if there is only one that is random."""

    single: Mapping[str, Array]
    """Variance of a term from one measurement or write to the next, by term; 0 for all others."""

    uncertain: Mapping[str, Array]
    """Variance of the mean that a term holds, by term; 0 for all others."""

    held: Mapping[str, Array]
    """Variance of the mean that the step after a term holds, by term; 0 for all others."""

    keep: Mask
    """Samples that settled in every step, (batch,); only these are averaged."""

    cut: int = 0
    """Requests of a connection, in the worst of the writes that were tried, for more pulses than one write gives."""

    jumped: Mask | None = None
    """Samples that a nudge throws onto another branch, so that all of their finite nudge is bias, (batch,)."""

    names: tuple[str, ...] = TERMS
    """The causes, in the order in which they act."""

    def terms(self) -> dict[str, Array]:
        """Return the error of each cause."""
        with np.errstate(invalid="ignore"):  # a sample that diverged is not kept
            errors = [after - before for before, after in zip(self.steps, self.steps[1:], strict=False)]
        return dict(zip(self.names, errors, strict=True))

    def spread_of(self, term: str) -> Array:
        """Return the variance of a term from one measurement or write to the next, like a step."""
        return self.single.get(term, np.zeros_like(self.steps[0]))

    def noise_of(self, term: str) -> Array:
        """Return the variance of the mean that a term holds, like a step."""
        return self.uncertain.get(term, np.zeros_like(self.steps[0]))

    def noise_after(self, term: str) -> Array:
        """Return the variance of the mean that the step after a term holds, like a step."""
        return self.held.get(term, np.zeros_like(self.steps[0]))


def make_ledger(runs: LedgerRuns, trial: Trial, s: int) -> Ledger:
    """Split the error of the error vectors of scheme `s` into its causes.

    Parameters
    ----------
    runs : Runs
        Of one chip.
    trial : Trial
        What was asked in them.
    s : int
        Which scheme.
    """
    reference = runs.reference
    limit, complete = runs.limit, runs.complete.taken[s].delta
    parts = {"gains": reference.gains, "irreducible": reference.irreducible, "first_order": reference.first_order}
    if limit is not reference.ep:  # no part of what EP lacks is a part of what this rule lacks
        parts = {name: np.full_like(limit, 0.0 if limit is reference.delta else np.nan) for name in PARTS}
    if isinstance(trial.rule, Dyadic):
        complete = reference.delta  # there is no nudge
    elif trial.rule.takes_scheme:
        parts |= split_finite_nudge(complete - limit, find_goal_change(runs.goals[s], runs.aim))
    else:
        parts |= split_finite_nudge(np.full_like(limit, np.nan), None)
    static = runs.static.taken[s].delta
    noisy, variance = static, np.zeros_like(static)
    if runs.random:
        noisy, variance = compute_sample_moments([run.taken[s].delta for run in runs.repeats])
    settled, precise = runs.settled.taken[s].delta, runs.precise.taken[s].delta
    exact = reference.delta, runs.aim
    steps = (*exact, limit, complete, settled, precise, static, static, noisy, noisy, noisy, noisy)
    goal = runs.goals[s]
    whole = name_rule_terms(Ledger(steps, parts, variance, {}, {}, {}, runs.keep(s)), trial.rule)
    whole = whole._replace(jumped=None if goal is None else goal.jumped)
    if not runs.random:
        return whole
    left = variance / len(runs.repeats)
    held = dict.fromkeys(TERMS[TERMS.index("noise") :], left)
    return whole._replace(single={"noise": variance}, uncertain={"noise": left}, held=held)


def name_rule_terms(book: Ledger, rule: LearningRule) -> Ledger:
    """Return a ledger with the names that a rule has for its causes, without those that it cannot have."""
    own = rule.terms if isinstance(rule, ErrorVector) else {}
    names = [own.get(term, term) for term in TERMS]
    steps = [after for name, after in zip(names, book.steps[1:], strict=True) if name]
    return book._replace(names=tuple(filter(None, names)), steps=(book.steps[0], *steps))


def find_goal_change(goal: ChangedGoal | None, exact: Array) -> Array | None:
    """Return what the changed goal adds to the exact error vectors (batch, units): nothing for samples that jumped."""
    return None if goal is None else np.where(goal.jumped[:, None], 0.0, goal.delta - exact)


def split_finite_nudge(term: Array, change: Array | None) -> dict[str, Array]:
    """Return the change of goal in the term of the finite nudge and what is left of it; NaN where there is no goal."""
    goal = np.full_like(term, np.nan) if change is None else change
    return {"goal": goal, "nudge_bias": term - goal}


def select_common_samples(ledgers: list[Ledger], reached: Mask) -> tuple[list[Ledger], Mask]:
    """Return the ledgers over one common set of samples, and that set, (batch,).

    A sample counts if it settled under every scheme under which any did, and is in `reached`.
    """
    keep = reached.copy()
    for book in ledgers:
        if (book.keep & reached).any():
            keep &= book.keep
    return [book._replace(keep=book.keep & keep) for book in ledgers], keep


def compute_sample_moments(values: list[Array]) -> tuple[Array, Array]:
    """Return mean and variance of repeated measurements, element by element; NaN as the variance of a single one."""
    mean, squares = np.zeros_like(values[0]), np.zeros_like(values[0])
    with np.errstate(invalid="ignore"):  # a sample that diverged is not kept
        for k, value in enumerate(values, 1):
            before = value - mean
            mean = mean + before / k
            squares = squares + before * (value - mean)
    return mean, squares / (len(values) - 1) if len(values) > 1 else np.full_like(mean, np.nan)
