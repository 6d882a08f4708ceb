"""Gradient quality of drawn chips against the matching rule, for one scenario and several spreads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learning.estimator import measure_free
from learning.oracle.exact import ExactErrors, compute_exact_errors
from learning.oracle.ledger.statistics import average_defined, compute_cosines
from learning.oracle.matching import predict_matching_error
from substrate.chip.cells import Spread, compute_weight_spreads
from substrate.chip.chip import Chip
from substrate.chip.design import Fabrication

from ...build import make_setup
from ...language.load import LoadedScenario
from ...results.store import Group, Variable
from ..kind import Batch, select_batch
from ..measure.tables import list_layer_names

Array = NDArray[np.float64]


def study_matching(
    loaded: LoadedScenario, sigmas: Sequence[float], chips: int = 20, samples: int = 16, threads: int | None = None
) -> Group:
    """Return the cosine of a vanishing nudge over chips of every spread, and what the matching rule expects.

    All other imperfections are ideal; the same chips are drawn at every spread.

    Parameters
    ----------
    loaded : Loaded
        Network, data, seed and first instance.
    sigmas : sequence of float
        Relative spreads of one feedback cell, 0 or more.
    chips : int
        Chips drawn, 1 or more.
    samples : int
        The first so many training samples.
    threads : int, optional
        Threads that share a batch.

    Returns
    -------
    Group
        `sigma`, `instance`, `layer`, `cosine` (sigma, instance, layer), `unsettled` (sigma, instance),
        `rule` (sigma, layer); means over the samples with a rest point.

    Raises
    ------
    ScenarioError
        If a file of the scenario does not fit.
    """
    setup = make_setup(loaded)
    seed, first = setup.fabrication
    nominal = setup.chip(threads=threads).ideal()
    batch = select_batch(setup.data, samples)
    designed = _compute_exact_gradients(nominal, batch)
    rules = [predict_matching_error(nominal, designed, _compute_spreads(nominal, sigma)).cosine for sigma in sigmas]
    reached = designed.equilibrium.reached
    instances = [first + k for k in range(chips)]
    found = [
        [_compute_exact_gradients(_fabricate_chip(nominal, sigma, seed, k), batch) for k in instances]
        for sigma in sigmas
    ]
    columns = list(nominal.topology.columns.values())
    rule = [[average_defined(one[name][reached])[0] for name in nominal.topology.names] for one in rules]
    cosine = [[[_average_cosine(one, c) for c in columns] for one in row] for row in found]
    unsettled = [[np.count_nonzero(~one.equilibrium.reached) for one in row] for row in found]
    return {
        "sigma": Variable(("sigma",), np.array(sigmas), long_name="relative spread of one feedback cell"),
        "instance": Variable(("instance",), np.array(instances), long_name="fabricated chip"),
        "layer": list_layer_names(nominal.topology),
        "cosine": Variable(("sigma", "instance", "layer"), np.array(cosine), long_name="cosine, vanishing nudge"),
        "unsettled": Variable(("sigma", "instance"), np.array(unsettled), long_name="samples without a rest point"),
        "rule": Variable(("sigma", "layer"), np.array(rule), long_name="cosine by the matching rule"),
    }


def _compute_spreads(nominal: Chip, sigma: float) -> dict[str, Spread]:
    feedback = nominal.design.devices.feedback.model_copy(update={"mismatch_sigma": sigma})
    return compute_weight_spreads(nominal.design.replace(feedback=feedback), nominal.programmed)


def _fabricate_chip(nominal: Chip, sigma: float, seed: int, instance: int) -> Chip:
    """Return another chip of the same design, whose feedback cells have the spread `sigma`."""
    feedback = nominal.design.devices.feedback.model_copy(update={"mismatch_sigma": sigma})
    return Chip(nominal.design.replace(feedback=feedback), nominal.programmed, Fabrication(seed, instance))


def _compute_exact_gradients(chip: Chip, batch: Batch) -> ExactErrors:
    measure_free(chip, batch.x)
    return compute_exact_errors(chip, batch.target)


def _average_cosine(found: ExactErrors, columns: slice) -> float:
    """Return the mean cosine of one layer over the samples with a rest point; nan if there are none."""
    kept = found.equilibrium.reached
    return average_defined(compute_cosines(found.ep[kept, columns], found.delta[kept, columns]))[0]
