"""What the spreads of a chip do to the equations of its units.

Unit `i` has the curve ``a = g_i rho(s_i u)`` and an offset `o_i`, cells ``W_ij = w_ij (1 + xi_ij)``, and is read as
``c_i a_i + d_i`` with noise. To first order in these, with the drive `h` and its slope `h'` by the activity read,

    h_i - sum_j w_ij a_j - b_i = sum_j w_ij xi_ij a_j + o_i + p (s_i - 1) h_i + (g_i - 1) (a_i h'_i + q h_i)
        + (c_i - 1) a_i h'_i + d_i h'_i - sum_j w_ij ((c_j - 1) a_j + d_j) + noise

where `p`, `q` are `DriveCurve.powers`. Cells scatter by themselves, a slope is common to a row, and a converter
to a row and a column: that tells them apart. Exactly the same reads come, whatever the curve, of

    a row:      s_i -> v s_i,   (W_ij, b_i, o_i) -> (W_ij, b_i, o_i)/v^p
    a column:   c_j -> v c_j,   g_j -> g_j/v,   W_ij -> v W_ij,   W_ji -> v^q W_ji, b_j -> v^q b_j, o_j -> v^q o_j

so of one unit these are never known apart from what all cells of its row or column have in common; of independent
cells that is their spread over the root of their number, and the *spreads* of slopes, gains and converters follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .components import Equations
from .reads import DenseWiring, DriveCurve, UnitFactors, UnitRows, join_row_weights, make_unit_rows

Array = NDArray[np.float64]

CELLS = ("forward", "feedback")
UNITS = ("slope", "gain", "converter_gain", "converter_offset")
COMPONENTS = (*CELLS, "offset", "read", *UNITS)
"""Spreads of forward cells, feedback cells and offsets, noise of a read, spreads of slopes and gains of units, and of
gains and offsets of the converters behind them."""


class KnownNetwork(NamedTuple):
    """What is known of a chip by design."""

    wiring: DenseWiring
    curve: DriveCurve
    programmed: Mapping[str, Array]
    """Weights (pre, post) and biases by block."""

    law: Literal["relative", "additive"]
    """Whether the error of a cell is in proportion to its weight."""

    shared: bool
    """Whether one cell stands for both directions; then its spread is that of forward cells."""

    coupled: bool
    """Whether spreads of converters, which couple the equations of units, are looked for."""


class LayerEquations(NamedTuple):
    """The equations of a layer."""

    rows: UnitRows
    units: slice
    """Among all that are read."""

    weights: Array
    """(fan-in + 1, units)."""


class UnitEquations(NamedTuple):
    """The equations of all units that are read, around constants that they may have."""

    equations: Equations
    features: dict[str, Array]
    """What a constant of 1 does to the own equations of its unit, (units, samples), of slopes and gains."""

    layers: list[LayerEquations]

    def keep(self, told: NDArray[np.bool_]) -> UnitEquations:
        """Return the equations as far as they are among `told` (units, samples)."""
        which = told & self.equations.told
        pairs, one = which[:, :, None] & which[:, None, :], self.equations
        equations = Equations(
            np.where(which, one.residual, 0.0),
            which,
            _keep_some({name: np.where(pairs, part, 0.0) for name, part in one.own.items()}),
            _keep_some({name: np.where(which[:, :, None], part, 0.0) for name, part in one.shared.items()}),
        )
        features = {name: np.where(which, part, 0.0) for name, part in self.features.items()}
        return UnitEquations(equations, features, self.layers)


def _keep_some(parts: dict[str, Array]) -> dict[str, Array]:
    """Return the components that act at all."""
    return {name: part for name, part in parts.items() if part.any()}


def list_unit_places(wiring: DenseWiring, activity: Mapping[str, Array]) -> dict[str, slice]:
    """Return where the units of every layer stand among all that are read."""
    layers = wiring.layers
    names = [name for name in list(layers)[1:] if name in activity]
    ends = np.cumsum([0, *(layers[name] for name in names)]).tolist()
    return {name: slice(*ends[k : k + 2]) for k, name in enumerate(names)}


def make_unit_equations(
    network: KnownNetwork, activity: Mapping[str, Array], constants: Mapping[str, Array]
) -> UnitEquations:
    """Return the equations to first order around constants of the units.

    Parameters
    ----------
    network : KnownNetwork
        By design.
    activity : mapping of layer to array (samples, units)
        Free states as they were read, the input included.
    constants : mapping of component to array (units,)
        ``s - 1``, ``g - 1``, ``c - 1`` and `d` of all units read; 0 at first, then the most likely ones.
    """
    places = list_unit_places(network.wiring, activity)
    scale, zero = 1.0 + constants["converter_gain"], constants["converter_offset"]
    real = {n: (a - zero[places[n]]) / scale[places[n]] if n in places else a for n, a in activity.items()}
    factors = {
        name: UnitFactors(1.0 + constants["slope"][units], 1.0 + constants["gain"][units])
        for name, units in places.items()
    }
    layers = [
        LayerEquations(rows, places[rows.layer], join_row_weights(rows, network.programmed))
        for rows in make_unit_rows(network.wiring, real, network.curve, factors)
    ]
    count, samples = len(scale), len(next(iter(activity.values())))
    told, residual = np.zeros((count, samples), dtype=bool), np.zeros((count, samples))
    own = {name: np.zeros((count, samples, samples)) for name in (*CELLS, "offset", "read")}
    features = {name: np.zeros((count, samples)) for name in UNITS}
    for one in layers:
        told[one.units] = one.rows.told.T
        residual[one.units] = (one.rows.drive - one.rows.regressors @ one.weights).T
        for name, part in _make_own_parts(network, one):
            own[name][one.units] += part
        for name, part in _make_features(network, one, real, factors):
            features[name][one.units] = part / (scale[one.units, None] if name == "converter_gain" else 1.0)
    shared = _make_shared_parts(network, layers, features, real, scale) if network.coupled else {}
    # What is subtracted is what the residual holds of the constants it was taken at.
    residual += sum(features[name] * constants[name][:, None] for name in ("slope", "gain"))
    residual += sum(part @ constants[name] for name, part in shared.items())
    own |= {name: features[name][:, :, None] * features[name][:, None, :] for name in ("slope", "gain")}
    found = UnitEquations(Equations(residual, told, own, shared), {k: features[k] for k in ("slope", "gain")}, layers)
    return found.keep(told)


def size_cells(network: KnownNetwork, weights: Array) -> Array:
    """Return the variance of cells for a spread of 1."""
    return weights**2 if network.law == "relative" else np.ones_like(weights)


def _make_own_parts(network: KnownNetwork, one: LayerEquations) -> Iterator[tuple[str, Array]]:
    """Yield covariances that no other unit shares, (units, samples, samples)."""
    rows = one.rows
    for name, columns in rows.blocks.items():
        back = network.wiring.is_feedback(*name.removeprefix("weight/").split("-")) and not network.shared
        seen, size = rows.regressors[:, columns], size_cells(network, one.weights[columns])
        yield CELLS[back], np.stack([(seen * part) @ seen.T for part in size.T])
    samples = len(rows.regressors)
    yield "offset", np.ones((one.weights.shape[1], samples, samples))
    yield "read", rows.count_noise(one.weights).T[:, :, None] * np.eye(samples)


def _make_features(
    network: KnownNetwork, one: LayerEquations, real: Mapping[str, Array], factors: Mapping[str, UnitFactors]
) -> Iterator[tuple[str, Array]]:
    """Yield what constants of units do to their own equations, (units, samples)."""
    rows, (slope, gain) = one.rows, factors[one.rows.layer]
    reach = (real[rows.layer] * rows.sensitivity).T
    by_slope, by_gain = network.curve.powers
    yield "slope", by_slope * rows.drive.T / slope[:, None]
    yield "gain", (reach + by_gain * rows.drive.T) / gain[:, None]
    yield "converter_gain", reach
    yield "converter_offset", rows.sensitivity.T


def _make_shared_parts(
    network: KnownNetwork,
    layers: list[LayerEquations],
    features: Mapping[str, Array],
    real: Mapping[str, Array],
    scale: Array,
) -> dict[str, Array]:
    """Return what the converter of every unit does to the equations of all, (units, samples, units)."""
    count, samples = features["gain"].shape
    found = {name: np.zeros((count, samples, count)) for name in UNITS[2:]}
    places = list_unit_places(network.wiring, real)
    for one in layers:
        for block, columns in one.rows.blocks.items():
            pre = block.removeprefix("weight/").split("-")[0]
            if pre in places:
                felt = (one.weights[columns] / scale[places[pre], None]).T[:, None, :]
                found["converter_gain"][one.units, :, places[pre]] -= felt * real[pre]
                found["converter_offset"][one.units, :, places[pre]] -= felt
    every = np.arange(count)
    for name, part in found.items():
        part[every, :, every] += features[name] / (scale[:, None] if name == "converter_offset" else 1.0)
    return found
