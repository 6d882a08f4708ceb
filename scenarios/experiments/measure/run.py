"""The experiments themselves: what is done to the chip, and which labelled arrays come out."""

from __future__ import annotations

from collections.abc import Callable

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
from substrate.chip.cells import spreads
from substrate.chip.chip import Chip

from ...schema.learning import Learning
from ..kind import FIRST, Batch, Names
from .found import Measured, Tried
from .ledger_tables import vector_tables
from .words import culprit

Array = NDArray[np.float64]
Say = Callable[[str], None]


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
