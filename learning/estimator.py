"""The estimate as an experiment: settle freely, nudge, settle, read, weigh.

Nothing here knows a weight, a device or a Jacobian; whatever works here works on a real chip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.protocol import Bench, Nudge, SettlingBench, SettlingResult, State

from .draws import draw_sample_signs
from .schemes.nodes import RandomSign
from .schemes.scheme import QuasiStaticSwing, Scheme, Swing, unfold_mirrored_nodes

Array = NDArray[np.float64]


class FreeReading(NamedTuple):
    """What was read in the free phase."""

    activity: dict[str, Array]
    """Per layer (batch, unit), the clamped input included."""

    settled: SettlingResult

    ids: NDArray[np.int64] | None = None
    """Which samples these are, (batch,); absent: in order."""

    epoch: int = 0
    """How often they have been presented before."""


class NudgeReading(NamedTuple):
    """Activities at one nudge, and their part in the estimate."""

    weight: complex | State
    """Weight c; per sample (batch, 1) where signs are drawn."""

    share: float
    """Part in the phase mean."""

    mirrored: bool
    """Stands also for its conjugate."""

    activity: Mapping[str, State]
    """Per layer (batch, unit), the clamped input included."""

    settled: SettlingResult | None
    """How the nudged settling ended; None where there was none."""

    def both(self, values: State) -> Array:
        """Return the real part of a contribution, with that of its conjugate if it is mirrored."""
        return np.asarray((1.0 + self.mirrored) * np.real(values))


class Estimate(NamedTuple):
    """An estimate of the error vectors ``dL/d drive``."""

    delta: dict[str, Array]
    """Per unclamped layer (batch, unit)."""

    presynaptic: dict[str, Array]
    """Presynaptic factor per layer (batch, unit), the clamped input included."""

    status: NDArray[np.int64]
    """Worst `Status` over all settlings of the sample, (batch,)."""

    steps: NDArray[np.int64]
    """Steps over all nudged settlings of the sample, (batch,)."""

    @property
    def flat(self) -> Array:
        """Error vectors of all layers side by side, (batch, units)."""
        return np.concatenate(list(self.delta.values()), axis=1)


def measure_free(
    bench: SettlingBench,
    x: Array,
    ids: NDArray[np.int64] | None = None,
    epoch: int = 0,
    waits: bool = True,
    purpose: str = "",
) -> FreeReading:
    """Clamp the inputs `x` (batch, inputs), let the chip settle freely and read it.

    `ids` (batch,), `epoch` and `purpose` say which presentation of which sample this is (absent: in order, the
    first, to be learned from); `waits`: nudged reads follow, for which this one is held.
    """
    bench.set_input(x, ids, epoch, purpose)
    settled = bench.settle()
    return FreeReading({name: np.real(a) for name, a in bench.read(waits).items()}, settled, ids, epoch)


def iterate_readings(
    bench: Bench, free: FreeReading, target: Array, scheme: Scheme | QuasiStaticSwing, mirror: bool = True
) -> Iterator[NudgeReading]:
    """Nudge, settle and read as `scheme` says, one reading after the other; parameters as in `estimate`."""
    if isinstance(scheme, Swing):
        return _read_over_cycle(bench, target, scheme)
    return _read_at_nodes(bench, free, target, scheme, mirror)


def estimate_error_vectors(
    bench: Bench,
    free: FreeReading,
    target: Array,
    scheme: Scheme | QuasiStaticSwing,
    presynaptic: Literal["mean", "free"] = "mean",
    mirror: bool = True,
) -> Estimate:
    """Estimate the error vectors of the batch that is clamped now.

    ``delta = -sum_k c_k a*(beta_k)`` over the readings of `scheme`; a mirrored node stands for itself
    and its conjugate, whose state is the conjugate state.

    Parameters
    ----------
    bench : Bench
        Chip, clamped by `measure_free`.
    free : Free
        Its free phase; the node at zero uses it.
    target : array (batch, classes) or (batch, outputs)
        Targets of the cost.
    scheme : Scheme or Slow
        Nudges and weights.
    presynaptic : {"mean", "free"}
        Factor of the weight gradients: mean over the nodes (or the read cycle), or the free activity.
    mirror : bool
        Whether a settling may stand for its conjugate; else both are settled.

    Raises
    ------
    ValueError
        If the chip reads too few points of a cycle for the scheme.
    """
    return combine_readings(bench, free, iterate_readings(bench, free, target, scheme, mirror), presynaptic)


def combine_readings(
    bench: Bench, free: FreeReading, taken: Iterable[NudgeReading], presynaptic: Literal["mean", "free"] = "mean"
) -> Estimate:
    """Return the estimate that some readings make.

    Parameters
    ----------
    bench : Bench
        Chip they were taken from.
    free : Free
        Its free phase.
    taken : iterable of Reading
        All readings of one scheme.
    presynaptic : {"mean", "free"}
        Factor of the weight gradients, as in `estimate`; that of a clamped layer is known.
    """
    fed = {post for _, post in bench.connections}
    total = {name: np.zeros_like(a) for name, a in free.activity.items() if name in fed}
    mean = {name: np.zeros_like(a) for name, a in total.items()}
    status, steps = free.settled.status, np.zeros_like(free.settled.steps)
    for reading in taken:
        if reading.settled is not None:
            status = np.maximum(status, reading.settled.status)
            steps = steps + reading.settled.steps
        for name in total:
            a = reading.activity[name]
            total[name] -= reading.both(reading.weight * a)
            mean[name] += reading.both(reading.share * a)
    return Estimate(
        delta=total,
        presynaptic=free.activity if presynaptic == "free" else free.activity | mean,
        status=status,
        steps=steps,
    )


def _read_at_nodes(
    bench: Bench, free: FreeReading, target: Array, scheme: Scheme | QuasiStaticSwing, mirror: bool
) -> Iterator[NudgeReading]:
    """Settle at every node but the free one, each from the free state; all reads but the last wait for it."""
    nodes = scheme.nodes() if mirror else unfold_mirrored_nodes(scheme.nodes())
    share = 1.0 / sum(1 + node.mirrored for node in nodes)
    signs = _draw_scheme_signs(free, scheme)
    last = max(k for k, node in enumerate(nodes) if node.beta != 0.0)
    for k, node in enumerate(nodes):
        settled: SettlingResult | None = None
        activity: Mapping[str, State] = free.activity
        if node.beta != 0.0:
            settled = bench.settle(Nudge(node.beta, target, signs), start="free")
            activity = bench.read(waits=k != last)
        weight: complex | State = node.weight if signs is None else node.weight * signs[:, None]
        yield NudgeReading(weight, share, node.mirrored, activity, settled)


def _read_over_cycle(bench: Bench, target: Array, scheme: Swing) -> Iterator[NudgeReading]:
    """Let the nudge swing, from the free state on, and weigh every point of its last cycle."""
    settled: SettlingResult | None = bench.settle(Nudge(scheme.beta, target, wave=scheme.wave()), start="free")
    cycle = bench.read_cycle()
    points = len(next(iter(cycle.values())))
    for k, node in enumerate(scheme.cycle(points)):
        yield NudgeReading(node.weight, 1.0 / points, False, {name: a[k] for name, a in cycle.items()}, settled)
        settled = None


def _draw_scheme_signs(free: FreeReading, scheme: Scheme | QuasiStaticSwing) -> Array | None:
    if not isinstance(scheme, RandomSign):
        return None
    ids = np.arange(len(free.settled.status)) if free.ids is None else free.ids
    return draw_sample_signs(scheme.seed, ids, free.epoch)
