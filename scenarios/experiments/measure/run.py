"""The experiments themselves: what is done to the chip, and which labelled arrays come out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.estimator import measure_free
from learning.oracle.exact import exact
from learning.oracle.ledger.connections import Probe, connection_ledgers
from learning.oracle.ledger.gains import gain
from learning.oracle.ledger.interactions import interactions
from learning.oracle.ledger.remedies import REMEDIES, Setting, changed_keys, possible
from learning.oracle.ledger.runs import Trial, runs_of
from learning.oracle.ledger.vectors import compared, ledger
from learning.oracle.matching import matching_rule
from learning.schemes.scheme import Scheme, Swing
from substrate.chip.cells import spreads
from substrate.chip.chip import Chip
from substrate.dynamics.recording import Recording
from substrate.protocol import Nudge, Settled, State, Status

from ...results.store import Group, Variable
from ...schema.experiments import Record
from ...schema.learning import Learning
from .found import Batch, Measured, Tried
from .ledger_tables import vector_tables
from .words import culprit

Array = NDArray[np.float64]
Say = Callable[[str], None]


class Names(NamedTuple):
    """What a batch is presented for, and how often it was before: names its noise, beside the samples."""

    epoch: int = 0
    purpose: str = ""


FIRST = Names()
"""Of an experiment that is all there is."""


def measure(
    chip: Chip,
    batch: Batch,
    learning: Learning,
    say: Say,
    repeats: int = 1,
    together: bool = False,
    names: Names = FIRST,
    advise: bool = True,
) -> Measured:
    """Estimate the gradients with every scheme and say where they differ from the exact ones.

    Parameters
    ----------
    chip : Chip
        The chip as it is.
    batch : Batch
        The samples.
    learning : Learning
        Schemes, rule, presynaptic factor, and the rate of the write that is tried.
    say : callable
        Is told what is done next.
    repeats : int
        Measurements with noise of their own.
    together : bool
        Measure also what every cause does alone, and the chip without it.
    names : Names
        Of the noise.
    advise : bool
        Measure also what would help against the largest cause of error.
    """
    schemes = learning.all_schemes()
    trial = Trial(batch.x, batch.target, schemes, learning.rule, learning.presynaptic, **names._asdict())
    runs = runs_of(chip, trial, repeats, say)
    books = [ledger(runs, trial, s) for s in range(len(schemes))]
    nominal = chip.ideal()
    measure_free(nominal, batch.x)
    designed = exact(nominal, batch.target)
    rule = matching_rule(nominal, designed, spreads(chip.design, chip.programmed))
    books, keep = compared(books, runs.reference.equilibrium.reached & designed.equilibrium.reached)
    probe, connections = Probe(learning.optimiser.rate, repeats), []
    for s, book in enumerate(books):
        say(f"connections: {schemes[s].label}")
        connections.append(connection_ledgers(chip, runs, trial, s, book.keep, probe))
    found = Measured(
        free=runs.repeats[0].free,
        state=runs.repeats[0].state,
        reference=runs.reference,
        estimates=[taken.estimate for taken in runs.repeats[0].taken],
        status=np.maximum.reduce([[taken.estimate.status for taken in run.taken] for run in runs.repeats]),
        ledgers=books,
        connections=connections,
        interactions=interactions(chip, trial, repeats, say) if together else [],
        keep=keep,
        designed=designed,
        tried=None,
        rule=rule,
    )
    return found._replace(tried=_tried(chip, trial, found, learning, say)) if advise else found


def _tried(chip: Chip, trial: Trial, found: Measured, learning: Learning, say: Say) -> Tried:
    """Measure what helps against the largest cause of error, under the scheme for which it is told.

    The keys are the same at every epoch of a training, whichever cause is the largest.
    """
    settings = [Setting(chip.design, scheme) for scheme in learning.all_schemes()]
    keys = {name: ", ".join(changed_keys(s, REMEDIES[name].change(s))) for s in settings for name in possible(s)}
    if "symmetric-weights" in keys:
        keys["symmetric-weights"] = learning.symmetry_key
    blamed = culprit(vector_tables(chip.topology, found.ledgers, {}))
    if blamed is None:
        return Tried(0, keys, {})
    alike = all(
        np.array_equal(chip.mirror(f.block, chip.programmed[f.block]), chip.programmed[b.block])
        for f, b in chip.topology.pairs()
    )
    gains = {}
    for name in possible(settings[blamed.scheme], blamed.terms):
        if name != "symmetric-weights" or not alike:
            say(f"what would help: {name}")
            gains[name] = gain(chip, trial, blamed.scheme, name, found.reference)
    return Tried(blamed.scheme, keys, gains)


def settling(chip: Chip, batch: Batch, schemes: list[Scheme], record: Record, names: Names = FIRST) -> dict[str, Group]:
    """Record the free settling, then every different constant nudge of the schemes, of the first samples.

    `names` are those of the noise.

    Returns
    -------
    dict
        Group ``settling``: membrane states over (phase, time, sample, unit), NaN after the end.
    """
    chip.set_input(batch.x[: record.samples], None, **names._asdict())
    target = batch.target[: record.samples]
    phases = {"free": None} | {_short(beta): Nudge(beta, target) for beta in _constant_nudges(schemes)}
    units = np.array([i for c in chip.topology.columns.values() for i in range(c.start, c.stop)[: record.units]])
    curves: list[State] = []
    ends: list[Settled] = []
    for nudge in phases.values():
        kept = Recording(record.every_steps, units=units, limit=record.limit_mb * 2**20)
        ends.append(chip.settle(nudge, "free" if nudge else "zero", kept))
        phase = chip.design.dynamics.nudged if nudge else chip.design.dynamics.free
        # A fixed length that is no whole number of intervals ends between two of the times.
        between = phase.fixed and (len(kept.states) - 1) * record.every_steps > ends[-1].steps.max()
        curves.append(kept.states[:-1] if between else kept.states)
    longest = max(len(curve) for curve in curves)
    padded = np.full((len(curves), longest, *curves[0].shape[1:]), np.nan, dtype=np.result_type(*curves))
    for row, curve in zip(padded, curves, strict=True):
        row[: len(curve)] = curve
    distance = np.abs(padded - np.array([curve[-1] for curve in curves])[:, None]).max(axis=3)
    owner = [name for name in chip.topology.names for _ in range(chip.topology.layers[name])[: record.units]]
    dims = ("phase", "time", "sample", "unit")
    group: Group = {
        "phase": Variable(("phase",), np.array(list(phases)), long_name="settling"),
        "time": Variable(("time",), np.arange(longest) * record.every_steps * chip.design.dynamics.dt, "tau", "time"),
        "layer": Variable(("unit",), np.array(owner), long_name="layer of the unit"),
        "state": Variable(dims, padded.real.astype(np.float32), long_name="membrane state, real part"),
        "distance": Variable(dims[:3], distance, long_name="largest distance of a unit from the end of its settling"),
        **_endings(ends, chip.design.dynamics.dt),
    }
    if np.iscomplexobj(padded):
        group["state_imaginary"] = Variable(
            dims, padded.imag.astype(np.float32), long_name="membrane state, imaginary part"
        )
    return {"settling": group}


def _endings(ends: list[Settled], dt: float) -> Group:
    """Return how every recorded settling ended and what it took; steps of dt tau."""
    dims, steps = ("phase", "sample"), np.array([end.steps for end in ends])
    status = np.array([end.status for end in ends])
    return {
        "status": Variable(dims, status, flags=Status, long_name="how the settling ended"),
        "steps": Variable(dims, steps, long_name="steps taken"),
        "duration": Variable(dims, steps * dt, "tau", "time the settling took"),
    }


def _constant_nudges(schemes: list[Scheme]) -> list[complex]:
    """Return the different nudges of all schemes that do not swing."""
    nodes = [node for s in schemes if not isinstance(s, Swing) for node in s.nodes()]
    return list(dict.fromkeys(node.beta for node in nodes if node.beta != 0.0))


def _short(beta: complex) -> str:
    """Return a nudge as text, without the rounding of a vanishing part."""
    z = complex(round(complex(beta).real, 12), round(complex(beta).imag, 12))
    return f"beta {z.real:+.6g}" if z.imag == 0.0 else f"beta {z:.6g}"
