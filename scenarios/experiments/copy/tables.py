"""From copies to the labelled arrays of a result file, and what they say together."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...build import Setup
from ...results.store import Group, Variable
from .plan import CopyNetwork
from .run import FoundCopies
from .tuning import ChipScore

Array = NDArray[np.float64]

_SCORE = {
    "loss": "mean cost of the samples",
    "error": "share of wrong classes",
    "unsettled": "share of samples that did not settle",
}


def make_copy_group(setup: Setup, plan: CopyNetwork, found: FoundCopies) -> Group:
    """Return what the trained chip and every copy reach, before and after calibration and while they are trained on."""
    first, shapes = setup.fabrication.instance, setup.design.topology.shapes
    cells = sum(math.prod(shape) for name, shape in shapes.items() if not name.startswith("readout/"))
    group: Group = {
        "chip": Variable(("chip",), np.array(found.instances), long_name="chip with a copy"),
        "trained_chip": Variable((), first, long_name="chip that the network was trained on"),
        "weights": Variable((), plan.weights, long_name="what is copied"),
        "cells": Variable((), cells, long_name="cells of a chip"),
        "training_samples": Variable((), not len(setup.data.x_test), long_name="whether tests take training samples"),
    }
    for name, text in _SCORE.items():
        group[f"{name}_trained"] = Variable((), float(getattr(found.trained, name)), long_name=f"{text}, trained chip")
        for stage in ("copied", "calibrated"):
            if scores := getattr(found, stage):
                words = f"{text}, {stage}"
                group[f"{name}_{stage}"] = Variable(("chip",), _collect(scores, name), long_name=words)
    for stage, name in (("copied", "rise"), ("calibrated", "rise_calibrated")):
        if f"loss_{stage}" in group:
            rise = group[f"loss_{stage}"].data - found.trained.loss
            group[name] = Variable(("chip",), rise, long_name=f"loss of a copy over that of the trained chip, {stage}")
    if found.untold:
        text = "units that could not be calibrated"
        group["untold"] = Variable(("chip",), np.array(found.untold), long_name=text)
    if found.unsettled_reads:
        text = "reads that were left out because they did not settle"
        group["unsettled_reads"] = Variable((), found.unsettled_reads, long_name=text)
    if any(found.unreached):
        text = "cells whose weight, as it was given, lies beyond the window or their own bounds"
        group["unreached"] = Variable(("chip",), np.array(found.unreached), long_name=text)
    if plan.recover is not None:
        group["recover_cells"] = Variable((), plan.recover.cells, long_name="cells of the copies that are trained on")
    return group | _make_law_variables(found) | _make_curve_variables(group, found)


def _collect(scores: list[ChipScore], name: str) -> Array:
    return np.array([getattr(score, name) for score in scores], dtype=np.float64)


def _make_law_variables(found: FoundCopies) -> Group:
    """Return what the law says of copies before they are calibrated, or why it says nothing."""
    if found.law is None:
        return {"unknown": Variable((), ", ".join(found.unknown), long_name="what the law of the loss does not know")}
    law = found.law
    text = "loss of a copy over that of the trained chip, to second order in its own errors"
    return {
        "second_order": Variable(("chip",), law.second_order, long_name=text),
        "law_shift": Variable((), law.shift, long_name="expected of the errors of the trained chip"),
        "law_spread": Variable((), law.spread, long_name="expected of the errors of the copies"),
        "unrested": Variable((), law.unrested, long_name="samples without a rest point, which the law leaves out"),
        "law": Variable((), law.shift + law.spread, long_name="expected rise of the loss of copies, to second order"),
    }


def _make_curve_variables(group: Group, found: FoundCopies) -> Group:
    """Return what copies reach while they are trained on, and the pulses that bring back half of what copying cost."""
    if found.further is None:
        return {}
    curves = [*found.curves, found.further]
    batches = max((curve.batches for curve in curves), key=len)
    loss, error, pulses = (np.full((len(curves), len(batches)), np.nan) for _ in range(3))
    for k, curve in enumerate(curves):
        n = len(curve.batches)
        pulses[k, :n], loss[k, :n] = curve.pulses, _collect(curve.tested, "loss")
        error[k, :n] = _collect(curve.tested, "error")
    rise = group["rise"].data
    goal = float(group["loss_trained"].data) + 0.5 * rise
    half = [find_crossing(p, v, g) for p, v, g in zip(pulses[:-1], loss[:-1], goal, strict=True)]
    dims = ("chip", "step")
    return {
        "step": Variable(("step",), np.array(batches), long_name="batches that copies were trained on"),
        "loss_recovered": Variable(dims, loss[:-1], long_name="mean cost of the samples, while copies are trained on"),
        "error_recovered": Variable(dims, error[:-1], long_name="share of wrong classes, while copies are trained on"),
        "pulses": Variable(dims, pulses[:-1], long_name="cells stepped so far"),
        "loss_further": Variable(("step",), loss[-1], long_name="the same of the trained chip, trained on"),
        "pulses_further": Variable(("step",), pulses[-1], long_name="cells stepped so far, trained chip"),
        "diverged": Variable(("chip",), np.array([bool(c.failure) for c in found.curves]), long_name="diverged"),
        "pulses_half": Variable(
            ("chip",),
            np.where(rise > 0.0, half, np.nan),
            long_name="pulses after which half of the rise of the loss is back; nan: nothing lost, or not reached",
        ),
    }


def find_crossing(spent: Array, loss: Array, goal: float) -> float:
    """Return what is spent when a loss first falls to a goal, between tests by a straight line; nan: it never does."""
    below = np.flatnonzero(loss <= goal)
    if not below.size:
        return np.nan
    k = int(below[0])
    if k == 0:
        return 0.0
    share = (loss[k - 1] - goal) / (loss[k - 1] - loss[k])
    return float(spent[k - 1] + share * (spent[k] - spent[k - 1]))
