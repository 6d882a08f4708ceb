"""Oracle side: what every cause does alone, what is gained by removing it, and what no cause does alone.

The ledger adds the causes in one order. With ``E(S)`` the error vector of the chip that has only the causes
`S`, against the exact gradient of that same chip:

=========== ==================================================================
alone       ``E({c}) - E({})``: the cause alone on an ideal chip
removed     ``E(all) - E(all but c)``: what the full chip gains without it
interaction ``E(all) - E({}) - sum_c (E({c}) - E({}))``: 0 if causes only add up
=========== ==================================================================

All are differences of vectors, sample by sample, and their sizes are norms: sizes of additive causes need not add up to
the size of their sum. An interaction is not small if a cause acts as strongly as alone in another direction, as the
rounding of a converter does on any other chip. `learning.oracle.ledger.pairs` tells which causes make it.

The causes are those of the chip (`substrate.chip.causes`), but the writes where no error vector feels them, and
settling and precision where these are not ideal. What is left with no cause at all, ``E({})``, is the finite nudge and
the asymmetry of the programmed weights. Membranes with noise need an end by the clock: then every chip settles as the
scenario says. Every repeat uses the same draws on every chip, so that differences between chips are not blurred.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.chip.boards.regimes import shakes_membranes
from substrate.chip.chip import Chip
from substrate.chip.randomness import has_conjugate_answers, has_random_measurements
from substrate.protocol import has_settled
from substrate.settling.completion import make_dynamics_complete

from ...schemes.scheme import QuasiStaticSwing, Scheme, Swing
from ..exact import compute_exact_errors
from .errors import Causes, ChipErrors, MeanError, MeasuredErrors, weigh_cause, weigh_interaction
from .pairs import Pair, measure_pairs, weigh_rest
from .runs import (
    Mask,
    Trial,
    is_ended_by_clock,
    list_noise_causes,
    list_readout_causes,
    run_trial,
    stop_swinging_nudges,
)

Array = NDArray[np.float64]


class PairErrors(NamedTuple):
    """What two causes make together, and what there is without that."""

    own: MeanError
    """What they make only together, on a chip that has no other cause."""

    left: MeanError
    """The interaction of all causes without it."""

    repaired: MeanError | None
    """The error of the chip without both causes; None: not measured."""


class Interactions(NamedTuple):
    """What the causes of one chip do alone and together, for one scheme."""

    base: MeanError
    """``E({})``: no cause at all."""

    full: MeanError
    """``E(all)``: the chip as it is."""

    alone: dict[str, MeanError]
    """By cause."""

    removed: dict[str, MeanError]
    """By cause."""

    left: MeanError
    """The interaction."""

    repaired: dict[str, MeanError]
    """``E(all but c)``, by cause."""

    without: dict[str, MeanError]
    """The interaction of the chip without a cause, by cause."""

    pairs: dict[Pair, PairErrors]
    """Pairs that were measured."""

    keep: Mask
    """Samples that every chip could measure, (batch,)."""


def find_acting_causes(chip: Chip, schemes: Sequence[Scheme | QuasiStaticSwing] = ()) -> list[str]:
    """Return the names of the causes that act on the error vectors that `schemes` find on `chip`."""
    dynamics, found = chip.design.dynamics, list(chip.causes)
    if "write" in found and _has_same_weights(chip, chip.without("write")):
        found.remove("write")
    ends = make_dynamics_complete(dynamics)
    whole = dynamics.free == dynamics.nudged == ends.free and dynamics.mode == "trajectory"
    swings = any(isinstance(scheme, Swing) for scheme in schemes)
    if not shakes_membranes(chip.design) and (swings or not whole):
        found.append("settling")
    return [*found, "precision"] if dynamics.precision != "double" else found


def measure_interactions(
    chip: Chip, trial: Trial, repeats: int = 1, say: Callable[[str], None] | None = None
) -> list[Interactions]:
    """Measure `trial` with every cause alone, and with every cause removed; one result per scheme.

    Parameters
    ----------
    chip : Chip
        The chip as it is.
    trial : Trial
        What is asked.
    repeats : int
        Measurements with noise of their own, of every chip on which two of them differ.
    say : callable, optional
        Is told which chip is measured next.
    """
    names = find_acting_causes(chip, trial.schemes)
    trial = trial._replace(mirror=has_conjugate_answers(chip.design.devices), whole=True)
    bench = _MeasuredChips(chip, trial, repeats, {}, MeasuredErrors({}, []))

    def measure(words: str, present: Causes) -> None:
        if present not in bench.errors.found:
            if say is not None:
                say(f"interactions: {words}")
            bench.measure(present)

    for words, present in list_cause_sets(names).items():
        measure(words, present)
    measure_pairs(bench.errors, names, list(chip.topology.columns.values()), measure)
    return [compare_causes(bench.errors, names, s) for s in range(len(trial.schemes))]


def list_cause_sets(names: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the causes of all chips that are compared, by the words for them."""
    everything = frozenset(names)
    chips = {"ideal": frozenset[str](), "all causes": everything}
    chips |= {f"{name} alone": frozenset({name}) for name in names}
    return chips | {f"all but {name}": everything - {name} for name in names}


