"""Currents against voltages of devices: a conductance, and how far it is from one.

``I = G V + g_3 V^3`` or ``I = G V_0 sinh(V/V_0)``, by least squares; the conductance of every device by itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from learning.identification.spreads import make_spread

from .columns import Column, Columns, group_devices
from .fitted import FitError, FitResult, FittedValue, estimate_interval, make_value

Array = NDArray[np.float64]

COLUMNS = (
    Column("voltage", ("volts", "bias"), unit="V"),
    Column("current", ("amperes", "i_a"), unit="A"),
    Column("device", ("cell",), needed=False),
)

_LAWS: dict[str, Callable[[Array, float, float], Array]] = {
    "linear": lambda v, g, _: g * v,
    "cubic": lambda v, g, bend: g * (v + bend * v**3),
    "sinh": lambda v, g, bend: g * np.sinh(np.sqrt(6.0 * bend) * v) / np.sqrt(6.0 * bend) if bend > 1e-12 else g * v,
}
"""Current by voltage, conductance and ``g_3/G``, 1/V^2; a sinh has the same cubic term, ``1/(6 V_0^2)``."""


def fit_current_voltage(columns: Columns) -> FitResult:
    """Return conductance, its spread, and the law of the current.

    Raises
    ------
    FitError
        If voltages do not vary or the current does not grow with them.
    """
    name, v, i = columns.path.name, columns.values["voltage"], columns.values["current"]
    devices = group_devices(columns)
    if np.ptp(v) == 0.0 or any(np.ptp(v[lines]) == 0.0 for lines in devices):
        raise FitError(f"{name}: the voltage of a device does not vary; sweep it")
    slopes = np.array([float(v[k] @ i[k] / (v[k] @ v[k])) for k in devices])
    if not (slopes > 0.0).all():
        raise FitError(
            f"{name}: the current of device {int(np.argmin(slopes)) + 1} does not grow with its voltage; check signs"
        )
    stuck = np.abs(np.log(slopes / np.median(slopes))) > np.log(100.0)
    kept = [lines for lines, bad in zip(devices, stuck, strict=True) if not bad]
    scale = np.concatenate([np.full(len(lines), slopes[k]) for k, lines in enumerate(devices) if not stuck[k]])
    lines = np.concatenate(kept)
    fits = {law: _fit_law(law, v[lines], i[lines] / scale) for law in _LAWS}
    worth = {
        law: len(lines) * np.log(loss + 1e-300) + 2.0 * (1 + (law != "linear")) for law, (_, _, loss) in fits.items()
    }
    law = min(worth, key=lambda one: worth[one])
    (g, bend), errors, _ = fits[law]
    found = np.array([_fit_conductance(law, bend, v[k], i[k]) for k in kept])
    facts = _list_facts(law, found, bend, float(errors[1]), len(lines))
    tables = {"iv": facts} | ({"weights": _make_spread(found)} if len(found) >= 3 else {})
    worst = float(np.abs(v[lines]).max())
    share = 1.0 - g * worst / float(_LAWS[law](np.array([worst]), g, bend)[0])
    notes = [f"at {worst:.3g} V {100 * share:.3g} % of the current is not linear; cells of rate networks are linear"]
    if stuck.any():
        notes.append(f"devices left out whose conductance is 100 times off: {(np.flatnonzero(stuck) + 1).tolist()}")
    told = f"{len(lines)} points of {len(kept)} devices, up to {worst:.3g} V"
    order = sorted(((one, float(value - worth[law])) for one, value in worth.items()), key=lambda pair: pair[1])
    return FitResult(f"Current against voltage: {law}", tables, told, order, notes)


def _fit_law(law: str, v: Array, i: Array) -> tuple[Array, Array, float]:
    """Return conductance and bend, their standard errors, and the sum of squares."""
    top, curve = float(np.abs(v).max()), _LAWS[law]
    start, ends = (
        np.array([1.0, 0.01 / top**2]),
        ([0.0, -10.0 / top**2 if law == "cubic" else 0.0], [100.0, 100.0 / top**2]),
    )
    if law == "linear":
        start[1] = 0.0
        ends = ([0.0, -1e-300], [100.0, 1e-300])
    found = optimize.least_squares(lambda p: curve(v, p[0], p[1]) - i, start, bounds=ends, x_scale=[1.0, 1.0 / top**2])
    loss = float(2.0 * found.cost)
    covariance = np.linalg.pinv(found.jac.T @ found.jac) * loss / max(1, len(v) - 2)
    return found.x, np.sqrt(np.diag(covariance)), loss


def _fit_conductance(law: str, bend: float, v: Array, i: Array) -> tuple[float, float]:
    """Return the conductance of one device and its standard error."""
    shape = _LAWS[law](v, 1.0, bend)
    g = float(shape @ i / (shape @ shape))
    left = i - g * shape
    return g, float(np.sqrt(left @ left / max(1, len(v) - 1) / (shape @ shape)))


def _list_facts(law: str, found: Array, bend: float, error: float, count: int) -> dict[str, FittedValue]:
    mean = float(found[:, 0].mean())
    spread = float(found[:, 0].std(ddof=1)) if len(found) > 1 else float(found[0, 1])
    facts = {"law": FittedValue(law)}
    facts["conductance"] = make_value(mean, "S", estimate_interval(mean, spread / np.sqrt(len(found))), count)
    if law == "cubic":
        facts["cubic"] = make_value(bend, "1/V^2", estimate_interval(bend, error), count)
    if law == "sinh":
        scale, width = 1.0 / np.sqrt(6.0 * bend), 0.5 * error / bend / np.sqrt(6.0 * bend)
        facts["scale"] = make_value(float(scale), "V", estimate_interval(float(scale), float(width)), count)
    return facts


def _make_spread(found: Array) -> dict[str, FittedValue]:
    """Return the relative spread of the conductances of devices, less what their errors make of it."""
    mean, freedoms = found[:, 0].mean(), len(found) - 1
    variance = max(float(found[:, 0].var(ddof=1) - np.mean(found[:, 1] ** 2)), 0.0) / mean**2
    spread = make_spread(variance, float(found[:, 0].var(ddof=1) / mean**2 * np.sqrt(2.0 / freedoms)))
    return {
        "mismatch": FittedValue("relative"),
        "mismatch_sigma": make_value(spread.value, "1", (spread.low, spread.high), len(found)),
    }
