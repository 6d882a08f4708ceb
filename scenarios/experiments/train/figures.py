"""Figures of a training, over its epochs."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from ...drawing.space import Space
from ...drawing.style import draw_epoch_curve, format_plain_text, set_cosine_limits, start_at_zero
from ...results.store import Group, ResultData
from ...results.views import list_measured_epochs
from ..figures import figure
from .sheets import get_symmetry_mark

_SCHEMES = 3


@figure(
    "training",
    when=lambda result: "metrics" in result.groups,
    caption=(
        "Training. Loss and share of wrong classes after each epoch; epoch 0 is the chip before training. A "
        "gap between training and test samples is overfitting; a gap to the dashed curves, where they are "
        "drawn, is what the measured gradients cost against exact ones."
    ),
)
def draw_training(space: Space, result: ResultData) -> None:
    """Draw loss and error of training and test samples; dashed: the same training with exact gradients."""
    group, exact = result["metrics"], result.groups.get("metrics_exact")
    parts = [f"_{part}" for part in ("train", "test")]
    names = [name for name in ("loss", "error") if any(np.isfinite(group[name + part].data).any() for part in parts)]
    names = names or ["loss"]
    axes_list = space.make_panels(len(names), share=False)
    for axes, name in zip(axes_list, names, strict=True):
        scale = 100.0 if name == "error" else 1.0
        known = [part for part in ("train", "test") if np.isfinite(group[f"{name}_{part}"].data).any()]
        for k, part in enumerate(known or ("train", "test")):
            words = _counted(result, "training" if part == "train" else "test")
            draw_epoch_curve(axes, group["epoch"].data, scale * group[f"{name}_{part}"].data, k, words)
            if exact:
                value = scale * exact[f"{name}_{part}"].data
                draw_epoch_curve(axes, exact["epoch"].data, value, k, f"{words}, exact gradients", dashed=True)
        cost = "cost" if (unit := group["loss_train"].units) == "1" else unit
        axes.set_ylabel("wrong classes (%)" if name == "error" else f"loss ({cost} per sample)")
        _set_log_if_wide(axes)
    space.place_legend(axes_list[:1])


def _counted(result: ResultData, part: str) -> str:
    """Return what samples a curve is a mean over, and how many."""
    number = result.groups.get("provenance", {}).get(f"{part}_samples")
    return f"{part} samples" + ("" if number is None else f" (n = {int(number.data):,})")


def _set_log_if_wide(axes: Axes) -> None:
    """Use a logarithmic axis when a linear one would show nothing but the largest value."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=np.float64) for line in axes.lines])
    values = values[np.isfinite(values)]
    if values.size and values.min() > 0.0 and values.max() > 100.0 * values.min():
        axes.set_yscale("log")
    else:
        start_at_zero(axes)


@figure(
    "angles",
    when=lambda result: "symmetry_couplings" in result.groups.get("metrics", {}),
    caption=(
        "Asymmetry. Angle between the forward weights and the transposed feedback weights of each pair: 0 "
        "degree is the perfect match that equilibrium propagation assumes, 90 degree is no relation. Symmetry "
        "compares the symmetric part of all couplings with the antisymmetric part; W - 1 includes the leak of "
        "the units. The loss of Jacobian homeostasis is that of the weights as they are, whether or not it is "
        "trained."
    ),
)
def draw_angles(space: Space, result: ResultData) -> None:
    """Draw the angle of forward and feedback weights of each pair, the symmetry, and the loss of homeostasis."""
    group = result["metrics"]
    paired, known = "angle_weights" in group, "homeostasis_loss" in group
    axes_list = space.make_panels(1 + paired + known, share=False)
    if paired:
        for k, pair in enumerate(group["pair"].data):
            draw_epoch_curve(axes_list[0], group["epoch"].data, group["angle_weights"].data[:, k], k, pair)
        axes_list[0].set_ylabel("angle between forward\nand feedback weights (degree)")
        start_at_zero(axes_list[0])
    middle, first = axes_list[int(paired)], len(group["pair"].data) if paired else 0
    about = get_symmetry_mark(group)
    for k, (name, words) in enumerate((("couplings", "symmetry of W"), ("reference", "symmetry of W - 1")), first):
        draw_epoch_curve(middle, group["epoch"].data, group[f"symmetry_{name}"].data, k, words + about)
    middle.set_ylabel("symmetry |S| / (|S| + |A|)\n(1: symmetric)")
    if known:
        value, words = group["homeostasis_loss"].data, "loss of homeostasis" + about
        draw_epoch_curve(axes_list[-1], group["epoch"].data, value, first + 2, words)
        axes_list[-1].set_ylabel("loss of homeostasis per unit\n2 |A|$^2$ / n (0: symmetric)")
        _set_log_if_wide(axes_list[-1])
    space.place_legend(axes_list)


@figure(
    "cosine_by_epoch",
    when=lambda result: len(list_measured_epochs(result)) > 1,
    caption=(
        "Gradient quality over training. Cosine of the measured to the exact gradient, per layer: 1 is the "
        "right direction. Aim at 0.9 or more in every layer; a layer near 0 does not learn. Of many "
        "schemes, the first three."
    ),
)
def draw_epoch_cosines(space: Space, result: ResultData) -> None:
    """Draw the cosine of each layer to the exact gradient over the epochs; of many schemes the first three."""
    group = result["gradient"]
    schemes = group["scheme"].data[:_SCHEMES]
    axes_list = space.make_panels(len(schemes))
    for s, axes in enumerate(axes_list):
        _draw_layer_cosines(axes, group, s)
        axes.set_title(format_plain_text(schemes[s]))
    set_cosine_limits(axes_list[0])
    axes_list[0].set_ylabel("cosine to the exact gradient")
    space.place_legend(axes_list[:1])


def _draw_layer_cosines(axes: Axes, group: Group, s: int) -> None:
    for k, layer in enumerate(group["layer"].data):
        draw_epoch_curve(axes, group["epoch"].data, group["cosine"].data[:, s, k], k, layer)
