"""Oracle side: how noise of the membranes spreads an estimate, from the linearised chip.

A small departure `x` from rest obeys ``tau dx = (J_u x + s) dt + sigma sqrt(2 tau) dB``, with slow noise
``ds = -s/tau_c dt + sigma_c sqrt(2/tau_c) dB``. The covariance of ``z = (x, s)`` solves the Lyapunov
equation ``B Sigma + Sigma B^T + Q = 0``. The mean over a window `T` has the covariance
``(K Sigma + Sigma K^T)/T^2``, where ``K = B^-2 (exp(B T) - 1 - B T)`` is the integral of
``(T - t) exp(B t)``; for a long window that is ``2 tau_int/T`` times the covariance of a single read.

An estimate ``-sum_k Re(c_k a_k)`` has the variance ``sum_kl Re(c_k* c_l) [R Sigma_kl R]_ii``: both planes of a
complex state have noise of their own. Settlings forget where they began, so that two of them share slow noise
alone: with `D` the time from the end of settling k to the beginning of settling l and `T` its length,
``Sigma_lk = [exp(B T)]_xs exp(-D/tau_c) [Sigma]_sx``, averaged over the windows. First order in the noise, nudges
small enough not to change the linearisation: so the error vectors themselves are taken as fixed, which noise that
hardly changes between the phases shifts like an offset. Dense: for nets of some hundred units.
"""

from __future__ import annotations

import itertools
from typing import Protocol

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from substrate.chip.chip import Chip
from substrate.dynamics.methods import Phase, count_whole_steps
from substrate.theory.linearisation import Linearisation

from ..schemes.scheme import Node, unfold_mirrored_nodes

Array = NDArray[np.float64]


class NodalScheme(Protocol):
    """A scheme made of nodes and weights."""

    def nodes(self) -> list[Node]:
        """Return the nodes, the free state included."""
        ...


def predict_estimate_variance(chip: Chip, linear: Linearisation, scheme: NodalScheme) -> Array:
    """Return the variance of the error vectors that `scheme` estimates, from noise of the state, (batch, units).

    Every node is settled from the free state, one after the other; its read averages over the window of its phase,
    if it has one.

    Parameters
    ----------
    chip : Chip
        With white noise that is drawn anew in every settling, and phases of a duration.
    linear : Linearisation
        Around its rest points.
    scheme : scheme with nodes
        Nodes and weights.

    Raises
    ------
    ValueError
        If the chip has a synaptic pole, its phases share one draw of the noise, or a rest point is unstable.
    """
    if chip.design.phases.noise == "common":
        raise ValueError('phases.noise = "common": settlings must be independent; set it to "independent"')
    nodes = sorted(unfold_mirrored_nodes(scheme.nodes()), key=lambda node: node.beta != 0.0)
    free, nudged = chip.design.dynamics.free, chip.design.dynamics.nudged
    phases = [free if node.beta == 0.0 else nudged for node in nodes]
    total = np.zeros_like(linear.slopes)
    single = {window: predict_activity_variance(chip, linear, window) for window in {p.window for p in phases}}
    for node, phase in zip(nodes, phases, strict=True):
        total += abs(node.weight) ** 2 * single[phase.window]
    if len(chip.machine.slow_times) == 0:
        return total
    for k, m in itertools.combinations(range(len(nodes)), 2):
        factor = 2.0 * float(np.real(np.conj(nodes[k].weight) * nodes[m].weight))
        shared = [_compute_slow_covariance(chip, linear, i, phases[k], m - k) for i in range(len(linear.slopes))]
        total += factor * linear.slopes**2 * np.array(shared)
    return total


def predict_activity_variance(chip: Chip, linear: Linearisation, window: float = 0.0) -> Array:
    """Return the variance ``[R Sigma R]_ii`` of the activities at rest, (batch, units).

    Parameters
    ----------
    chip : Chip
        With its noise.
    linear : Linearisation
        Around its rest points.
    window : float
        Time over which a read averages, in tau; 0: a single read.

    Raises
    ------
    ValueError
        If the chip has a synaptic pole or a rest point is unstable.
    """
    variances = [np.diag(compute_state_covariance(chip, linear, i, window)) for i in range(len(linear.slopes))]
    return np.asarray(linear.slopes**2 * np.array(variances))


