"""One gain for every row and one offset for every unit, by which a chip follows the weights that it was given.

At rest the activity of a unit tells its net drive (`learning.identification.reads`). On a chip that was asked for
weights `W` and biases `b` this is, as far as rows are alike,

    ``h_i = sum_c (1 + g_ic) sum_j W_ij a_j + b_i + d_i``

with a sum over the connections `c` into the unit: a linear regression of ``h_i - sum_j W_ij a_j - b_i`` on the drives
by connection and a constant, with gains that are expected to be small (ridge regression, A. E. Hoerl & R. W. Kennard,
Technometrics 12, 1970). What is asked for next is ``W_ij / (1 + g_ic)`` and ``b_i - d_i``. Gains of paths and
offsets of units vanish; of independent errors of cells only what is common to a row, as their sum at mean activities.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..identification.reads import DenseWiring, DriveCurve, FreeReads, UnitRows, join_row_weights, make_unit_rows

Array = NDArray[np.float64]
Blocks = Mapping[str, Array]

LARGEST = 0.5
"""Gains beyond this are no trims: the row stays as it is."""

EXPECTED = 0.1
"""Standard deviation of the gains of rows, as far as nothing is measured of them."""

_SPARE = 4
"""Samples that a unit must have beyond the numbers it is told by."""

_RANK = 1e-6
"""Share of a drive that must not be a sum of the others."""


class RowTrims(NamedTuple):
    """Errors of rows, as they were measured."""

    gains: dict[str, Array]
    """By block such as ``weight/in-l1``, (post,): `g`, 0 for a good row."""

    offsets: dict[str, Array]
    """By block such as ``bias/l1``, (units,): `d`."""

    untold: int
    """Units that have too few samples, or errors beyond any trim: they stay as they are."""


def measure_row_trims(wiring: DenseWiring, reads: FreeReads, curve: DriveCurve, asked: Blocks) -> RowTrims:
    """Return the errors of the rows of a chip from free states.

    Parameters
    ----------
    wiring : DenseWiring
        Of the chip.
    reads : FreeReads
        Free states of different samples.
    curve : DriveCurve
        From activities to drives, as designed.
    asked : mapping of block name to array
        What was asked of the cells.
    """
    gains, offsets, untold = dict[str, Array](), dict[str, Array](), 0
    for rows in make_unit_rows(wiring, reads.activity, curve):
        weights = join_row_weights(rows, asked)
        parts = [rows.regressors[:, columns] @ weights[columns] for columns in rows.blocks.values()]
        found = np.array([_regress_unit(rows, parts, weights, k) for k in range(rows.drive.shape[1])])
        untold += int(np.isnan(found[:, 0]).sum())
        found = np.nan_to_num(found)
        gains |= {name: found[:, k] for k, name in enumerate(rows.blocks)}
        offsets[f"bias/{rows.layer}"] = found[:, -1]
    return RowTrims(gains, offsets, untold)


def _regress_unit(rows: UnitRows, parts: list[Array], weights: Array, unit: int) -> Array:
    """Return the gains of the rows of a unit and its offset, the smallest that explain its drives; NaN: not told."""
    told = rows.told[:, unit]
    drives = np.stack([*(part[told, unit] for part in parts), np.ones(np.count_nonzero(told))], axis=1)
    nothing = np.full(drives.shape[1], np.nan)
    if len(drives) < drives.shape[1] + _SPARE:
        return nothing
    missing = rows.drive[told, unit] - rows.regressors[told] @ weights[:, unit]
    found = np.linalg.lstsq(drives, missing, rcond=_RANK)[0]
    rest = float(np.sum((missing - drives @ found) ** 2)) / (len(drives) - drives.shape[1])
    # A gain that is not told better than it is expected is drawn to 0: its row hardly drives the unit.
    expected = np.diag([*[np.sqrt(rest) / EXPECTED] * (drives.shape[1] - 1), 0.0])
    padded = np.concatenate([missing, np.zeros(drives.shape[1])])
    found = np.linalg.lstsq(np.concatenate([drives, expected]), padded, rcond=_RANK)[0]
    return np.asarray(found) if np.abs(found[:-1]).max(initial=0.0) <= LARGEST else nothing


def add_row_errors(asked: Blocks, trims: RowTrims) -> dict[str, Array]:
    """Return what rows with these errors make of what is asked of them; other blocks as they were."""
    made = {name: asked[name] * (1.0 + gain) for name, gain in trims.gains.items()}
    return dict(asked) | made | {name: asked[name] + offset for name, offset in trims.offsets.items()}


def remove_row_errors(wanted: Blocks, trims: RowTrims) -> dict[str, Array]:
    """Return what to ask of rows with these errors, so that they do what is wanted; other blocks as they were."""
    asked = {name: wanted[name] / (1.0 + gain) for name, gain in trims.gains.items()}
    return dict(wanted) | asked | {name: wanted[name] - offset for name, offset in trims.offsets.items()}