class _MeasuredChips(NamedTuple):
    """The chips that have been measured so far."""

    chip: Chip
    trial: Trial
    repeats: int
    exact: dict[frozenset[str], Array]
    """Exact error vectors of the chips, by their causes without those that no rest point feels."""

    errors: MeasuredErrors

    def measure(self, present: frozenset[str]) -> None:
        """Measure the chip that has the causes `present` alone."""
        chip, trial = self._with_only(present), self.trial
        if not self._settles_as_asked(present):
            trial = stop_swinging_nudges(trial)._replace(mirror=trial.mirror)
        random = has_random_measurements(chip.design.devices)
        runs = [run_trial(chip, trial, r) for r in range(self.repeats if random else 1)]
        own = present - {*list_noise_causes(), *list_readout_causes()}
        if own not in self.exact:
            quiet = chip.without(*list_noise_causes(), *list_readout_causes())
            trial.clamp(quiet)
            quiet.settle()
            reference = compute_exact_errors(quiet, trial.target)
            self.exact[own] = reference.delta
            self.errors.settled.append(reference.equilibrium.reached)
        by_clock = [is_ended_by_clock(chip, scheme) for scheme in trial.schemes]
        for one in runs:
            ends = zip(one.taken, by_clock, strict=True)
            self.errors.settled.extend(has_settled(taken.estimate.status, clock) for taken, clock in ends)
        with np.errstate(invalid="ignore"):  # a sample that diverged is not kept
            errors = [[one.taken[s].delta - self.exact[own] for one in runs] for s in range(len(trial.schemes))]
        self.errors.found[present] = ChipErrors(errors, random)

    def _with_only(self, present: frozenset[str]) -> Chip:
        bare = self.chip.without(*(name for name in self.chip.causes if name not in present))
        own = bare.design.dynamics
        precision = own.precision if "precision" in present else "double"
        settles = own if self._settles_as_asked(present) else make_dynamics_complete(own)
        dynamics = settles.model_copy(update={"precision": precision})
        return bare.variant(dynamics=dynamics, complete=settles is not own)

    def _settles_as_asked(self, present: frozenset[str]) -> bool:
        """Tell whether a chip settles as the scenario says, not completely."""
        return shakes_membranes(self.chip.design) or "settling" in present


def _has_same_weights(a: Chip, b: Chip) -> bool:
    """Tell whether the units of two chips feel the same parameters."""
    return all(np.array_equal(block, b.effective[name]) for name, block in a.effective.items())


def compare_causes(bench: MeasuredErrors, names: Sequence[str], s: int) -> Interactions:
    """Return the comparison for scheme `s`, of chips with the causes of `list_cause_sets`."""
    everything, ideal = frozenset(names), frozenset[str]()
    whole = weigh_interaction(everything)
    return Interactions(
        base=bench.mean({ideal: 1.0}, s),
        full=bench.mean({everything: 1.0}, s),
        alone={name: bench.mean(weigh_cause(frozenset({name}), name), s) for name in names},
        removed={name: bench.mean(weigh_cause(everything, name), s) for name in names},
        left=bench.mean(whole, s),
        repaired={name: bench.mean({everything - {name}: 1.0}, s) for name in names},
        without={name: bench.mean(weigh_interaction(everything - {name}), s) for name in names},
        pairs={
            pair: _compare_pair(bench, names, pair, s)
            for pair in combinations(names, 2)
            if frozenset(pair) in bench.found
        },
        keep=bench.keep,
    )


def _compare_pair(bench: MeasuredErrors, names: Sequence[str], pair: Pair, s: int) -> PairErrors:
    rest = frozenset(names).difference(pair)
    return PairErrors(
        own=bench.mean(weigh_interaction(frozenset(pair)), s),
        left=bench.mean(weigh_rest(names, pair), s),
        repaired=bench.mean({rest: 1.0}, s) if rest in bench.found else None,
    )
