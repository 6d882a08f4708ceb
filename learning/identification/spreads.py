"""Spreads of cells, offsets and noise of the reads of a running chip, from its free reads alone.

What is left of the drive of a unit when its programmed weights are taken off, ``r_k = h_k - sum_j W_ij a_jk - b_i``, is
normal over chips, with the covariance

    V_i = t_f Z_f Z_f^T + t_b Z_b Z_b^T + t_o 1 1^T + t_r diag((dh/da)^2 + sum_j W_ij^2)

between samples: `t` are the squares of the spreads of forward cells, feedback cells and offsets and of the noise of a
read, and `Z` are the activities that the unit sees, times its programmed weights for a relative spread. All units
together tell `t` by maximum likelihood, and scoring climbs there: ``F t = q``, ``F_ab = tr(V^-1 V_a V^-1 V_b)/2``,
``q_a = r^T V^-1 V_a V^-1 r / 2``, summed over units (S. R. Searle, G. Casella, C. E. McCulloch, "Variance components",
Wiley 1992, chapter 6). Far fewer samples than weights suffice. Intervals are those of a variance of
``2 (t/se)^2`` degrees of freedom (F. E. Satterthwaite, Biometrics Bulletin 2, 110, 1946).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .reads import DenseWiring, DriveCurve, FreeReads, UnitRows, join_row_weights, make_unit_rows

Array = NDArray[np.float64]

COMPONENTS = ("forward", "feedback", "offset", "read")
"""Spread of forward cells, of feedback cells, of offsets of the units, and noise of a read."""

LEVEL = 0.9
"""Probability of an interval."""

_ROUNDS, _PRECISION = 100, 1e-6
_LEAST_NOISE = 1e-6
"""Least noise of a read, relative to what it has to explain; keeps matrices regular where there is none."""

_FEWEST_FREEDOMS = 3.0
"""A variance with fewer degrees of freedom than this may as well be 0."""

_NOTHING = 1e-6
"""A spread below this share of the upper end of its interval is called 0."""

_STRANGE = 1e-6
"""Probability below which a unit does not belong to the rest; over all units together."""


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
    """By name in `COMPONENTS`, as far as the wiring has them; a read in units of the activity, an offset of the state,
    cells relative to their weight, or for an additive law in units of it."""

    samples: int
    """Settled free reads."""

    unsettled: int
    """Reads left out because the chip did not settle."""

    rows: int
    """Equations: units times samples, as far as they tell something."""

    saturated: dict[str, int]
    """Units times samples so close to an end of their range that they tell nothing, by layer."""

    strange: dict[str, list[int]]
    """Units that do not fit the rest, as one with a stuck cell, by layer; they are left out."""

    unread: list[str]
    """Layers that are not read, or are fed by one that is not: nothing is known of their cells."""


class _Units(NamedTuple):
    """Covariances and residuals of units of one layer."""

    layer: str
    parts: dict[str, Array]
    """``V_a`` by component, (units, samples, samples)."""

    residual: Array
    """(units, samples); 0 where nothing is told."""

    told: NDArray[np.bool_]
    """(units, samples)."""


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
    layers = list(make_unit_rows(wiring, reads.activity, curve))
    units = [_make_units(wiring, rows, programmed, law, shared) for rows in layers]
    if not any(one.told.any() for one in units):
        raise ValueError("no activity lies far enough from the ends of its range: clamp other inputs")
    names = [name for name in COMPONENTS if any(one.parts[name].any() for one in units)]
    kept, strange = units, dict[str, list[int]]()
    for _ in range(3):
        theta, fisher = _climb(kept, names)
        found = dict(_find_strange(units, names, theta))
        if found == strange:
            break
        strange = found
        kept = [_leave_out(one, strange.get(one.layer, [])) for one in units]
    deviation = np.sqrt(np.diag(np.linalg.inv(fisher)))
    return IdentifiedSpreads(
        {name: make_spread(*pair) for name, *pair in zip(names, theta.tolist(), deviation.tolist(), strict=True)},
        len(next(iter(reads.activity.values()))),
        reads.unsettled,
        int(sum(one.told.sum() for one in kept)),
        {rows.layer: int(np.count_nonzero(~rows.told)) for rows in layers},
        strange,
        [name for name in list(wiring.layers)[1:] if name not in {rows.layer for rows in layers}],
    )


def make_spread(variance: float, error: float) -> EstimatedSpread:
    """Return the standard deviation that belongs to a variance and its standard error."""
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


def _make_units(wiring: DenseWiring, rows: UnitRows, programmed: Mapping[str, Array], law: str, shared: bool) -> _Units:
    """Return residuals and covariances of the units of one layer."""
    weights = join_row_weights(rows, programmed)
    residual = np.where(rows.told, rows.drive - rows.regressors @ weights, 0.0).T
    told = rows.told.T.copy()
    pairs = told[:, :, None] & told[:, None, :]
    size = weights**2 if law == "relative" else np.ones_like(weights)
    groups: dict[str, list[slice]] = {"forward": [], "feedback": []}
    for name, columns in rows.blocks.items():
        back = wiring.is_feedback(*name.removeprefix("weight/").split("-")) and not shared
        groups["feedback" if back else "forward"].append(columns)
    parts = {name: np.zeros(pairs.shape) for name in groups}
    for name, blocks in groups.items():
        for columns in blocks:
            seen = rows.regressors[:, columns]
            parts[name] += np.stack([(seen * part) @ seen.T for part in size[columns].T])
    noise = rows.count_noise(weights).T
    parts |= {"offset": np.ones(pairs.shape), "read": noise[:, :, None] * np.eye(noise.shape[1])}
    return _Units(rows.layer, {name: np.where(pairs, part, 0.0) for name, part in parts.items()}, residual, told)


def _leave_out(units: _Units, which: list[int]) -> _Units:
    told, residual = units.told.copy(), units.residual.copy()
    told[which], residual[which] = False, 0.0
    parts = {name: part.copy() for name, part in units.parts.items()}
    for part in parts.values():
        part[which] = 0.0
    return _Units(units.layer, parts, residual, told)


def _invert(units: _Units, names: list[str], theta: Array) -> Array:
    """Return ``V^-1`` of every unit, (units, samples, samples); what is not told stands apart with variance 1."""
    total = sum(t * units.parts[name] for name, t in zip(names, theta, strict=True))
    apart = np.where(units.told, 0.0, 1.0)
    return np.asarray(np.linalg.inv(total + apart[:, :, None] * np.eye(units.told.shape[1])))


def _climb(layers: list[_Units], names: list[str]) -> tuple[Array, Array]:
    """Return the variances of the largest likelihood and their Fisher information."""
    square = sum(float(np.sum(one.residual**2)) for one in layers)
    traces = np.array([sum(float(np.trace(one.parts[n], axis1=1, axis2=2).sum()) for one in layers) for n in names])
    theta = square / len(names) / traces + np.finfo(float).tiny
    least = np.where([name == "read" for name in names], _LEAST_NOISE**2 * square / traces, 0.0)
    for _ in range(_ROUNDS):
        fisher, push = np.zeros((len(names), len(names))), np.zeros(len(names))
        for one in layers:
            inverse = _invert(one, names, theta)
            pulled = np.einsum("ukl,ul->uk", inverse, one.residual)
            turned = [inverse @ one.parts[name] for name in names]
            push += [0.5 * np.einsum("uk,ukl,ul->", pulled, one.parts[name], pulled) for name in names]
            fisher += [[0.5 * np.einsum("ukl,ulk->", a, b) for b in turned] for a in turned]
        before, theta = theta, np.maximum(_solve_not_negative(fisher, push, theta), least)
        if np.all(np.abs(theta - before) <= _PRECISION * (theta + least)):
            break
    return theta, fisher


def _solve_not_negative(fisher: Array, push: Array, before: Array) -> Array:
    """Return the solution of ``F t = q``; where it would fall below 0, it falls to a tenth of what it was."""
    found = np.linalg.solve(fisher, push)
    return np.where(found > 0.0, found, 0.1 * before)


def _find_strange(layers: list[_Units], names: list[str], theta: Array) -> Iterator[tuple[str, list[int]]]:
    """Yield layers with units whose residuals the variances do not explain."""
    count = sum(len(one.told) for one in layers)
    for one in layers:
        inverse = _invert(one, names, theta)
        square = np.einsum("uk,ukl,ul->u", one.residual, inverse, one.residual)
        chance = stats.chi2.sf(square, np.maximum(one.told.sum(axis=1), 1))
        if which := np.flatnonzero(chance < _STRANGE / count).tolist():
            yield one.layer, which
