"""Free states of a chip as rows of linear equations, one for every unit and sample.

At rest the net drive of a unit follows from its own activity alone, and it is a sum over the activities that it sees:

    additive law:  rho^-1(a_i)            = sum_j W_ij a_j + b_i + offset_i
    hopfield law:  u_i / rho'(u_i)        = sum_j W_ij a_j + b_i + offset_i,   u_i = rho^-1(a_i)

The inputs are known, activities are read with noise of standard deviation `sigma`, and so both sides of a row have it.
Units near the ends of their range tell nothing: there the slope of the curve is small, and its inverse steep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from substrate.protocol import SettlingBench, has_settled

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


class DriveCurve(Protocol):
    """The curve that all units share by design, from an activity at rest back to the net drive."""

    powers: tuple[int, int]
    """Powers of slope and gain of a unit that divide the drive, as far as they are no part of the activity."""

    def drive(self, activity: Array) -> Array:
        """Return the net drive at rest that makes these activities; units of the state."""
        ...

    def sensitivity(self, activity: Array) -> Array:
        """Return the derivative of the drive with respect to the activity."""
        ...

    def informative(self, activity: Array) -> Flags:
        """Tell which activities lie so far from the ends of the range that they tell the drive."""
        ...


class DenseWiring(NamedTuple):
    """What is public of a network of dense connections."""

    layers: Mapping[str, int]
    """Units of every layer, the clamped input first."""

    connections: Sequence[tuple[str, str]]
    """(pre, post) of every connection."""

    def is_feedback(self, pre: str, post: str) -> bool:
        """Tell whether the pre layer comes after the post layer."""
        order = list(self.layers)
        return order.index(pre) > order.index(post)


def get_wiring(bench: SettlingBench) -> DenseWiring:
    """Return the wiring of a chip.

    Raises
    ------
    ValueError
        If a connection is not dense: its weights are no rows of a matrix.
    """
    layers, connections = dict(bench.layers), list(getattr(bench, "connections", ()))
    for pre, post in connections:
        shape = getattr(bench, "shapes", {}).get(f"weight/{pre}-{post}", (layers[pre], layers[post]))
        if tuple(shape) != (layers[pre], layers[post]):
            raise ValueError(f"{pre}-{post} is no dense connection: only weights that are rows of a matrix are found")
    return DenseWiring(layers, connections)


class FreeReads(NamedTuple):
    """Activities of settled free states."""

    activity: dict[str, Array]
    """Per layer (samples, units), the clamped input included."""

    unsettled: int
    """Samples that were left out because they did not settle."""


def read_free_states(bench: SettlingBench, inputs: Array, by_clock: bool = False) -> FreeReads:
    """Clamp some inputs, let the chip settle freely, read it once, and keep what has settled.

    Parameters
    ----------
    bench : SettlingBench
        The chip.
    inputs : array (samples, inputs)
        They should differ from each other in many ways: what they share tells as much as one of them.
    by_clock : bool
        Whether the clock ends the settling, see `substrate.protocol.has_settled`.
    """
    bench.set_input(inputs)
    settled = has_settled(bench.settle().status, by_clock)
    read = {name: np.real(a)[settled] for name, a in bench.read().items()}
    return FreeReads(read, int(np.count_nonzero(~settled)))


class UnitFactors(NamedTuple):
    """Constants by which the curves of the units of one layer, ``a = g rho(s u)``, differ from the design."""

    slope: Array
    """`s`, (units,)."""

    gain: Array
    """`g`, (units,)."""


_ONES = UnitFactors(np.ones(()), np.ones(()))
_AS_DESIGNED: Mapping[str, UnitFactors] = MappingProxyType({})


class UnitRows(NamedTuple):
    """The equations of the units of one layer: ``drive[k, i] = sum_p regressors[k, p] W[p, i]``."""

    layer: str

    blocks: dict[str, slice]
    """Which regressors belong to a block of weights; the last one of all is the constant of the bias."""

    regressors: Array
    """Activities that the units see, and 1 behind them, (samples, fan-in + 1)."""

    read: Flags
    """Which regressors are read with noise, not known, (fan-in + 1,)."""

    drive: Array
    """(samples, units); 0 where it is not told."""

    sensitivity: Array
    """Of the drive to the own activity, (samples, units); 0 where it is not told."""

    told: Flags
    """Which activities tell the drive, (samples, units)."""

    def count_noise(self, weights: Array) -> Array:
        """Return the variance of every row for reads of variance 1, (samples, units): ``(dh/da)^2 + sum_j W_ij^2``.

        Parameters
        ----------
        weights : array (fan-in + 1, units)
            Roughly.
        """
        return np.asarray(self.sensitivity**2 + np.sum(weights[self.read] ** 2, axis=0))


def make_unit_rows(
    wiring: DenseWiring,
    activity: Mapping[str, Array],
    curve: DriveCurve,
    factors: Mapping[str, UnitFactors] = _AS_DESIGNED,
) -> Iterator[UnitRows]:
    """Yield the equations of every layer that is read, and so are all that feed it.

    Parameters
    ----------
    wiring : DenseWiring
        Layers and connections.
    activity : mapping of layer to array (samples, units)
        Free states as they were read, the input included.
    curve : DriveCurve
        From activities to drives.
    factors : mapping of layer to UnitFactors, optional
        Of the units, as far as they are known; absent: 1.
    """
    first = next(iter(wiring.layers))
    for layer in list(wiring.layers)[1:]:
        sources = [pre for pre, post in wiring.connections if post == layer]
        if not sources or not {layer, *sources} <= activity.keys():
            continue
        sizes = [wiring.layers[pre] for pre in sources]
        ends = np.cumsum([0, *sizes]).tolist()
        blocks = {f"weight/{pre}-{layer}": slice(*ends[k : k + 2]) for k, pre in enumerate(sources)}
        seen = [activity[pre] for pre in sources]
        noisy = [np.full(size, pre != first) for pre, size in zip(sources, sizes, strict=True)]
        slope, gain = factors.get(layer, _ONES)
        own, size = activity[layer] / gain, slope ** curve.powers[0] * gain ** curve.powers[1]
        told = curve.informative(own)
        with np.errstate(all="ignore"):  # beyond the range of the curve, where nothing is told
            drive, sensitivity = (
                np.where(told, curve.drive(own) / size, 0.0),
                np.where(told, curve.sensitivity(own) / (gain * size), 0.0),
            )
        regressors = np.concatenate([*seen, np.ones((len(own), 1))], axis=1)
        yield UnitRows(layer, blocks, regressors, np.concatenate([*noisy, [False]]), drive, sensitivity, told)


def join_row_weights(rows: UnitRows, blocks: Mapping[str, Array]) -> Array:
    """Return the weights of the rows of a layer and its bias below them, (fan-in + 1, units); absent blocks are 0."""
    units = rows.drive.shape[1]
    found = np.zeros((rows.regressors.shape[1], units))
    for name, columns in rows.blocks.items():
        found[columns] = blocks.get(name, 0.0)
    found[-1] = blocks.get(f"bias/{rows.layer}", 0.0)
    return found


def split_row_weights(rows: UnitRows, weights: Array) -> dict[str, Array]:
    """Return the blocks (pre, post) that the rows of a layer hold, and its bias (units,)."""
    found = {name: weights[columns].copy() for name, columns in rows.blocks.items()}
    return found | {f"bias/{rows.layer}": weights[-1].copy()}
