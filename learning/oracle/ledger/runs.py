"""Oracle side: the runs of one chip that a ledger compares, each with one more of its causes of error.

======== ==================================================================================
run      what it is
======== ==================================================================================
complete settled completely, without noise, read ideally; a swinging nudge stopped everywhere
settled  the scenario's own settling, in double precision
precise  the same in the scenario's precision
static   the same through hold, converter and nudge circuit, every rounding to the nearest
repeats  the chip as it is, with all that differs from one measurement to the next
======== ==================================================================================

A run that would be of the same design as the next one is that run, so that its cause leaves an exact zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.imperfection import DIFFERENT, RANDOM
from learning.schemes.scheme import Swing
from substrate.chip.causes import of_kind
from substrate.chip.chip import Chip
from substrate.chip.randomness import conjugates, measurements_differ
from substrate.protocol import has_settled
from substrate.settling.completion import complete

from ...estimator import Estimate, Free, Reading, gathered, readings
from ...rules.contrastive import Contrastive
from ...rules.dyadic import Dyadic
from ...rules.error_vector import ErrorVector
from ...rules.rule import LearningRule
from ...schemes.scheme import Scheme, Slow
from ..exact import Exact, exact

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_ELSEWHERE = 1e-6
"""Rest points further apart than this, relative to the state, are not the same."""


def readout_causes() -> tuple[str, ...]:
    """Return the causes of `substrate.chip.causes` that are the same in every measurement of a batch."""
    return of_kind(DIFFERENT)


def noise_causes() -> tuple[str, ...]:
    """Return the causes of `substrate.chip.causes` that differ from one measurement to the next."""
    return of_kind(RANDOM)


class Trial(NamedTuple):
    """What is asked of every chip: to measure one batch with one rule and some schemes."""

    x: Array
    """Inputs (batch, inputs)."""

    target: Array
    """Targets (batch, classes) or (batch, outputs)."""

    schemes: Sequence[Scheme | Slow]
    """Nudges and weights."""

    rule: LearningRule = ErrorVector()
    """What a gradient is made of."""

    presynaptic: Literal["mean", "free"] = "mean"
    """Presynaptic factor of a weight gradient: mean over the readings, or the free activity."""

    mirror: bool = True
    """Whether a settling may stand for its conjugate; else both are settled."""

    epoch: int = 0
    """How often the batch has been measured before: names the noise, and drawn signs."""

    purpose: str = ""
    """What it is measured for: names the noise."""

    def clamp(self, chip: Chip, repeat: int = 0) -> None:
        """Put the batch on `chip`; `repeat` names the draw of the noise."""
        chip.set_input(self.x, None, self.epoch, self.purpose, repeat)


class Taken(NamedTuple):
    """What one scheme found in one run."""

    estimate: Estimate
    """Error vectors and presynaptic factors."""

    readings: list[Reading]
    """What the contrastive rule makes its products from; empty for other rules."""

    @property
    def delta(self) -> Array:
        """Error vectors of all layers side by side, (batch, units)."""
        return self.estimate.flat


class Run(NamedTuple):
    """A free settling of the batch and the estimates of all schemes from it."""

    free: Free
    """Free phase, as it was read before the last scheme."""

    state: Array
    """Membrane state at its end, (batch, units)."""

    taken: list[Taken]
    """One per scheme."""


class Runs(NamedTuple):
    """All runs of one chip; see the table above."""

    reference: Exact
    """Exact error vectors where the free settling of the chip ends without noise."""

    complete: Run
    settled: Run
    precise: Run
    static: Run
    repeats: list[Run]
    """At least one."""

    by_clock: list[bool]
    """Per scheme: the clock ends its settlings; what they miss is then part of a term."""

    @property
    def random(self) -> bool:
        """Whether the repeats differ."""
        return self.repeats[0] is not self.static

    def keep(self, s: int) -> Mask:
        """Return the samples that settled in every run under scheme `s`, to the same rest point, (batch,)."""
        own = [run.taken[s].estimate.status for run in (self.settled, self.precise, self.static, *self.repeats)]
        ended = has_settled(np.array(own), self.by_clock[s]).all(axis=0)
        rest = self.reference.equilibrium
        distance = np.abs(self.complete.state - rest.state).max(axis=1)
        there = distance <= _ELSEWHERE * np.maximum(1.0, np.abs(rest.state).max(axis=1))
        complete = has_settled(self.complete.taken[s].estimate.status)
        return np.asarray(ended & complete & rest.reached & there)


def runs_of(chip: Chip, trial: Trial, repeats: int = 1, say: Callable[[str], None] | None = None) -> Runs:
    """Run the trial on `chip` and on the same silicon with fewer and fewer causes of error.

    Parameters
    ----------
    chip : Chip
        The chip as it is; it is measured first.
    trial : Trial
        What is asked.
    repeats : int
        Measurements of the chip with noise of their own; one is enough where nothing is random.
    say : callable, optional
        Is told what is run next.

    Raises
    ------
    ValueError
        If `repeats` is below 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats = {repeats}: must be 1 or more; take 8 with noise")
    design, tell = chip.design, say or (lambda _: None)
    trial = trial._replace(mirror=conjugates(design.devices))
    own = []
    random = measurements_differ(design.devices)
    for r in range(repeats if random else 1):
        tell(f"measuring {len(trial.x)} samples" + (f", repeat {r + 1} of {repeats}" if random else ""))
        own.append(run(chip, trial, r))
    quiet = _static(chip) if _static(chip).design != design else chip
    tell("the same without its noise, and without its readout")
    static = own[0] if quiet is chip else run(quiet, trial)
    reference = exact(quiet, trial.target)
    ideal = quiet.without(*readout_causes())
    precise = static if ideal.design == quiet.design else run(ideal, trial)
    double = ideal.variant(dynamics=design.dynamics.model_copy(update={"precision": "double"}))
    settled = precise if double.design == ideal.design else run(double, trial)
    tell("the same settled completely")
    complete = run(complete_settling(chip), stopped(trial))
    return Runs(
        reference, complete, settled, precise, static, own, [ends_by_clock(chip, scheme) for scheme in trial.schemes]
    )


