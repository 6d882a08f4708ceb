"""Jacobian homeostasis as a measurement: probes of the chip pull its two-way couplings together.

``L = 2 |A|^2`` with ``A = (W - W^T)/2`` has the gradient ``dL/dW = 4 A`` (A. Laborieux, F. Zenke, "Improving
equilibrium propagation without weight symmetry through Jacobian homeostasis", ICLR 2024; their code divides by the
number n of unclamped units, and so does the pull here). With random signs `eps` and ``v = W eps``,
``E[2 (v_i eps_j - eps_i v_j)] = 4 A_ij``: an answer correlated with the signs that were *put in*, and antisymmetrised.
Correlated with the response of the units in place of the signs it would not vanish at symmetry.

Nobody has to know a weight. What limits it is the gain of the probes: with unequal gains `g` of the reads, or of the
sources, it rests where ``g_i W_ij = g_j W_ji``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from devices.parameters import Level, Parameters
from substrate.protocol import Bench, Port, has_settled

from ..draws import draw_unit_signs
from ..training import Gradient, Rule, Samples

Array = NDArray[np.float64]
Ends = list[tuple[str, str]]
Layers = dict[str, Array]

_Size = Annotated[float, Field(gt=0.0, le=1e3)]


class Pull(Parameters):
    """What all kinds of Jacobian homeostasis have in common."""

    strength: Annotated[float, Field(gt=0.0, le=1e6)] = 1.0
    """Factor of ``L / n`` beside the cost of the task, n being the number of unclamped units; above 0."""

    connections: Literal["all", "reciprocal"] = "all"
    """`all`, as in the paper: a connection without its reverse is pulled to 0; `reciprocal`: pairs only."""

    needs: ClassVar[frozenset[Port]] = frozenset()
    """Ports of the bench that it needs."""

    def pulled(self, bench: Bench) -> Ends:
        """Return the (pre, post) connections that are pulled: between unclamped layers, and as `connections` says."""
        clamped = next(iter(bench.layers))
        free = [(pre, post) for pre, post in bench.connections if pre != clamped]
        return free if self.connections == "all" else [(pre, post) for pre, post in free if (post, pre) in free]


class Probing(Pull):
    """What both kinds that measure have in common."""

    draws: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Probes of every sample of a batch, each with both signs; 1 or more."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Seed of the probes, beside that of the scenario; 0 to 2^63 - 1."""


class OpenLoop(Probing):
    """Hold the outputs at ``a0 + size eps`` and ``a0 - size eps``, loop open, and read the drives: ``v = W eps``.

    Two reads per draw and no settling; the mean over the signs is exact, whatever the size and the sample. Under
    softmax pooling it is so to second order in the size, but for how kernels move their own pooling.
    """

    kind: Literal["open-loop"] = "open-loop"

    needs: ClassVar[frozenset[Port]] = frozenset({"drives"})

    size: Annotated[_Size, Level("activity_volts")] = 0.05
    """Offset of every output; units of the activity, or volts, above 0. Noise of a read enters as noise / size."""

    def pull(self, bench: Bench, samples: Samples) -> dict[str, Array]:
        """Return ``strength / n`` times the measured gradient, by block (pre, post), of a batch that has settled."""

        def answer(eps: Layers) -> Layers:
            ends = [bench.read_drives({name: sign * self.size * e for name, e in eps.items()}) for sign in (1.0, -1.0)]
            return {name: (ends[0][name] - ends[1][name]) / (2.0 * self.size) for name in eps}

        probes = _probe_with_signs(self, bench, samples, answer)
        return _scale_by_strength(self, bench, correlate_antisymmetrically(bench, self.pulled(bench), *probes))


class ClosedLoop(Probing):
    """Inject the drives ``size eps`` and ``-size eps``, let the chip settle, and read the response ``r = -J^-1 eps``.

    It needs nothing but the ports of equilibrium propagation, at every unit: two settlings and two reads per draw.
    With ``M = -J^-1``, ``J = W - K``, the mean of ``2 (r_i eps_j - eps_i r_j)`` is ``2 (M - M^T) = 4 M A M^T``, and
    ``M - M^T`` is what turns the exact error vector ``M^T e`` into that of equilibrium propagation, ``M e``: coupled
    units of small slope are pulled little, and matter little. It vanishes where `A` does, and lowers `L` wherever the
    symmetric part of `J` is definite; elsewhere (strong coupling or asymmetry, units of negative slope) it can stall.

    It is divided by the mean square of the response, so that units that all answer ``r = g eps`` are pulled with
    ``4 A`` whatever `g` is. The mean response of every unit to its own sign is taken off before, as mere noise.
    Every sample is probed at its own free state.
    """

    kind: Literal["closed-loop"] = "closed-loop"

    needs: ClassVar[frozenset[Port]] = frozenset({"injected"})

    size: Annotated[_Size, Level("volt_scale")] = 0.05
    """Drive of every unit; units of the state, or volts, above 0. The error of a finite size falls as its square."""

    def pull(self, bench: Bench, samples: Samples) -> dict[str, Array]:
        """Return ``strength / n`` times the measured pull, by block (pre, post); probes that cycled are left out."""

        def answer(eps: Layers) -> Layers:
            ends, rested = [], np.ones(len(samples.x), dtype=np.bool_)
            for sign in (1.0, -1.0):
                settled = bench.settle_injected({name: sign * self.size * e for name, e in eps.items()})
                # One that cycles has no response to a drive; one that is late has most of it.
                rested &= has_settled(settled.status, by_clock=True)
                ends.append(bench.read(waits=sign > 0.0))
            # Left out before the difference: that of two infinite readings is not defined.
            up, down = ({name: np.where(rested[:, None], np.real(end[name]), np.nan) for name in eps} for end in ends)
            return {name: (up[name] - down[name]) / (2.0 * self.size) for name in eps}

        eps, r, rows = _drop_nonfinite_rows(_probe_with_signs(self, bench, samples, answer))
        rest = {name: r[name] - eps[name] * np.mean(eps[name] * r[name], axis=0) for name in eps}
        square = float(np.mean(np.concatenate(list(r.values()), axis=1) ** 2))
        # Without any response there is nothing to scale, and every block is 0.
        return _scale_by_strength(
            self, bench, correlate_antisymmetrically(bench, self.pulled(bench), eps, rest, rows), 1.0 / (square or 1.0)
        )


