"""Oracle side: what every cause does alone, what is gained by removing it, and what no cause does alone.

The ledger adds the causes in one order. With ``E(S)`` the error vector of the chip that has only the causes
`S`, against the exact gradient of that same chip:

=========== ==================================================================
alone       ``E({c}) - E({})``: the cause alone on an ideal chip
removed     ``E(all) - E(all but c)``: what the full chip gains without it
interaction ``E(all) - E({}) - sum_c (E({c}) - E({}))``: 0 if causes only add up
=========== ==================================================================

The causes are those of the chip (`substrate.chip.causes`), but the writes where no error vector feels them, and
settling and precision where these are not ideal. What is left with no cause at all, ``E({})``, is the finite nudge and
the asymmetry of the programmed weights. Membranes with noise need an end by the clock: then every chip settles as the
scenario says. Every repeat uses the same draws on every chip, so that differences between chips are not blurred.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from .runs import (
    Mask,
    Trial,
    is_ended_by_clock,
    list_noise_causes,
    list_readout_causes,
    run_trial,
    stop_swinging_nudges,
)
from .vectors import compute_sample_moments

Array = NDArray[np.float64]


class MeanError(NamedTuple):
    """An error vector as the mean over the repeats; arrays (batch, units)."""

    value: Array

    variance: Array
    """Variance of the mean; 0 where nothing is random, NaN for a single random repeat."""


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
    for words, present in list_cause_sets(names).items():
        if present not in bench.errors.found:
            if say is not None:
                say(f"interactions: {words}")
            bench.measure(present)
    return [compare_causes(bench.errors, names, s) for s in range(len(trial.schemes))]


def list_cause_sets(names: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the causes of all chips that are compared, by the words for them."""
    everything = frozenset(names)
    chips = {"ideal": frozenset[str](), "all causes": everything}
    chips |= {f"{name} alone": frozenset({name}) for name in names}
    return chips | {f"all but {name}": everything - {name} for name in names}


class ChipErrors(NamedTuple):
    """Errors of one chip."""

    repeats: list[list[Array]]
    """By scheme and repeat, (batch, units)."""

    random: bool


class MeasuredErrors(NamedTuple):
    """What was measured of chips that have some of the causes."""

    found: dict[frozenset[str], ChipErrors]
    """By their causes."""

    settled: list[Mask]
    """Samples that settled, of every run."""

    def mean(self, parts: dict[frozenset[str], float], s: int) -> MeanError:
        """Return the mean of a weighted sum of errors, repeat by repeat, for scheme `s`."""
        chosen = [(weight, self.found[present].repeats[s]) for present, weight in parts.items() if weight != 0.0]
        count = max((len(errors) for _, errors in chosen), default=1)
        nothing = np.zeros_like(self.found[frozenset()].repeats[s][0])
        with np.errstate(invalid="ignore"):
            sums = [sum((w * errors[r % len(errors)] for w, errors in chosen), nothing) for r in range(count)]
        value, variance = compute_sample_moments(sums)
        random = any(self.found[present].random for present, weight in parts.items() if weight != 0.0)
        return MeanError(value, variance / count if random else nothing)


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
    single = {name: frozenset({name}) for name in names}
    # full - ideal - sum (alone - ideal); sets that coincide cancel exactly.
    left: dict[frozenset[str], float] = {}
    for present, weight in [
        (everything, 1.0),
        (ideal, len(names) - 1.0),
        *((alone, -1.0) for alone in single.values()),
    ]:
        left[present] = left.get(present, 0.0) + weight
    return Interactions(
        base=bench.mean({ideal: 1.0}, s),
        full=bench.mean({everything: 1.0}, s),
        alone={name: bench.mean({alone: 1.0, ideal: -1.0}, s) for name, alone in single.items()},
        removed={name: bench.mean({everything: 1.0, everything - {name}: -1.0}, s) for name in names},
        left=bench.mean(left, s),
        keep=np.logical_and.reduce(bench.settled),
    )