def run(chip: Chip, trial: Trial, repeat: int = 0) -> Run:
    """Measure the batch on `chip` with every scheme, from one free settling.

    With slow noise every scheme has its own, with the same draws: else what a scheme finds would depend on the time
    that the schemes before it took.

    Parameters
    ----------
    chip : Chip
        Any chip.
    trial : Trial
        What is asked.
    repeat : int
        Names the draw of the noise; drawn signs stay the same.
    """
    free, state = _free(chip, trial, repeat)
    if isinstance(trial.rule, Dyadic):
        return Run(free, state, [_adjoint(chip, free, trial.target)] * len(trial.schemes))
    taken: list[Taken] = []
    for scheme in trial.schemes:
        if taken and chip.design.devices.noise.slow:
            free, state = _free(chip, trial, repeat)
        taken.append(_nudged(chip, free, trial, scheme))
    return Run(free, state, taken)


def complete_settling(chip: Chip) -> Chip:
    """Return the same chip read ideally, without noise, in double precision, with phases that count as complete."""
    bare = chip.without(*noise_causes(), *readout_causes())
    return bare.variant(dynamics=complete(bare.design.dynamics), complete=True)


def stopped(trial: Trial) -> Trial:
    """Return the trial with swinging nudges stopped at every point of their cycle, as a complete settling needs it."""
    still = [Slow(s) if isinstance(s, Swing) else s for s in trial.schemes]
    return trial._replace(schemes=still, mirror=True)


def ends_by_clock(chip: Chip, scheme: Scheme | Slow) -> bool:
    """Tell whether the clock ends the settlings of a scheme; see `substrate.protocol.has_settled`."""
    return chip.design.dynamics.ends_by_clock or isinstance(scheme, Swing)


def _static(chip: Chip) -> Chip:
    # kT/C of the hold differs from read to read, its pedestal and droop do not.
    steady = chip.design.devices.hold.model_copy(update={"noise": 0.0, "capacitance": None})
    quiet = chip.without(*noise_causes()).variant(hold=steady)
    converters = quiet.design.devices.converters
    if converters.readout is None or not converters.readout.stochastic:
        return quiet
    nearest = converters.readout.model_copy(update={"stochastic": False})
    return quiet.variant(converters=converters.model_copy(update={"readout": nearest}))


def _free(chip: Chip, trial: Trial, repeat: int) -> tuple[Free, Array]:
    """Return what was read in the free phase, and the membrane state at its end, (batch, units)."""
    trial.clamp(chip, repeat)
    settled = chip.settle()
    free = Free({name: np.real(a) for name, a in chip.read(waits=True).items()}, settled, None, trial.epoch)
    return free, np.asarray(chip.state, dtype=np.float64)


def _nudged(chip: Chip, free: Free, trial: Trial, scheme: Scheme | Slow) -> Taken:
    taken = readings(chip, free, trial.target, scheme, trial.mirror)
    if not isinstance(trial.rule, Contrastive):
        return Taken(gathered(chip, free, taken, trial.presynaptic), [])
    kept = list(taken)
    return Taken(gathered(chip, free, kept, trial.presynaptic), kept)


def _adjoint(chip: Chip, free: Free, target: Array) -> Taken:
    settled = chip.settle_errors(target)
    status = np.maximum(free.settled.status, settled.status)
    return Taken(Estimate(dict(chip.read_errors()), free.activity, status, settled.steps), [])
