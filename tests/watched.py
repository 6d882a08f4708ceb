"""A measurement settling by settling: what was read, and how every settling ended beside its drift in plain NumPy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from learning.draws import draw_sample_signs
from learning.schemes.nodes import RandomSign
from learning.schemes.scheme import unfold_mirrored_nodes
from learning.schemes.wave import LockIn, Rotation
from substrate.chip.randomness import has_conjugate_answers
from substrate.protocol import Nudge, SettlingResult
from tests.plain_chip import PlainChip, Wiring

CYCLES = (LockIn, Rotation)


class Ending(NamedTuple):
    """How one settling ended."""

    settled: SettlingResult
    state: np.ndarray
    """As the chip shows it, (batch, units)."""

    activity: np.ndarray
    """The same, of the chip."""

    acting: Wiring
    tolerance: float
    limit: int
    """Most steps."""


class Measured(NamedTuple):
    """One measurement of a batch."""

    delta: np.ndarray
    """Estimate of the error vectors, (batch, units)."""

    endings: list[Ending]
    """Of all settlings whose nudge does not swing, the free one first."""

    gaps: list[tuple[SettlingResult, np.ndarray, float]]
    """Of those whose nudge swings: how they ended, what the last cycle lacks to close, and the tolerance."""


def membranes(plain: PlainChip, ending: Ending) -> np.ndarray:
    """Return the membranes `u` of a state ``(1 + L) u`` that the chip shows."""
    return ending.state / (1.0 + plain.free.load)


def measured(chip, plain: PlainChip, trial, scheme, repeat: int = 0) -> Measured:
    """Measure a batch by hand, through what an experimenter may do with a chip."""
    trial.clamp(chip, repeat)
    dynamics, target, swings = chip.design.dynamics, trial.target, isinstance(scheme, CYCLES)
    endings, gaps = [_settle(chip, None, plain.free)], []
    first = _side_by_side(chip, chip.read(waits=True))
    at_rest, shown = endings[0].activity, first.real
    if swings:
        nudge = Nudge(scheme.beta, target, wave=scheme.wave())
        every, states = max(4, round(scheme.period / dynamics.dt)), []
        settled = chip.settle(nudge, "free", (every, lambda state: states.append(state.copy())))
        read = [_side_by_side(chip, point) for point in _points(chip.read_cycle())]
        turn = np.exp(2j * np.pi * (np.arange(every) + 0.5) / every)
        size = np.abs(plain.applied(scheme.beta * (turn if isinstance(scheme, Rotation) else turn.real))).max()
        tolerance = dynamics.nudged.end(dynamics.precision, size)
        acting = plain.nudged(scheme.beta, target, at_rest, shown)
        gap = (states[-1] - states[-2]) * (1.0 + acting.load) / (1.0 + plain.free.load)
        gaps.append((settled, np.abs(gap).max(axis=1), tolerance))
        nodes = scheme.cycle(len(read))
        return Measured(-sum(np.real(n.weight * a) for n, a in zip(nodes, read, strict=True)), endings, gaps)
    signs = np.ones((1, 1))
    if isinstance(scheme, RandomSign):
        signs = draw_sample_signs(scheme.seed, np.arange(len(target)), 0)[:, None]
    nodes = scheme.nodes() if has_conjugate_answers(chip.design.devices) else unfold_mirrored_nodes(scheme.nodes())
    total, last = np.zeros_like(at_rest), max(k for k, node in enumerate(nodes) if node.beta != 0.0)
    for k, node in enumerate(nodes):
        read = shown
        if node.beta != 0.0:
            beta = node.beta if np.imag(node.beta) else np.real(node.beta)
            drawn = signs[:, 0] if isinstance(scheme, RandomSign) else None
            acting = plain.nudged(beta * signs, target, at_rest, shown)
            endings.append(_settle(chip, Nudge(node.beta, target, drawn), acting))
            read = _side_by_side(chip, chip.read(waits=k != last))
        total -= (1 + node.mirrored) * np.real(signs * node.weight * read)
    return Measured(total, endings, gaps)


def _settle(chip, nudge, acting: Wiring) -> Ending:
    dynamics = chip.design.dynamics
    phase = dynamics.free if nudge is None else dynamics.nudged
    settled = chip.settle(nudge, "zero" if nudge is None else "free")
    tolerance = phase.end(dynamics.precision, np.abs(acting.beta).max())
    steps = phase.steps or (phase.duration and int(np.ceil(phase.duration / dynamics.dt - 1e-9))) or phase.max_steps
    activity = np.asarray(chip.activity_of(chip.state))
    return Ending(settled, chip.state.copy(), activity, acting, tolerance, steps)


def _side_by_side(chip, read):
    return np.concatenate([read[name] for name in chip.topology.names], axis=-1)


def _points(cycle):
    return [dict(zip(cycle, point, strict=True)) for point in zip(*cycle.values(), strict=True)]
