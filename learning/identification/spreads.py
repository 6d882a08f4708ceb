"""Spreads of cells and units, and noise of the reads, of a running chip, from its free reads alone.

What is left of the drive of a unit when its programmed weights are taken off is normal over chips, and all units
together tell the variances of `learning.identification.unit_equations` by maximum likelihood. Far fewer samples than
weights suffice. The equations are linear in the constants of units near the likely ones only, so they are set up again
around these until nothing changes (M. J. Lindstrom, D. M. Bates, Biometrics 46, 673, 1990); stuck cells and strange
units are looked for in turn. Intervals are those of a variance of ``2 (t/se)^2`` degrees of freedom
(F. E. Satterthwaite, Biometrics Bulletin 2, 110, 1946).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .components import (
    Equations,
    Likelihood,
    compute_likelihood,
    find_largest_likelihood,
    guess_variances,
    predict_constants,
)
from .profile import find_profile_interval
from .reads import DenseWiring, DriveCurve, FreeReads
from .stuck_cells import Outliers, add_stuck_cells, find_outliers
from .unit_equations import UNITS, KnownNetwork, UnitEquations, list_unit_places, make_unit_equations

Array = NDArray[np.float64]

LEVEL = 0.9
"""Probability of an interval."""

MOST_UNITS = 400
"""Of more units spreads of converters are not looked for: their equations would have to be solved together."""

_ROUNDS = 12
"""Most times that equations are set up."""

_CLOSE = 0.1
"""Change of a variance over its standard error that ends the rounds."""

_ALIKE = 0.998
"""Cosine of two components, in the metric of their information, above which they are not told apart."""

_FEWEST_FREEDOMS = 3.0
"""A variance with fewer degrees of freedom than this may as well be 0."""

_MANY_FREEDOMS = 80.0
"""Intervals of a variance with fewer degrees of freedom follow from its profile likelihood."""

_NOTHING = 1e-6
"""A spread below this share of the upper end of its interval is called 0."""


class EstimatedSpread(NamedTuple):
    """One standard deviation, and how well it is known."""

    value: float
    error: float
    """Standard error."""

    low: float
    high: float
    """Interval of 90 %."""


class IdentifiedSpreads(NamedTuple):
    """What free reads tell of a chip."""

    spreads: dict[str, EstimatedSpread]
    """By name in `unit_equations.COMPONENTS`, as far as the wiring has them; a read and an offset of a converter in
    units of the activity, an offset of a unit in those of the state, gains and slopes relative, cells relative to their
    weight, or for an additive law in units of it."""

    together: list[tuple[str, str]]
    """Pairs that these reads do not tell apart: the first holds what the second adds."""

    samples: int
    """Settled free reads."""

    unsettled: int
    """Reads left out because the chip did not settle."""

    rows: int
    """Equations: units times samples, as far as they tell something."""

    saturated: dict[str, int]
    """Units times samples so close to an end of their range that they tell nothing, by layer."""

    stuck: dict[str, list[tuple[int, int]]]
    """Cells (pre, post) that do not fit the rest, by block; they are left out."""

    strange: dict[str, list[int]]
    """Units that do not fit the rest, by layer; they are left out."""

    unread: list[str]
    """Layers that are not read, or are fed by one that is not: nothing is known of their cells."""

    coupled: bool
    """Whether spreads of converters were looked for."""


def estimate_spreads(
    wiring: DenseWiring,
    reads: FreeReads,
    curve: DriveCurve,
    programmed: Mapping[str, Array],
    law: Literal["relative", "additive"] = "relative",
    shared: bool = False,
) -> IdentifiedSpreads:
    """Return the spreads that free reads of one chip tell.

    Parameters
    ----------
    wiring : DenseWiring
        Of `learning.identification.reads.get_wiring`.
    reads : FreeReads
        Of `read_free_states`; twenty samples suffice for small networks.
    curve : DriveCurve
        From activities to drives, as designed.
    programmed : mapping of block name to array
        Weights (pre, post) and biases as they were programmed.
    law : {"relative", "additive"}
        Whether the error of a cell is in proportion to its weight.
    shared : bool
        Whether one cell stands for both directions; then its spread is that of `forward`.

    Raises
    ------
    ValueError
        If no activity tells anything.
    """
    places = list_unit_places(wiring, reads.activity)
    count = sum(wiring.layers[name] for name in places)
    network = KnownNetwork(wiring, curve, programmed, law, shared, count <= MOST_UNITS)
    first = make_unit_equations(network, reads.activity, {name: np.zeros(count) for name in UNITS})
    read = {one.rows.layer for one in first.layers}
    unread = [name for name in list(wiring.layers)[1:] if name not in read]
    if not first.equations.told.any():
        raise ValueError(_describe_nothing(wiring, reads, unread))
    together = find_alike(first)
    equations, best, outliers = _climb(network, reads, first, {name for _, name in together})
    return IdentifiedSpreads(
        _measure_spreads(equations.equations, best),
        together,
        len(next(iter(reads.activity.values()))),
        reads.unsettled,
        int(equations.equations.told.sum()),
        {one.rows.layer: int(np.count_nonzero(~one.rows.told)) for one in first.layers},
        _list_stuck(first, outliers),
        {
            name: np.flatnonzero(outliers.units[units]).tolist()
            for name, units in places.items()
            if outliers.units[units].any()
        },
        unread,
        network.coupled,
    )


def _measure_spreads(equations: Equations, best: Likelihood) -> dict[str, EstimatedSpread]:
    """Return standard deviations and their intervals."""
    size = 1.0 / np.sqrt(np.diag(best.information))
    # Components that are all but told apart have no regular information.
    covariance = np.linalg.pinv(size[:, None] * best.information * size, rcond=1e-10, hermitian=True)
    deviation, found = size * np.sqrt(np.diag(covariance)), {}
    for k, (name, variance) in enumerate(zip(equations.names, best.theta.tolist(), strict=True)):
        if name == "stuck":
            continue
        found[name] = make_spread(variance, float(deviation[k]))
        # The noise of a read has as many freedoms as there are equations to spare, or is none.
        if name != "read" and variance**2 < 0.5 * _MANY_FREEDOMS * deviation[k] ** 2:
            low, high = (float(np.sqrt(end)) for end in find_profile_interval(equations, best, k, LEVEL))
            value = found[name].value if found[name].value > _NOTHING * high else 0.0
            found[name] = EstimatedSpread(value, found[name].error, low, high)
    return found


def make_spread(variance: float, error: float) -> EstimatedSpread:
    """Return the standard deviation that belongs to a variance and its standard error."""
    variance, error = float(variance), float(error)
    value, tail = float(np.sqrt(variance)), 0.5 * (1.0 - LEVEL)
    if error == 0.0:
        return EstimatedSpread(value, 0.0, value, value)
    freedoms = 2.0 * (variance / error) ** 2
    if freedoms < _FEWEST_FREEDOMS:
        high = float(np.sqrt(variance + stats.norm.isf(tail) * error))
        value = value if value > _NOTHING * high else 0.0
        return EstimatedSpread(value, high - value, 0.0, high)
    low, high = (value * float(np.sqrt(freedoms / stats.chi2.ppf(p, freedoms))) for p in (1.0 - tail, tail))
    return EstimatedSpread(value, error / (2.0 * value), low, high)


def _climb(
    network: KnownNetwork, reads: FreeReads, found: UnitEquations, dropped: set[str]
) -> tuple[UnitEquations, Likelihood, Outliers]:
    """Return the last equations, where their likelihood is largest, and what was left out of them."""
    none = {one.rows.layer: np.zeros(one.weights[:-1].shape, dtype=bool) for one in found.layers}
    outliers, told = Outliers(none, np.zeros(len(found.equations.told), dtype=bool)), found.equations.told
    before: dict[str, float] = {}
    for _ in range(_ROUNDS):
        found = _drop(found.keep(told), dropped)
        # What a round found too near an end stays out: there the curve tells the constants of a unit badly.
        told = found.equations.told
        used = add_stuck_cells(found, outliers)
        names = used.equations.names
        start = np.array([before.get(name, 0.01) for name in names]) if before else None
        best = find_largest_likelihood(used.equations, start)
        after = dict(zip(names, best.theta, strict=True))
        last, outliers = outliers, find_outliers(found, np.array([after[name] for name in found.equations.names]))
        error = dict(zip(names, 1.0 / np.sqrt(np.diag(best.information)), strict=True))
        if outliers.same(last) and all(abs(after[n] - before.get(n, np.inf)) <= _CLOSE * error[n] for n in names):
            break
        before = after
        likely = {name: np.zeros(len(told)) for name in UNITS}
        likely |= predict_constants(used.equations, best.theta, used.features)
        found = make_unit_equations(network, reads.activity, likely)
    return used, best, last


def _drop(found: UnitEquations, names: set[str]) -> UnitEquations:
    """Return equations without some components."""
    own, shared = (
        {name: part for name, part in parts.items() if name not in names}
        for parts in (found.equations.own, found.equations.shared)
    )
    features = {name: part for name, part in found.features.items() if name in own}
    return found._replace(equations=found.equations._replace(own=own, shared=shared), features=features)


def find_alike(found: UnitEquations) -> list[tuple[str, str]]:
    """Return pairs of components that the equations do not tell apart, the one that is kept first."""
    fisher = compute_likelihood(found.equations, guess_variances(found.equations)).information
    size, names = np.sqrt(np.diag(fisher)), found.equations.names
    alike, dropped = list[tuple[str, str]](), set[str]()
    for a, one in enumerate(names):
        for b in range(a + 1, len(names)):
            same = fisher[a, b] > _ALIKE * size[a] * size[b]
            if same and not {one, names[b]} & dropped:
                alike.append((one, names[b]))
                dropped.add(names[b])
    return alike


def _list_stuck(found: UnitEquations, outliers: Outliers) -> dict[str, list[tuple[int, int]]]:
    cells = {}
    for one in found.layers:
        for name, columns in one.rows.blocks.items():
            if (which := outliers.cells[one.rows.layer][columns]).any():
                cells[name] = [(int(pre), int(post)) for pre, post in np.argwhere(which)]
    return cells


def _describe_nothing(wiring: DenseWiring, reads: FreeReads, unread: list[str]) -> str:
    """Return why no unit tells anything, and what is needed."""
    if len(unread) < len(wiring.layers) - 1:
        return "no activity lies far enough from the ends of its range: clamp other inputs"
    missing = [name for name in wiring.layers if name not in reads.activity]
    told, them = ", ".join(missing), " and ".join(missing)
    return (
        f"{told} {'is' if len(missing) == 1 else 'are'} not read, and every layer is fed by one that is not:"
        f" the equation of a unit holds all that it sees; read {them}, too"
    )
