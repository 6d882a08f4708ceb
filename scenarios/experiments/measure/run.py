"""The experiments themselves: what is done to the chip, and which labelled arrays come out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from learning.estimator import measure_free
from learning.oracle.exact import compute_exact_errors
from learning.oracle.forecast import ForecastBatch, forecast_variance
from learning.oracle.ledger.connections import TrialWrite, find_batch_gradients, make_connection_ledgers
from learning.oracle.ledger.gains import measure_remedy_gain
from learning.oracle.ledger.interactions import measure_interactions
from learning.oracle.ledger.remedies import REMEDIES, GradientSetting, list_changed_keys, list_possible_remedies
from learning.oracle.ledger.runs import LedgerRuns, Trial, run_without_causes
from learning.oracle.ledger.vectors import make_ledger, select_common_samples
from learning.oracle.matching import predict_matching_error
from substrate.chip.cells import compute_weight_spreads
from substrate.chip.chip import Chip

from ...schema.learning import Learning
from ..kind import FIRST, Batch, NoiseNames
from .found import MeasuredRemedies, Measurement
from .ledger_tables import make_connection_tables, make_vector_tables
from .words import find_largest_cause

Array = NDArray[np.float64]
Say = Callable[[str], None]


def measure_gradients(
    chip: Chip,
    batch: Batch,
    learning: Learning,
    say: Say,
    repeats: int = 1,
    together: bool = False,
    names: NoiseNames = FIRST,
    advise: bool = True,
) -> Measurement:
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
    trial = trial._replace(beside=next(iter(learning.given_schemes()), None))
    runs = run_without_causes(chip, trial, repeats, say)
    books = [make_ledger(runs, trial, s) for s in range(len(schemes))]
    nominal = chip.ideal()
    measure_free(nominal, batch.x)
    designed = compute_exact_errors(nominal, batch.target)
    matching = None
    if learning.rule.takes_scheme and not learning.rule.injects:
        matching = predict_matching_error(nominal, designed, compute_weight_spreads(chip.design, chip.programmed))
    books, keep = select_common_samples(books, runs.reference.equilibrium.reached & designed.equilibrium.reached)
    probe, connections = TrialWrite(learning.optimiser.rate, repeats), []
    for s, book in enumerate(books):
        say(f"connections: {schemes[s].label}")
        connections.append(make_connection_ledgers(chip, runs, trial, s, book.keep, probe))
    found = Measurement(
        free=runs.repeats[0].free,
        state=runs.repeats[0].state,
        reference=runs.reference,
        estimates=[taken.estimate for taken in runs.repeats[0].taken],
        status=np.maximum.reduce([[taken.estimate.status for taken in run.taken] for run in runs.repeats]),
        ledgers=books,
        connections=connections,
        forecasts=[
            forecast_variance(chip, runs.reference, ForecastBatch(batch.x, batch.target), s)
            if learning.rule.takes_scheme and not (learning.rule.injects and chip.has_frozen_cells)
            else None
            for s in schemes
        ],
        interactions=measure_interactions(chip, trial, repeats, say) if together else [],
        keep=keep,
        designed=designed,
        tried=None,
        matching=matching,
    )
    return found._replace(tried=_measure_remedies(chip, trial, runs, found, learning, say)) if advise else found


def _measure_remedies(
    chip: Chip, trial: Trial, runs: LedgerRuns, found: Measurement, learning: Learning, say: Say
) -> MeasuredRemedies:
    """Measure what helps against the largest cause of error, under the scheme for which it is told.

    The keys are the same at every epoch of a training, whichever cause is the largest.
    """
    settings = [GradientSetting(chip.design, scheme) for scheme in learning.all_schemes()]
    keys = {
        name: ", ".join(list_changed_keys(s, REMEDIES[name].change(s)))
        for s in settings
        for name in list_possible_remedies(s)
    }
    if "symmetric-weights" in keys:
        keys["symmetric-weights"] = learning.symmetry_key
    vectors = make_vector_tables(chip.topology, found.ledgers, {})
    blamed = find_largest_cause(vectors, make_connection_tables(chip.topology, found, {}))
    if blamed is None:
        return MeasuredRemedies(0, keys, {}, {})
    alike = all(
        np.array_equal(chip.mirror(f.block, chip.programmed[f.block]), chip.programmed[b.block])
        for f, b in chip.topology.pairs()
    )
    gains = {}
    for name in list_possible_remedies(settings[blamed.scheme], blamed.terms):
        if name != "symmetric-weights" or not alike:
            say(f"what would help: {name}")
            gains[name] = measure_remedy_gain(chip, trial, blamed.scheme, name, found.reference)
    own = runs.repeats[0].taken[blamed.scheme]
    before = find_batch_gradients(chip, trial, own, found.reference, found.keep)
    return MeasuredRemedies(blamed.scheme, keys, gains, before)
