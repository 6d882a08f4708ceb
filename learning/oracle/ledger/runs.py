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
from substrate.chip.boards.regimes import has_slow_noise
from substrate.chip.causes import list_kind_causes
from substrate.chip.chip import Chip
from substrate.chip.randomness import has_conjugate_answers, has_random_measurements
from substrate.protocol import has_settled
from substrate.settling.completion import make_dynamics_complete

from ...cost import compute_cost_force
from ...draws import draw_sample_signs
from ...estimator import Estimate, FreeReading, NudgeReading, combine_readings, iterate_readings
from ...rules.dyadic import Dyadic
from ...rules.error_vector import ErrorVector
from ...rules.rule import LearningRule, RuleContext
from ...schemes.nodes import RandomSign
from ...schemes.scheme import QuasiStaticSwing, Scheme
from ..exact import ExactErrors, compute_exact_errors
from ..goal import ChangedGoal, integrate_goal
from ..models import make_rule_model

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_ELSEWHERE = 1e-6
"""Rest points further apart than this, relative to the state, are not the same."""


def list_readout_causes() -> tuple[str, ...]:
    """Return the causes of `substrate.chip.causes` that are the same in every measurement of a batch."""
    return list_kind_causes(DIFFERENT)


def list_noise_causes() -> tuple[str, ...]:
    """Return the causes of `substrate.chip.causes` that differ from one measurement to the next."""
    return list_kind_causes(RANDOM)


class Trial(NamedTuple):
    """What is asked of every chip: to measure one batch with one rule and some schemes."""

    x: Array
    """Inputs (batch, inputs)."""

    target: Array
    """Targets (batch, classes) or (batch, outputs)."""

    schemes: Sequence[Scheme | QuasiStaticSwing]
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

    beside: Scheme | None = None
    """Scheme of a rule that takes none for itself, but uses one as well."""

    whole: bool = False
    """Whether a rule that draws probes takes a complete set of them."""

    def clamp(self, chip: Chip, repeat: int = 0) -> None:
        """Put the batch on `chip`; `repeat` names the draw of the noise."""
        chip.set_input(self.x, None, self.epoch, self.purpose, repeat)

    def context(self, chip: Chip, scheme: Scheme | QuasiStaticSwing, repeat: int = 0) -> RuleContext:
        """Return how the rule measures on `chip`."""
        used = scheme if self.rule.takes_scheme or self.beside is None else self.beside
        model = make_rule_model(self.rule, chip)
        return RuleContext(used, self.presynaptic, self.mirror, None, model, self.whole, repeat)


class SchemeRun(NamedTuple):
    """What one scheme found in one run."""

    estimate: Estimate
    """Error vectors and presynaptic factors."""

    readings: list[NudgeReading]
    """What the contrastive rule makes its products from, and what goals are compared with; empty where neither is."""

    @property
    def delta(self) -> Array:
        """Error vectors of all layers side by side, (batch, units)."""
        return self.estimate.flat


class LedgerRun(NamedTuple):
    """A free settling of the batch and the estimates of all schemes from it."""

    free: FreeReading
    """Free phase, as it was read before the last scheme."""

    state: Array
    """Membrane state at its end, (batch, units)."""

    taken: list[SchemeRun]
    """One per scheme."""


class LedgerRuns(NamedTuple):
    """All runs of one chip; see the table above."""

    reference: ExactErrors
    """Exact error vectors where the free settling of the chip ends without noise."""

    complete: LedgerRun
    settled: LedgerRun
    precise: LedgerRun
    static: LedgerRun
    repeats: list[LedgerRun]
    """At least one."""

    aim: Array
    """Exact error vectors of the cost that the rule descends, (batch, units): those of `reference`, or of its own."""

    limit: Array
    """What the rule tends to for a vanishing nudge, noiseless and settled completely, (batch, units)."""

    goals: list[ChangedGoal | None]
    """Per scheme: the gradient of the goal that its finite nudges make; None where a rule has none."""

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