def compute_state_covariance(chip: Chip, linear: Linearisation, sample: int, window: float = 0.0) -> Array:
    """Return the stationary covariance of the membrane states of one sample, (units, units).

    Parameters
    ----------
    chip : Chip
        With its noise.
    linear : Linearisation
        Around its rest points.
    sample : int
        Which one.
    window : float
        Time over which the state is averaged, in tau; 0: the state at one moment.

    Raises
    ------
    ValueError
        If the chip has a synaptic pole or the rest point is unstable.
    """
    if chip.design.devices.neurons.synapse_tau > 0.0:
        raise ValueError("neurons.synapse_tau: the covariance knows no synaptic pole; set it to 0")
    motion, source = _make_noisy_motion(linear.jacobian(sample), chip, sample)
    rightmost = float(scipy.linalg.eigvals(motion).real.max())
    if rightmost >= 0.0:
        raise ValueError(f"sample {sample} has an eigenvalue of {rightmost:.3g}: must be below 0, the state is at rest")
    sigma = scipy.linalg.solve_continuous_lyapunov(motion, -source)
    if window > 0.0:
        kernel = _compute_window_kernel(motion, window) @ sigma
        sigma = (kernel + kernel.T) / window**2
    units = len(chip.membranes.tau)
    return np.asarray(sigma[:units, :units])


def _compute_slow_covariance(chip: Chip, linear: Linearisation, sample: int, first: Phase, apart: int) -> Array:
    """Return the covariance of every unit by slow noise, between a settling and the `apart`-th after it, (units,)."""
    dt, second = chip.design.dynamics.dt, chip.design.dynamics.nudged
    length = dt * (second.steps or count_whole_steps(second.duration or 0.0, dt))
    # No settling ends before the last read is converted.
    converted = chip.design.phases.hold_time + chip.design.devices.hold.read_skew * (len(chip.membranes.tau) - 1)
    gap = apart * max(length + second.window, converted) - length - second.window
    motion, source = _make_noisy_motion(linear.jacobian(sample), chip, sample)
    units = len(chip.membranes.tau)
    sigma = scipy.linalg.solve_continuous_lyapunov(motion, -source)
    # The slow processes at the end of the first settling, and its states as they are read.
    kept = (_compute_mean_propagator(motion, first.window) @ sigma)[units:, :units]
    times = np.repeat(chip.machine.slow_times, units)
    begun = np.exp(-gap / times)[:, None] * kept
    later = scipy.linalg.expm(motion * length)[:, units:] @ begun
    return np.asarray(np.diag((_compute_mean_propagator(motion, second.window) @ later)[:units]))


def _compute_mean_propagator(motion: Array, window: float) -> Array:
    """Return the mean of ``exp(B t)`` over a window."""
    if window == 0.0:
        return np.eye(len(motion))
    return np.asarray(np.linalg.solve(motion, scipy.linalg.expm(motion * window) - np.eye(len(motion))) / window)


def _make_noisy_motion(jacobian: Array, chip: Chip, sample: int) -> tuple[Array, Array]:
    """Return `B` and `Q` of ``dz = B z dt + noise``: the states first, then every slow process of every unit."""
    tau, noise, times = chip.membranes.tau, chip.design.devices.noise, chip.machine.slow_times
    shared, own = noise.common * chip.membranes.common, (noise.thermal * chip.membranes.thermal) ** 2
    units, variances = len(tau), [np.full(len(tau), size**2) for size in noise.processes()[1]]
    root = None
    if chip.machine.cells_white or chip.machine.cell_times:
        cells = chip.unit_noise
        own, root = own + cells.white[sample], None if cells.root is None else cells.root[sample]
        variances += list(cells.drifts[:, sample] ** 2)
    motion = np.zeros((units * (1 + len(times)),) * 2)
    source = np.zeros_like(motion)
    motion[:units, :units] = jacobian / tau[:, None]
    source[:units, :units] = 2.0 * np.outer(shared, shared) / np.sqrt(np.outer(tau, tau))
    white = np.diag(own) if root is None else root @ root
    source[:units, :units] += 2.0 * white / np.sqrt(np.outer(tau, tau))
    for k, (time, variance) in enumerate(zip(times, variances, strict=True), 1):
        slow = slice(k * units, (k + 1) * units)
        motion[:units, slow] = np.diag(1.0 / tau)
        motion[slow, slow] = -np.eye(units) / time
        source[slow, slow] = 2.0 * np.diag(variance) / time
    return motion, source


def _compute_window_kernel(motion: Array, window: float) -> Array:
    """Return ``B^-2 (exp(B T) - 1 - B T)``."""
    identity = np.eye(len(motion))
    rest = scipy.linalg.expm(motion * window) - identity - motion * window
    return np.asarray(np.linalg.solve(motion, np.linalg.solve(motion, rest)))
