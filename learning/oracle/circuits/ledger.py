"""Oracle side: where the error of a gradient measured on a circuit comes from, term by term.

The terms are vectors whose sum is the total error ``estimate - exact``:

============ ======================================================================= ===============
step         what is run                                                             term
============ ======================================================================= ===============
exact        the adjoint of the circuit that is there
limit        squared drops for a vanishing nudge                                     asymmetry
clamped      the same for a vanishing clamp, over the mean conductance of outputs    clamp
complete     the finite nudge or clamp, at rest to the last digit, read ideally      finite nudge
settled      settled as far as the scenario says, or until the clock ends a phase    settling
precise      in the precision of the scenario                                        precision
static       offsets of comparators and targets, gain of the nudge, a twin circuit   readout
noise        the mean over repeats with noise of their own                           noise
written      what the elements keep of the requested change                          write
============ ======================================================================= ===============

Asymmetry has three parts: what the nominal gains of amplifiers explain (the metric), what one factor per node would
cure beyond that (`substrate.circuits.trims`), and the rest, from transistors and from amplifiers of different A/B side
by side. The finite nudge, as long as it is continuous, has two: the goal whose gradient it measures
(`learning.oracle.circuits.goal`), and the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.circuits.design import CircuitDesign
from substrate.circuits.effects.energy import SettlingHeat
from substrate.circuits.exact import Blocks, CircuitOracle, CircuitPoint
from substrate.circuits.forms import AnyCircuitChip, make_oracle
from substrate.protocol import has_settled

from ...circuits.coupled import Coupled
from ...circuits.rule import CircuitReading, CircuitRule, combine_contrasts
from ...circuits.squared import draw_signs
from ...schemes.scheme import Scheme
from ...training import Samples
from ..ledger.vectors import Ledger, compute_sample_moments
from .goal import compute_goal_gradient

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Say = Callable[[str], None]

TERMS = ("asymmetry", "clamp", "finite_nudge", "settling", "precision", "readout", "noise", "write")
"""The causes, in the order in which they act."""

PARTS = ("metric", "per_node", "irreducible", "goal", "nudge_bias")
"""Parts of the asymmetry, and of the finite nudge."""


class CircuitTrial(NamedTuple):
    """What is asked of a circuit: to measure one batch."""

    x: Array
    """Inputs (batch, inputs), in volts."""

    target: Array
    """Targets (batch, outputs), in volts."""

    rule: CircuitRule
    schemes: list[Scheme | None]
    """Nudge schemes; one None for a rule that does not nudge."""

    metric: bool
    """Whether squared drops are weighed by the nominal gains of amplifiers."""

    rates: Mapping[str, float]
    """Learning rates of the write that is tried, by block."""

    epoch: int = 0
    """How often the batch has been measured before: names the noise."""

    def present(self, repeat: int) -> Samples:
        """Return the batch under names of noise that no training uses."""
        return Samples(self.x, self.target, None, -1 - repeat - 1000 * self.epoch)


class CircuitMeasurement(NamedTuple):
    """All that a measure of a circuit found."""

    chip: AnyCircuitChip
    """What was measured: the circuit, with the slow noise that it had all the while."""

    point: CircuitPoint
    """Free rest point and exact error vectors."""

    readings: list[CircuitReading]
    """Of the circuit as it is, one per scheme; of the first repeat."""

    vectors: list[Ledger]
    """Of the error vectors, one per scheme; arrays (batch, nodes)."""

    blocks: list[dict[str, Ledger]]
    """Of the gradients, by block, one per scheme."""

    keep: Mask
    """Samples that every figure is an average of, (batch,)."""

    heats: list[dict[str, SettlingHeat]]
    """Of all settlings of a measurement by what was applied, one per scheme."""


class _Step(NamedTuple):
    """What one run found: error vectors (batch, nodes), and gradients by block."""

    vector: Array
    blocks: Blocks


def measure_circuit(chip: AnyCircuitChip, trial: CircuitTrial, repeats: int, say: Say) -> CircuitMeasurement:
    """Measure the batch with every scheme, and split the errors.

    Parameters
    ----------
    chip : CircuitChip or LayeredChip
        The circuit as it is.
    trial : CircuitTrial
        What is asked.
    repeats : int
        Measurements with noise of their own; one where nothing is random.
    say : callable
        Is told what is done next.
    """
    say("exact gradients")
    chip = chip.draw_slow_noise(f"measured/{trial.epoch}")
    oracle = make_oracle(chip)
    point = oracle.find_point(trial.x, trial.target)
    runs = [_run_all(chip, trial, scheme, repeats, say) for scheme in trial.schemes]
    keep = point.reached.copy()
    for readings in runs:
        keep &= np.logical_and.reduce([has_settled(run.reading.status, run.chip.ends_by_clock) for run in readings])
    found = [
        _make_ledgers(chip, oracle, point, trial, scheme, readings, keep)
        for scheme, readings in zip(trial.schemes, runs, strict=True)
    ]
    first = [readings[3].reading for readings in runs]
    vectors, blocks, heats = [own for own, _ in found], [own for _, own in found], [run[3].heats for run in runs]
    return CircuitMeasurement(chip, point, first, vectors, blocks, keep, heats)


class _Run(NamedTuple):
    """A circuit, and what it read."""

    chip: AnyCircuitChip
    reading: CircuitReading
    heats: dict[str, SettlingHeat]


def _run_all(chip: AnyCircuitChip, trial: CircuitTrial, scheme: Scheme | None, repeats: int, say: Say) -> list[_Run]:
    """Return the readings of the complete, settled and precise circuits, and of all repeats; then of the static one."""
    label = scheme.label if scheme is not None else trial.rule.kind
    say(f"{label}: measuring {len(trial.x)} samples")
    own = []
    for repeat in range(repeats if chip.is_random else 1):
        reading = trial.rule.measure(chip, trial.present(repeat), scheme)
        own.append(_Run(chip, reading, chip.heats))
    say(f"{label}: the same without its causes of error")
    done, runs = {_describe_chip(chip): own[0]}, []
    for kind in (chip.make_complete(), chip.make_ideal("double"), chip.make_ideal(None), chip.make_quiet()):
        if (name := _describe_chip(kind)) not in done:
            done[name] = _Run(kind, trial.rule.measure(kind, trial.present(0), scheme), {})
        runs.append(done[name])
    return [*runs[:3], *own, runs[3]]


def _describe_chip(chip: AnyCircuitChip) -> str:
    """Return what tells the circuits of one ledger apart, which are of the same elements."""
    design = chip.design
    if isinstance(design, CircuitDesign):
        return f"{design.devices!r} {design.tolerance} {design.clock}"
    return f"{design.precision} {design.tolerance} {design.sweeps}"


def _make_ledgers(
    chip: AnyCircuitChip,
    oracle: CircuitOracle,
    point: CircuitPoint,
    trial: CircuitTrial,
    scheme: Scheme | None,
    runs: list[_Run],
    keep: Mask,
) -> tuple[Ledger, dict[str, Ledger]]:
    """Return the ledger of the error vectors and those of all blocks."""
    clamps = isinstance(trial.rule, Coupled)
    unit = find_unit(point, keep) if clamps else 1.0

    def limit(response: Array, metric: bool, over: float = 1.0) -> _Step:
        factors = chip.metrics if metric else dict.fromkeys(chip.metrics, 1.0)
        blocks = {name: b * factors[name] / over for name, b in oracle.compute_limits(point, response, keep).items()}
        return _Step(response * (oracle.metrics if metric else 1.0) / over, blocks)

    def read(run: _Run) -> _Step:
        blocks = combine_contrasts(run.chip, run.reading, keep, trial.metric)
        vector = find_vector(run.chip, trial, run.reading, oracle.metrics)
        return _Step(vector / unit, {name: block / unit for name, block in blocks.items()})

    exact = _Step(point.adjoint, oracle.compute_gradients(point, keep))
    plain = limit(point.response, trial.metric)
    clamped = limit(point.clamped_response, trial.metric, unit) if clamps else plain
    complete, settled, precise, *own, static = map(read, runs)
    quiet = own if chip.is_random else [static]
    weighed, trimmed = limit(point.response, True), _Step(*oracle.weigh_nodes(point, keep))
    parts = _split_parts(chip, oracle, trial, scheme, keep, exact, plain, weighed, trimmed, clamped, complete)
    steps = [exact, plain, clamped, complete, settled, precise, static]
    vectors = _make_ledger([step.vector for step in steps], [step.vector for step in quiet], parts.vector, keep)
    books = {}
    for name in exact.blocks:
        drawn = [step.blocks[name] for step in quiet]
        written = None
        if name in trial.rates and np.isfinite(drawn[0]).all():
            rate = trial.rates[name] * unit
            written = chip.try_write(name, -rate * drawn[0]) / -rate
        shares = {part: blocks[name] for part, blocks in parts.blocks.items()}
        everything = np.ones(1, dtype=bool)
        books[name] = _make_ledger([step.blocks[name] for step in steps], drawn, shares, everything, written)
    return vectors, books


def find_unit(point: CircuitPoint, keep: Mask) -> float:
    """Return the mean conductance of an output, in siemens: coupled learning measures that times a gradient."""
    outputs = point.output_conductance[keep]
    return float(np.trace(outputs, axis1=1, axis2=2).mean() / outputs.shape[1]) if len(outputs) else float("nan")


def find_vector(
    chip: AnyCircuitChip, trial: CircuitTrial, reading: CircuitReading, metrics: Array | None = None
) -> Array:
    """Return the error vectors of a reading, (batch, nodes), weighed as the trial says."""
    vector = np.concatenate(list(reading.delta.values()), axis=1)
    if not trial.metric:
        return vector
    return vector * (make_oracle(chip).metrics if metrics is None else metrics)


class _Parts(NamedTuple):
    vector: dict[str, Array]
    blocks: dict[str, Blocks]


def _split_parts(
    chip: AnyCircuitChip,
    oracle: CircuitOracle,
    trial: CircuitTrial,
    scheme: Scheme | None,
    keep: Mask,
    exact: _Step,
    plain: _Step,
    weighed: _Step,
    trimmed: _Step,
    clamped: _Step,
    complete: _Step,
) -> _Parts:
    """Return what amplifiers and factors of nodes explain of the asymmetry, and the change of goal of a nudge."""
    goal = clamped
    if scheme is not None and oracle.is_continuous and keep.any():
        signs = draw_signs(trial.present(0), scheme)
        vector, blocks = compute_goal_gradient(oracle, trial.x, trial.target, scheme.nodes(), keep, signs)
        # On top of the asymmetry, which acts first; squared drops without their metric see that much less of it.
        seen = {name: 1.0 if trial.metric else 1.0 / weight for name, weight in chip.metrics.items()}
        moved = {n: clamped.blocks[n] + seen[n] * (block - exact.blocks[n]) for n, block in blocks.items()}
        each = 1.0 if trial.metric else 1.0 / oracle.metrics
        goal = _Step(clamped.vector + each * (vector - exact.vector), moved)
    pairs = {
        "metric": (weighed, plain),
        "per_node": (trimmed, weighed),
        "irreducible": (exact, trimmed),
        "goal": (clamped, goal),
        "nudge_bias": (goal, complete),
    }
    vectors = {name: after.vector - before.vector for name, (before, after) in pairs.items()}
    shares = {
        name: {key: after.blocks[key] - before.blocks[key] for key in exact.blocks}
        for name, (before, after) in pairs.items()
    }
    return _Parts(vectors, shares)


def _make_ledger(
    known: list[Array], drawn: list[Array], parts: dict[str, Array], keep: Mask, written: Array | None = None
) -> Ledger:
    """Return one ledger from its steps without noise, what repeats found, and what a write keeps of it."""
    noisy, variance, single, uncertain, held = drawn[0], np.zeros_like(drawn[0]), {}, {}, {}
    if drawn[0] is not known[-1]:
        noisy, variance = compute_sample_moments(drawn)
        single["noise"], uncertain["noise"] = variance, variance / len(drawn)
        held = dict.fromkeys(("noise", "write"), variance / len(drawn))
    kept = noisy if written is None else noisy + (written - drawn[0])
    steps = (*known, noisy, kept)
    return Ledger(steps, parts, variance, single, uncertain, held, keep, names=TERMS)