def run_without_causes(
    chip: Chip, trial: Trial, repeats: int = 1, say: Callable[[str], None] | None = None
) -> LedgerRuns:
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
    trial = trial._replace(mirror=has_conjugate_answers(design.devices))
    own = []
    random = trial.rule.draws or has_random_measurements(design.devices)
    for r in range(repeats if random else 1):
        tell(f"measuring {len(trial.x)} samples" + (f", repeat {r + 1} of {repeats}" if random else ""))
        own.append(run_trial(chip, trial, r))
    quiet = _remove_noise(chip) if _remove_noise(chip).design != design else chip
    tell("the same without its noise, and without its readout")
    trial = trial._replace(whole=True)
    static = own[0] if quiet is chip and not trial.rule.draws else run_trial(quiet, trial)
    reference = compute_exact_errors(quiet, trial.target)
    ideal = quiet.without(*list_readout_causes())
    precise = static if ideal.design == quiet.design else run_trial(ideal, trial)
    double = ideal.variant(dynamics=design.dynamics.model_copy(update={"precision": "double"}))
    settled = precise if double.design == ideal.design else run_trial(double, trial)
    tell("the same settled completely")
    still, bare = stop_swinging_nudges(trial), make_settling_complete(chip)
    complete = run_trial(bare, still, keeps=True)
    tell("the goal of the nudges")
    forces = _find_forces(quiet, trial, reference)
    goals = [_find_goal(bare, still, s, reference, complete.taken[s], forces) for s in range(len(trial.schemes))]
    return LedgerRuns(
        reference,
        complete,
        settled,
        precise,
        static,
        own,
        reference.delta if forces is None else reference.linear.adjoint(forces),
        _find_limit(quiet, trial, reference) if forces is None else reference.linear.response(forces),
        goals,
        [is_ended_by_clock(chip, scheme) for scheme in trial.schemes],
    )


