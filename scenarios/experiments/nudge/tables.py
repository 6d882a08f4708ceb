"""Labelled tables of a study of nudges."""

from __future__ import annotations

import numpy as np

from learning.oracle.best_nudge import NudgeStudy
from learning.schemes.scheme import QuasiStaticSwing, Swing, find_truncation_order, unfold_mirrored_nodes

from ...results.store import Group, Variable

_PER_LAYER = {
    "bias": "squared bias, relative to the mean square of the exact error vector",
    "bias_error": "standard error of the squared bias, from the repeats; NaN for fewer than four",
    "variance": "variance of the average, relative to the mean square of the exact error vector",
    "mse": "mean squared error, bias + variance",
    "cosine": "cosine of the average to the exact error vector",
}
_PER_SCHEME = {
    "beta": "size of the nudge",
    "averaged": "estimates that the allowance pays",
    "settlings": "settlings of one estimate, the free one included",
    "reads": "real reads of one estimate, the free one included",
    "gain": "noise gain of one estimate: variance from read noise sigma over (sigma / beta)^2, as theory has it",
}


def make_nudge_group(study: NudgeStudy) -> Group:
    """Return bias, variance and mean squared error over (scheme, layer), and what the best scheme is."""
    schemes = study.schemes
    points = [0 if isinstance(s, Swing) else len(unfold_mirrored_nodes(s.nodes())) for s in schemes]
    stopped = [QuasiStaticSwing(s) if isinstance(s, Swing) else s for s in schemes]
    group: Group = {
        "scheme": Variable(("scheme",), np.array([s.label for s in schemes]), long_name="nudge scheme"),
        "layer": Variable(("layer",), np.array(study.layers), long_name="layer"),
        "order": Variable(
            ("scheme",),
            np.array([find_truncation_order(s.nodes()) for s in stopped]),
            long_name="order of the truncation",
        ),
        "points": Variable(("scheme",), np.array(points), long_name="nodes of the scheme; 0: the nudge swings"),
        "asymmetry": Variable(("layer",), study.asymmetry, long_name="squared bias of a vanishing nudge"),
        "kept": Variable(("sample",), study.keep, long_name="counted"),
        "best": Variable((), study.best, long_name="scheme with the smallest error of its worst layer"),
        "answer": Variable((), study.answer, long_name="the best scheme in one line"),
    }
    fields = study._asdict()
    for name, words in _PER_SCHEME.items():
        group[name] = Variable(("scheme",), fields[name], long_name=words)
    for name, words in _PER_LAYER.items():
        group[name] = Variable(("scheme", "layer"), fields[name], long_name=words)
    return group