def add_homeostasis(rule: Rule, pull: Callable[[Samples], Mapping[str, Array]]) -> Rule:
    """Return the rule whose gradients have a pull added, so that each batch is still written once.

    Parameters
    ----------
    rule : callable
        Gives the gradient of a batch, and leaves the chip clamped on it.
    pull : callable
        Gives the pull by block, such as ``partial(OpenLoop().pull, bench)``.
    """

    def both(samples: Samples) -> Gradient:
        found = rule(samples)
        blocks = dict(found.blocks)
        for name, block in pull(samples).items():
            blocks[name] = blocks[name] + block if name in blocks else block
        return found._replace(blocks=blocks)

    return both


def get_weight_block(ends: tuple[str, str]) -> str:
    """Return the block that holds the weights of a (pre, post) connection."""
    return f"weight/{ends[0]}-{ends[1]}"


class Probes(NamedTuple):
    """What was put in and read, row by row."""

    put: Layers
    read: Layers
    samples: NDArray[np.int64]
    """Which sample of the batch was probed, (rows,)."""


def correlate_antisymmetrically(
    bench: Bench, ends: Ends, eps: Mapping[str, Array], answer: Mapping[str, Array], samples: NDArray[np.int64]
) -> dict[str, Array]:
    """Return the mean of ``2 (v_i eps_j - eps_i v_j)`` over the batch, by block: `j` is the pre unit, `i` the post one.

    Parameters
    ----------
    bench : Bench
        Chip whose circuits multiply.
    ends : list of (pre, post)
        Connections.
    eps : mapping of layer to array (batch, units)
        What was put in.
    answer : mapping of layer to array (batch, units)
        What was read, `v`.
    samples : array (batch,)
        Which sample of the batch was probed.
    """
    there, back = bench.correlate(answer, eps, samples), bench.correlate(eps, answer, samples)
    rows = len(next(iter(eps.values())))
    return {block: 2.0 * (there[block] - back[block]) / rows for block in map(get_weight_block, ends)}


def _probe_with_signs(how: Probing, bench: Bench, samples: Samples, answer: Callable[[Layers], Layers]) -> Probes:
    """Return the signs that were put in and what `answer` read for them, per unclamped layer (draws x batch, units)."""
    _, *names = bench.layers
    sizes = [bench.layers[name] for name in names]
    ids = np.arange(len(samples.x)) if samples.ids is None else samples.ids
    put, read = [], []
    for draw in range(how.draws):
        whole = draw_unit_signs(how.seed, ids, samples.epoch, draw, sum(sizes))
        put.append(dict(zip(names, np.split(whole, np.cumsum(sizes)[:-1], axis=1), strict=True)))
        read.append(answer(put[-1]))
    joined = [{name: np.concatenate([part[name] for part in parts]) for name in names} for parts in (put, read)]
    return Probes(joined[0], joined[1], np.tile(np.arange(len(samples.x)), how.draws))


def _drop_nonfinite_rows(probes: Probes) -> Probes:
    """Return the rows with finite readings; where none has, one row of zeros."""
    eps, read, samples = probes
    keep = np.all([np.isfinite(part).all(axis=1) for part in read.values()], axis=0)
    if keep.any():
        eps, read = ({name: part[keep] for name, part in layers.items()} for layers in (eps, read))
        return Probes(eps, read, samples[keep])
    zeros = {name: np.zeros((1, e.shape[1])) for name, e in eps.items()}
    return Probes(zeros, zeros, samples[:1])


def _scale_by_strength(how: Probing, bench: Bench, blocks: Layers, factor: float = 1.0) -> Layers:
    """Return blocks times ``factor strength / n``."""
    _, *sizes = bench.layers.values()
    return {name: factor * how.strength / sum(sizes) * block for name, block in blocks.items()}