def run_trial(chip: Chip, trial: Trial, repeat: int = 0, keeps: bool = False) -> LedgerRun:
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
    keeps : bool
        Whether to keep all readings.
    """
    free, state = _read_free_phase(chip, trial, repeat)
    if isinstance(trial.rule, Dyadic):
        return LedgerRun(free, state, [_run_adjoint_scheme(chip, free, trial.target)] * len(trial.schemes))
    taken: list[SchemeRun] = []
    for scheme in trial.schemes:
        if taken and has_slow_noise(chip.design):
            free, state = _read_free_phase(chip, trial, repeat)
        taken.append(_run_scheme(chip, free, trial, scheme, repeat, keeps))
    return LedgerRun(free, state, taken)


def make_settling_complete(chip: Chip) -> Chip:
    """Return the same chip read ideally, without noise, in double precision, with phases that count as complete."""
    bare = chip.without(*list_noise_causes(), *list_readout_causes())
    return bare.variant(dynamics=make_dynamics_complete(bare.design.dynamics), complete=True)


def stop_swinging_nudges(trial: Trial) -> Trial:
    """Return the trial with swinging nudges stopped at every point of their cycle, as a complete settling needs it."""
    still = [QuasiStaticSwing(s) if isinstance(s, Swing) else s for s in trial.schemes]
    return trial._replace(schemes=still, mirror=True)


def is_ended_by_clock(chip: Chip, scheme: Scheme | QuasiStaticSwing) -> bool:
    """Tell whether the clock ends the settlings of a scheme; see `substrate.protocol.has_settled`."""
    return chip.design.dynamics.ends_by_clock or isinstance(scheme, Swing)


def _remove_noise(chip: Chip) -> Chip:
    # kT/C of the hold differs from read to read, its pedestal and droop do not.
    steady = chip.design.devices.hold.model_copy(update={"noise": 0.0, "capacitance": None})
    quiet = chip.without(*list_noise_causes()).variant(hold=steady)
    converters = quiet.design.devices.converters
    if converters.readout is None or not converters.readout.stochastic:
        return quiet
    nearest = converters.readout.model_copy(update={"stochastic": False})
    return quiet.variant(converters=converters.model_copy(update={"readout": nearest}))


def _read_free_phase(chip: Chip, trial: Trial, repeat: int) -> tuple[FreeReading, Array]:
    """Return what was read in the free phase, and the membrane state at its end, (batch, units)."""
    trial.clamp(chip, repeat)
    settled = chip.settle()
    free = FreeReading({name: np.real(a) for name, a in chip.read(waits=True).items()}, settled, None, trial.epoch)
    return free, np.asarray(chip.state, dtype=np.float64)


def _find_goal(
    chip: Chip, trial: Trial, s: int, reference: ExactErrors, complete: SchemeRun, forces: Array | None
) -> ChangedGoal | None:
    """Return the goal that scheme `s` measures the gradient of on a chip that has settled completely.

    A correction adds a drive that no energy has, and rules that do not nudge have none.
    """
    if isinstance(trial.rule, Dyadic) or not trial.rule.takes_scheme or chip.design.correction != "none":
        return None
    scheme, names = trial.schemes[s], chip.topology.names
    settled = [np.concatenate([one.activity[name] for name in names], axis=1) for one in complete.readings]
    signs = None
    if isinstance(scheme, RandomSign):
        signs = draw_sample_signs(scheme.seed, np.arange(len(trial.x)), trial.epoch)
    return integrate_goal(
        chip, reference.equilibrium.state, trial.target, scheme.nodes(), settled, signs, forces=forces
    )


def _run_scheme(
    chip: Chip, free: FreeReading, trial: Trial, scheme: Scheme | QuasiStaticSwing, repeat: int, keeps: bool
) -> SchemeRun:
    if isinstance(trial.rule, ErrorVector) and not (keeps and trial.rule.takes_scheme):
        return SchemeRun(trial.rule.estimate(chip, free, trial.target, trial.context(chip, scheme, repeat)), [])
    if isinstance(trial.rule, ErrorVector):
        kept = list(trial.rule.readings(chip, free, trial.target, trial.context(chip, scheme, repeat)))
    else:
        kept = list(iterate_readings(chip, free, trial.target, scheme, trial.mirror))
    return SchemeRun(combine_readings(chip, free, kept, trial.presynaptic), kept)


def _find_forces(chip: Chip, trial: Trial, reference: ExactErrors) -> Array | None:
    """Return the forces on all units (batch, units) of a rule with a cost of its own; None: that of the chip."""
    if not isinstance(trial.rule, ErrorVector):
        return None
    rest = {chip.topology.input: trial.x} | chip.topology.split(reference.equilibrium.activity)
    forces = trial.rule.forces(rest, trial.target, chip.readout)
    return None if forces is None else np.concatenate([forces[name] for name in chip.topology.names], axis=1)


def _find_limit(chip: Chip, trial: Trial, reference: ExactErrors) -> Array:
    """Return what the rule tends to on `chip`, whose rest points and exact error vectors these are."""
    if isinstance(trial.rule, Dyadic):
        return reference.delta  # the second state rests there
    if trial.rule.takes_scheme or not isinstance(trial.rule, ErrorVector):
        return reference.ep
    split, output = chip.topology.split, chip.topology.output
    rest = {chip.topology.input: trial.x} | split(reference.equilibrium.activity)
    force = compute_cost_force(chip.readout, rest[output], trial.target)
    exact = split(reference.delta)
    found = trial.rule.limit(exact, rest, force, trial.context(chip, trial.schemes[0]))
    if found is exact:
        return reference.delta
    return np.concatenate([found[name] for name in chip.topology.names], axis=1)


def _run_adjoint_scheme(chip: Chip, free: FreeReading, target: Array) -> SchemeRun:
    settled = chip.settle_errors(target)
    status = np.maximum(free.settled.status, settled.status)
    return SchemeRun(Estimate(dict(chip.read_errors()), free.activity, status, settled.steps), [])
