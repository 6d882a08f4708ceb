"""Oracle side: the cosine of one measurement, foretold from its noise before anything is repeated.

Noise of variance `v` in every component of an estimate leaves its direction, and makes it longer: with ``r^2 = sum v /
|delta|^2`` over the units of a layer, ``cos = cos_bias / sqrt(1 + r^2)``. Here ``delta`` is what the chip finds without
noise, read and rounded as it is, and `v` the sum of

========================= ====================================================================================
noise                     variance in an estimate ``-sum_k Re(c_k a_k)``
========================= ====================================================================================
reads, kT/C of the hold   ``sum_k |c_k|^2 sigma^2``; in proportion to the activity: ``sum_k Re(c_k)^2 eta^2 a^2``
slow noise of reads       ``sum_kl Re(c_k c_l*) sigma^2 exp(-t_kl / tau)``, with the times between the reads
random rounding           ``sum_k |c_k|^2 LSB^2 / 12`` more than rounding to the nearest, which is in ``delta``
membranes                 `learning.oracle.fluctuations`, of a few samples
========================= ====================================================================================
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.chip.chip import Chip
from substrate.dynamics.methods import Phase, count_cycle_steps, count_whole_steps

from ..schemes.scheme import Node, Scheme, Swing, unfold_mirrored_nodes
from .exact import ExactErrors
from .fluctuations import predict_estimate_variance
from .frozen import predict_frozen_variance

Array = NDArray[np.float64]

SAMPLES = 4
"""So many samples tell what noise of the membranes does to all."""

LARGEST = 450
"""Most states of a sample, units and slow processes, of which the covariance is found."""


class ForecastBatch(NamedTuple):
    """The batch that is measured."""

    x: Array
    """Inputs (batch, inputs)."""

    target: Array
    """Targets (batch, classes) or (batch, outputs)."""


def forecast_variance(chip: Chip, reference: ExactErrors, batch: ForecastBatch, scheme: Scheme) -> Array | None:
    """Return the variance of the error vectors of one measurement with a scheme, (batch, units).

    Parameters
    ----------
    chip : Chip
        As it is.
    reference : ExactErrors
        Of the batch, at its free rest points without noise.
    batch : ForecastBatch
        Inputs and targets.
    scheme : Scheme
        Nudges and weights.

    Returns
    -------
    array or None
        None where the chip has noise of which this is not known: blocks of one's own, a swinging nudge on noisy
        membranes or with slow reads, draws that phases share, noise of cells that is slower than a batch where
        `learning.oracle.frozen` has no law for it, and more than `LARGEST` states.
    """
    linear, activity = reference.linear, reference.equilibrium.activity
    noise, machine = chip.design.devices.noise, chip.machine
    moves = noise.on or machine.cells_white or bool(machine.cell_times)
    swings, slow = isinstance(scheme, Swing), noise.slow_reads and not chip.design.dynamics.nudged.fixed
    if chip.design.devices.acting("disturb") or slow or (swings and (moves or noise.slow_reads)):
        return None
    reads = _predict_read_variance(chip, scheme, activity)
    if chip.has_frozen_cells:
        small = linear.slopes.shape[1] <= LARGEST
        frozen = predict_frozen_variance(chip, reference, batch.x, batch.target) if small else None
        if frozen is None:
            return None
        reads = reads + frozen
    if not moves:
        return reads
    states = linear.slopes.shape[1] * (1 + len(machine.slow_times))
    if chip.design.phases.noise == "common" or states > LARGEST or not chip.design.dynamics.nudged.fixed:
        return None
    rows = np.arange(min(SAMPLES, len(linear.slopes)))
    try:
        few = predict_estimate_variance(chip, linear.only(rows), scheme)
    except ValueError:  # a synaptic pole, or a rest point that is not stable
        return None
    return np.asarray(reads + few.mean(axis=0))


def forecast_cosines(estimate: Array, cosines: Array, variance: Array) -> Array:
    """Return the cosine of one measurement of every sample, (batch,).

    Parameters
    ----------
    estimate, variance : array (batch, units)
        What is found without noise, and the variance that noise adds to it, of one layer.
    cosines : array (batch,)
        Of the estimate without noise.
    """
    size, noise = np.sum(estimate**2, axis=1), np.sum(variance, axis=1)
    share = np.divide(size, size + noise, out=np.full(len(size), np.nan), where=size + noise > 0.0)
    return np.asarray(cosines * np.sqrt(share))


def _predict_read_variance(chip: Chip, scheme: Scheme, activity: Array) -> Array:
    """Return what reads add to the variance of an estimate, (batch, units)."""
    devices, dynamics = chip.design.devices, chip.design.dynamics
    nodes = _list_read_nodes(scheme, dynamics.dt)
    gain = sum(abs(node.weight) ** 2 for node in nodes)
    adc, hold, noise = devices.converters.readout, devices.hold, devices.noise
    rounding = adc.step**2 / 12.0 if adc is not None and adc.stochastic else 0.0
    # All reads of an estimate wait in the hold but the last; of a cycle none does.
    waiting = [] if isinstance(scheme, Swing) else nodes[:-1]
    held = nodes if hold.read_skew else waiting
    total = gain * (noise.read**2 + rounding) + hold.noise**2 * sum(abs(node.weight) ** 2 for node in held)
    relative = noise.read_relative**2 * sum(complex(node.weight).real ** 2 for node in nodes)
    found = total + relative * activity**2
    return np.asarray(found + (_predict_slow_read_variance(chip, nodes) if noise.slow_reads else 0.0))


def _list_read_nodes(scheme: Scheme, dt: float) -> list[Node]:
    """Return the nodes in the order in which they are read, the free state first."""
    if isinstance(scheme, Swing):
        return scheme.cycle(count_cycle_steps(scheme.period, dt))
    return sorted(unfold_mirrored_nodes(scheme.nodes()), key=lambda node: node.beta != 0.0)


def _predict_slow_read_variance(chip: Chip, nodes: list[Node]) -> float:
    """Return what 1/f and telegraph noise of reads add, whose draws at two reads are alike the more the closer."""
    noise, phase, dt = chip.design.devices.noise, chip.design.dynamics.nudged, chip.design.dynamics.dt
    hold = chip.design.phases.hold_time + chip.design.devices.hold.read_skew * (len(chip.membranes.tau) - 1)
    apart = max(_compute_length(phase, dt), hold)
    weights = np.array([complex(node.weight) for node in nodes])
    lags = apart * np.abs(np.subtract.outer(np.arange(len(nodes)), np.arange(len(nodes))))
    pairs = np.real(np.outer(weights, weights.conj()))
    total = 0.0
    if noise.read_flicker:
        octaves = noise.octaves()
        total += sum(noise.read_flicker**2 / len(octaves) * float(np.sum(pairs * np.exp(-lags / t))) for t in octaves)
    if noise.telegraph is not None and noise.telegraph.on:
        trap = noise.telegraph
        square = 0.25 * trap.fraction * trap.amplitude**2 * math.exp(2.0 * trap.amplitude_sigma**2)
        total += square * float(np.sum(pairs * np.exp(-lags / trap.time)))
    return total


def _compute_length(phase: Phase, dt: float) -> float:
    """Return how long a phase of fixed length takes with its window, in tau."""
    return dt * (phase.steps or count_whole_steps(phase.duration or 0.0, dt)) + phase.window
