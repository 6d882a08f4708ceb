"""How fine the steps of a noisy chip must be for its fluctuations to be right.

A step that follows the mean well enough can be far too large for the noise. The limits below keep the stationary
variances of the linearised chip, and that of long averages, within 5 % of the exact ones. With `L` the norm of the
couplings ``W R`` (hopfield: ``R W R``) at the steepest slopes, `a` that of their antisymmetric part, and `tau` the time
constant of the fastest membrane, steps of ``dt`` are cut into equal ones of at most

=================== ============================================================= =============================
what acts           euler, exponential (kicks averaged, see `substrate.engine.cpu.kernels.noise`)  heun
=================== ============================================================= =============================
leak, couplings     euler: tau/4, exponential: 0.08 tau; tau/(1 + L)              0.4 tau/(1 + L)
asymmetry           0.025 tau/a^2
synaptic pole       0.0625 tau/L; euler: 0.8 of the pole                          0.8 of the pole
noise of time t     0.1 min(tau, 2.5 t) min(1, 1.5/L)                             t/2
=================== ============================================================= =============================

Averaged kicks are exact for symmetric couplings. Otherwise they and a pole cost a relative error of first order in
the step, Heun's method one of second order (G. N. Milstein, M. V. Tretyakov, Stochastic numerics for mathematical
physics, 2004). The factors are fitted to the exact covariances of random linear networks, which the tests repeat.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..dynamics.machine import Drive, Machine, compute_slow_deviations, compute_white_deviation
from ..dynamics.methods import NOISY_STEP
from ..engine.threads import limit_blas_threads
from ..laws.law import LAWS
from .coupling import AnyCouplings

Array = NDArray[np.float64]

FALSE_ALARM = 1e-3
"""How often a sample at rest may be taken for one that moves, at most."""

_ROUNDS = 30
"""Products that estimate a norm, after which it is right within a few percent."""


def count_substeps(machine: Machine, couplings: AnyCouplings, times: Array) -> int:
    """Return into how many equal steps each step ``dynamics.dt`` is cut under noise of the correlation `times`."""
    # One thread, so that the norms are the same bits for any number of them.
    with limit_blas_threads():
        return max(1, math.ceil(machine.dynamics.dt / compute_largest_step(machine, couplings, times) * (1.0 - 1e-12)))


def compute_largest_step(machine: Machine, couplings: AnyCouplings, times: Array) -> float:
    """Return the largest step with right fluctuations, in tau; see the table of the module.

    Parameters
    ----------
    machine : Machine
        Method, time constants, pole and curves.
    couplings : AnyCouplings
        Effective couplings `W`.
    times : array (processes,)
        Correlation times of the slow noise of the membranes, in tau.
    """
    method, tau, pole = machine.dynamics.method, float(machine.tau.min()), machine.synapse_tau
    slope = _compute_steepest_factor(machine)
    size = slope * _estimate_spectral_norm(couplings)
    quickest = float(times.min()) if len(times) else math.inf
    if method == "heun":
        return min(NOISY_STEP[method] * tau / (1.0 + size), 0.5 * quickest, 0.8 * pole if pole else math.inf)
    skewed = slope * _estimate_spectral_norm(couplings.antisymmetric())
    limits = [NOISY_STEP[method] * tau, tau / (1.0 + size)]
    limits.append(0.025 * tau / max(skewed**2, 1e-12))
    if pole:
        limits += [0.0625 * tau / max(size, 1e-12), 0.8 * pole if method == "euler" else math.inf]
    if len(times):
        limits.append(0.1 * min(tau, 2.5 * quickest) * min(1.0, 1.5 / max(size, 1e-12)))
    return min(limits)


def compute_largest_drift(machine: Machine, couplings: AnyCouplings, drive: Drive) -> float:
    """Return the drift that no unit of a sample at rest exceeds, but for a share `FALSE_ALARM` of the samples.

    White noise of size `sigma` gives the drift of linear units with symmetric couplings the covariance ``J S J^T =
    -sigma^2 J``, at most ``sigma^2 (1 + L)`` in any direction; that of slow noise is at most the noise itself.
    """
    slope = _compute_steepest_factor(machine)
    with limit_blas_threads():
        size = slope * _estimate_spectral_norm(couplings)
    own, slow = compute_white_deviation(machine, drive), compute_slow_deviations(machine, drive)
    if drive.cells is not None and drive.cells.root is not None:
        # No eigenvalue of a matrix exceeds its largest sum of a row.
        own = np.abs(drive.cells.root).sum(axis=2)
    white = float(own.max(initial=0.0)) ** 2 + (machine.noise.common * float(machine.common.max())) ** 2
    slowest = sum(float(size.max(initial=0.0)) ** 2 for size in slow)
    spread = math.sqrt(white * (1.0 + size) + slowest)
    # A normal number exceeds x less often than exp(-x^2/2), either way.
    return spread * math.sqrt(2.0 * math.log(2.0 * couplings.units / FALSE_ALARM))


def _compute_steepest_factor(machine: Machine) -> float:
    """Return the largest factor of a coupling in the linearised drift."""
    slope = np.array(machine.transfer.steepest())
    return float(LAWS[machine.law].respond(slope, slope))


def _estimate_spectral_norm(couplings: AnyCouplings) -> float:
    """Return the largest singular value of the couplings, by power iteration."""
    v = np.random.default_rng(0).normal(size=(1, couplings.units))
    back, size = couplings.transposed(), 0.0
    for _ in range(_ROUNDS):
        v = back.product(couplings.product(v))
        size = float(np.linalg.norm(v))
        if size == 0.0:
            return 0.0
        v = v / size  # a new array: that of an engine cannot be written
    return math.sqrt(size)
