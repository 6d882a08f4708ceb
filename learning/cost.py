"""Costs of one sample, their force on the outputs, and the gradients they imply.

A cost belongs to one sample and is never averaged inside; batch means are taken at the end. With a
readout the cost is the cross-entropy of ``softmax(a V + b)``, without one it is ``|a - y|^2 / 2``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from substrate.protocol import Bench, Readout

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def compute_logits(readout: Readout | None, output: Array) -> Array:
    """Return ``a V + b`` (batch, classes), or the output activity itself without a readout."""
    return output if readout is None else output @ readout.weight + readout.bias


def compute_loss(readout: Readout | None, output: Array, target: Array) -> Array:
    """Return the cost per sample, (batch,), of output activities (batch, outputs)."""
    z = compute_logits(readout, output)
    if readout is None:
        return np.asarray(0.5 * np.sum((z - target) ** 2, axis=1))
    return np.asarray(_compute_logsumexp(z) - np.sum(target * z, axis=1))


def compute_logit_error(readout: Readout | None, output: Array, target: Array) -> Array:
    """Return ``dC/d logits`` (batch, classes): ``softmax - y``, or ``a - y``."""
    z = compute_logits(readout, output)
    if readout is None:
        return z - target
    return np.asarray(np.exp(z - _compute_logsumexp(z)[:, None]) - target)


def compute_cost_force(readout: Readout | None, output: Array, target: Array) -> Array:
    """Return ``e = dC/da`` of the output activities (batch, outputs)."""
    error = compute_logit_error(readout, output, target)
    return error if readout is None else error @ readout.weight.T


def compute_gradients(
    bench: Bench, presynaptic: Mapping[str, Array], delta: Mapping[str, Array], keep: Mask
) -> dict[str, Array]:
    """Return batch-mean gradients by block: what the bench makes of presynaptic activity and error.

    Parameters
    ----------
    bench : Bench
        Chip whose circuits multiply.
    presynaptic : mapping of layer to array (batch, pre)
        Presynaptic activities, the clamped input included.
    delta : mapping of layer to array (batch, post)
        Error vectors ``dL/d drive``.
    keep : bool array (batch,)
        Samples that count; NaN everywhere if none does.

    Returns
    -------
    dict
        ``weight/<pre>-<post>`` and ``bias/<layer>``, shaped like the block.
    """
    # Without any that counts, the share makes NaN of all of them.
    part, share = keep if keep.any() and not keep.all() else slice(None), _compute_sample_share(keep)
    means = {layer: d[part] * share for layer, d in delta.items()}
    return dict(bench.correlate(means, {layer: a[part] for layer, a in presynaptic.items()}))


def compute_readout_gradients(readout: Readout | None, output: Array, target: Array, keep: Mask) -> dict[str, Array]:
    """Return the batch-mean gradients of the digital readout; empty without one."""
    if readout is None:
        return {}
    error, share = compute_logit_error(readout, output, target)[keep], _compute_sample_share(keep)
    return {"readout/weight": output[keep].T @ error * share, "readout/bias": error.sum(axis=0) * share}


def _compute_sample_share(keep: Mask) -> float:
    count = int(np.count_nonzero(keep))
    return 1.0 / count if count else float("nan")


def _compute_logsumexp(z: Array) -> Array:
    largest = z.max(axis=1)
    return np.asarray(largest + np.log(np.sum(np.exp(z - largest[:, None]), axis=1)))
