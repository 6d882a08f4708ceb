"""The nudge circuit: the force that pulls the outputs towards lower cost.

The drive of the output units gets ``-beta e`` with ``e = dC/da``, a holomorphic function of the
output activity, so that the nudge may be complex. Complex numbers are pairs of planes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MSE = 0
CROSS_ENTROPY = 1
CODES = {"mse": MSE, "cross-entropy": CROSS_ENTROPY}


class Circuit(NamedTuple):
    """The nudge circuit and the readout it knows."""

    cost: int
    first_output: int
    weight: Array
    bias: Array


def compute_mse_force(real: Array, imaginary: Array, target: Array, force: Array) -> None:
    """Write ``e = a - y`` of one sample, ``C = |a - y|^2 / 2``.

    Parameters
    ----------
    real, imaginary : array (outputs,)
        Output activity, both planes.
    target : array (outputs,)
        Target `y`.
    force : array (2, outputs)
        Receives `e`, both planes.
    """
    for i in range(real.shape[0]):
        force[0, i] = real[i] - target[i]
        force[1, i] = imaginary[i]


def compute_cross_entropy_force(
    real: Array,
    imaginary: Array,
    target: Array,
    weight: Array,
    bias: Array,
    probability: Array,
    force: Array,
    complex_plane: bool = True,
) -> None:
    """Write ``e = V (softmax(a V + b) - y)`` of one sample, ``C = -y . log softmax(a V + b)``.

    Parameters
    ----------
    real, imaginary : array (outputs,)
        Output activity, both planes.
    target : array (classes,)
        Target distribution `y`.
    weight, bias : array (outputs, classes), (classes,)
        Readout `V`, `b`.
    probability : array (2, classes)
        Scratch.
    force : array (2, outputs)
        Receives `e`, both planes.
    complex_plane : bool
        False: the imaginary activity counts as 0.
    """
    outputs, classes = weight.shape
    largest = -math.inf
    for c in range(classes):
        x, y = bias[c], 0.0
        for i in range(outputs):
            x += real[i] * weight[i, c]
            if complex_plane:
                y += imaginary[i] * weight[i, c]
        probability[0, c], probability[1, c] = x, y
        largest = max(largest, x)
    # The common factor exp(largest) leaves the quotient as it is, in the complex plane too.
    sum_real, sum_imaginary = 0.0, 0.0
    for c in range(classes):
        size, phase = math.exp(probability[0, c] - largest), probability[1, c]
        probability[0, c], probability[1, c] = size, 0.0
        if complex_plane:
            probability[0, c], probability[1, c] = size * math.cos(phase), size * math.sin(phase)
        sum_real += probability[0, c]
        sum_imaginary += probability[1, c]
    scale = 1.0 / (sum_real * sum_real + sum_imaginary * sum_imaginary)
    for c in range(classes):
        x, y = probability[0, c], probability[1, c]
        probability[0, c] = (x * sum_real + y * sum_imaginary) * scale - target[c]
        probability[1, c] = (y * sum_real - x * sum_imaginary) * scale
    for i in range(outputs):
        x, y = 0.0, 0.0
        for c in range(classes):
            x += weight[i, c] * probability[0, c]
            if complex_plane:
                y += weight[i, c] * probability[1, c]
        force[0, i], force[1, i] = x, y
