"""Transfer curves of units: one monotone table for all, and the spreads of gain, slope and offset between them.

Unit i has the curve ``a = g_i rho(s_i (u + o_i))``. The table `rho` is the monotone regression of all points, put back
to where the mean unit has them; gains, slopes and offsets are fitted to it by least squares, in turn. Intervals of the
spreads are those of normal constants.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from .columns import Column, Columns, group_devices
from .fitted import FitError, FitResult, FittedValue, make_value

Array = NDArray[np.float64]

COLUMNS = (
    Column("input", ("vin", "state"), unit="V"),
    Column("output", ("vout", "activity"), unit="V"),
    Column("device", ("unit",), needed=False),
)

_POINTS, _ROUNDS = 65, 4
_FEWEST = 8


def fit_transfer_curves(columns: Columns) -> FitResult:
    """Return the table that all units share, and spreads between them.

    Raises
    ------
    FitError
        If the output falls or a unit has too few points.
    """
    name, u, a = columns.path.name, columns.values["input"], columns.values["output"]
    units = group_devices(columns)
    for k, lines in enumerate(units):
        if len(lines) < _FEWEST or np.ptp(u[lines]) == 0.0:
            raise FitError(f"{name}: unit {k + 1} has {len(lines)} points; give {_FEWEST} or more, at several inputs")
        if np.ptp(a[lines]) > 0.0 and np.corrcoef(u[lines], a[lines])[0, 1] < 0.0:
            raise FitError(f"{name}: the output of unit {k + 1} falls with its input; turn the sign of one of them")
    span = np.median([np.ptp(a[lines]) for lines in units])
    dead = [k for k, lines in enumerate(units) if np.ptp(a[lines]) < 0.1 * span]
    kept = [lines for k, lines in enumerate(units) if k not in dead]
    constants, errors = np.tile([1.0, 1.0, 0.0], (len(kept), 1)), np.zeros((len(kept), 3))
    table = _fit_table(u, a, kept, constants)
    for _ in range(_ROUNDS if len(kept) > 2 else 0):
        constants, errors = (np.array(part) for part in zip(*(_fit_unit(table, u[k], a[k]) for k in kept), strict=True))
        constants = constants / [*constants[:, :2].mean(axis=0), 1.0] - [0.0, 0.0, constants[:, 2].mean()]
        table = _fit_table(u, a, kept, constants)
    notes = ['the table goes into the network: activation = { table = "{stem}-curve.csv" }']
    if dead:
        notes.append(f"units left out whose output hardly moves: {[k + 1 for k in dead]}")
    tables = {"neurons": _make_spreads(constants, errors, columns.units["input"])} if len(kept) > 2 else {}
    if not tables:
        notes.append("three units or more tell spreads; these are fewer")
    names = ",".join(f"{x}_V" if columns.units[key] else x for x, key in (("u", "input"), ("a", "output")))
    told = f"{sum(map(len, kept))} points of {len(kept)} units, inputs {u.min():.3g} to {u.max():.3g}"
    return FitResult("Transfer curves", tables, told, notes=notes, curves={"curve": (names, table.T)})


def _fit_table(u: Array, a: Array, units: list[NDArray[np.int64]], constants: Array) -> Array:
    """Return inputs and outputs of the mean unit, (2, points): increasing, and never falling."""
    x = np.concatenate([s * (u[k] + o) for k, (_, s, o) in zip(units, constants, strict=True)])
    y = np.concatenate([a[k] / g for k, (g, _, _) in zip(units, constants, strict=True)])
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    risen = optimize.isotonic_regression(y).x
    parts = np.array_split(np.arange(len(x)), min(_POINTS, len(np.unique(x))))
    nodes = np.array([x[part].mean() for part in parts])
    values = np.array([risen[part].mean() for part in parts])
    keep = np.concatenate([[True], np.diff(nodes) > 1e-9 * np.ptp(nodes)])
    return np.array([nodes[keep], np.maximum.accumulate(values[keep])])


def _fit_unit(table: Array, u: Array, a: Array) -> tuple[Array, Array]:
    """Return gain, slope and offset of one unit, and their standard errors."""
    reach = float(np.ptp(table[0]))

    def miss(p: Array) -> Array:
        x = p[1] * (u + p[2])
        inside = (x >= table[0, 0]) & (x <= table[0, -1])  # beyond the table nothing is known
        return np.where(inside, p[0] * np.interp(x, *table) - a, 0.0)

    ends = ([0.1, 0.1, -0.5 * reach], [10.0, 10.0, 0.5 * reach])
    found = optimize.least_squares(miss, [1.0, 1.0, 0.0], bounds=ends, x_scale=[1.0, 1.0, 0.1 * reach], diff_step=1e-3)
    covariance = np.linalg.pinv(found.jac.T @ found.jac) * 2.0 * found.cost / max(1, len(u) - 3)
    return found.x, np.sqrt(np.diag(covariance))


def _make_spreads(constants: Array, errors: Array, unit: str) -> dict[str, FittedValue]:
    """Return spreads between units, less what the errors of single units make of them."""
    count, found = len(constants), dict[str, FittedValue]()
    for k, key in enumerate(("gain_sigma", "slope_sigma", "offset_sigma")):
        square, noise = float(constants[:, k].var(ddof=1)), float(np.mean(errors[:, k] ** 2))
        # The sum of squares of normal constants is a chi-square.
        ends = square * (count - 1) / stats.chi2.ppf([0.95, 0.05], count - 1)
        spread, low, high = np.sqrt(np.maximum([square - noise, *(ends - noise)], 0.0)).tolist()
        one = make_value(spread, (unit or "state") if k == 2 else "1", (low, high), count)
        found[key] = one._replace(value=f"{one.value:.6g} V") if unit and k == 2 else one
    return found
