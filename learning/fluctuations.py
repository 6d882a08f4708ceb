"""Oracle side: how noise of the membranes spreads an estimate, from the linearised chip.

A small departure `x` from rest obeys ``tau dx = (J_u x + s) dt + sigma sqrt(2 tau) dB``, with slow noise
``ds = -s/tau_c dt + sigma_c sqrt(2/tau_c) dB``. The covariance of ``z = (x, s)`` solves the Lyapunov
equation ``B Sigma + Sigma B^T + Q = 0``. The mean over a window `T` has the covariance
``(K Sigma + Sigma K^T)/T^2``, where ``K = B^-2 (exp(B T) - 1 - B T)`` is the integral of
``(T - t) exp(B t)``; for a long window that is ``2 tau_int/T`` times the covariance of a single read.

An estimate ``-sum_k Re(c_k a_k)`` of independent settlings has the variance
``sum_k |c_k|^2 [R Sigma R]_ii``: both planes of a complex state have noise of their own. First order in
the noise, nudges small enough not to change the linearisation. Dense: for nets of some hundred units.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from devices.noise import Noise
from substrate.chip import Chip
from substrate.linearisation import Linearisation

from .schemes import Node, unfolded

Array = NDArray[np.float64]


class Nodes(Protocol):
    """A scheme made of nodes and weights."""

    def nodes(self) -> list[Node]:
        """Return the nodes, the free state included."""
        ...


def estimate_variance(chip: Chip, linear: Linearisation, scheme: Nodes) -> Array:
    """Return the variance of the error vectors that `scheme` estimates, from noise of the state, (batch, units).

    Every node is settled on its own; its read averages over the window of its phase, if it has one.

    Parameters
    ----------
    chip : Chip
        With noise that is drawn anew in every settling.
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
    gains = {True: 0.0, False: 0.0}
    for node in unfolded(scheme.nodes()):
        gains[node.beta == 0.0] += abs(node.weight) ** 2
    dynamics = chip.design.dynamics
    total = gains[False] * activity_variance(chip, linear, dynamics.nudged.window)
    if gains[True] > 0.0:
        total += gains[True] * activity_variance(chip, linear, dynamics.free.window)
    return total


def activity_variance(chip: Chip, linear: Linearisation, window: float = 0.0) -> Array:
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
    variances = [np.diag(covariance(chip, linear, i, window)) for i in range(len(linear.slopes))]
    return np.asarray(linear.slopes**2 * np.array(variances))


def covariance(chip: Chip, linear: Linearisation, sample: int, window: float = 0.0) -> Array:
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
    if chip.design.neurons.synapse_tau > 0.0:
        raise ValueError("neurons.synapse_tau: the covariance knows no synaptic pole; set it to 0")
    motion, source = _motion(linear.jacobian(sample), chip, chip.design.noise)
    rightmost = float(scipy.linalg.eigvals(motion).real.max())
    if rightmost >= 0.0:
        raise ValueError(f"sample {sample} has an eigenvalue of {rightmost:.3g}: must be below 0, the state is at rest")
    sigma = scipy.linalg.solve_continuous_lyapunov(motion, -source)
    if window > 0.0:
        kernel = _window_kernel(motion, window) @ sigma
        sigma = (kernel + kernel.T) / window**2
    units = len(chip.time_constants)
    return np.asarray(sigma[:units, :units])


def _motion(jacobian: Array, chip: Chip, noise: Noise) -> tuple[Array, Array]:
    """Return `B` and `Q` of ``dz = B z dt + noise``: the states first, then every slow process of every unit."""
    tau, membranes = chip.time_constants, chip.membranes
    shared, own = noise.common * membranes.common, noise.thermal * membranes.thermal
    units, (times, sizes) = len(tau), noise.processes()
    motion = np.zeros((units * (1 + len(times)),) * 2)
    source = np.zeros_like(motion)
    motion[:units, :units] = jacobian / tau[:, None]
    source[:units, :units] = 2.0 * np.outer(shared, shared) / np.sqrt(np.outer(tau, tau))
    source[:units, :units] += np.diag(2.0 * own**2 / tau)
    for k, (time, size) in enumerate(zip(times, sizes, strict=True), 1):
        slow = slice(k * units, (k + 1) * units)
        motion[:units, slow] = np.diag(1.0 / tau)
        motion[slow, slow] = -np.eye(units) / time
        source[slow, slow] = 2.0 * size**2 / time * np.eye(units)
    return motion, source


def _window_kernel(motion: Array, window: float) -> Array:
    """Return ``B^-2 (exp(B T) - 1 - B T)``."""
    identity = np.eye(len(motion))
    rest = scipy.linalg.expm(motion * window) - identity - motion * window
    return np.asarray(np.linalg.solve(motion, np.linalg.solve(motion, rest)))
