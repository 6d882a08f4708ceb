"""What copies of a network say: what copying costs, what buys it back, and how that fits the law."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...drawing.sheet import KeyNumber
from ...reach import describe_unreached
from ...results.statistics import Interval, compute_interval
from ...results.store import Group
from ...results.views import format_number, format_percent
from ..evaluate.words import describe_sample_kind

Array = NDArray[np.float64]

_COPIED = {"programmed": "as it was programmed", "measured": "as its units were measured to feel it"}
CELLS = {
    "all": "all cells",
    "readout": "the cells around the outputs",
    "gains": "the gains of the rows and the biases",
}
"""What learns, in words."""

_FAR = 0.2
"""Share of the rise that is of higher order, from which it is told."""


class HalfWay(NamedTuple):
    """What it takes until half of what copying cost is back."""

    pulses: Interval
    """Pulses per cell, over the chips that get there."""

    lost: int
    """Chips on which copying costs something."""

    reached: int
    """Of these: get half of it back."""


def summarise_half(group: Group) -> HalfWay:
    """Return what brings back half of what copying cost."""
    pulses = group["pulses_half"].data
    lost = int(np.count_nonzero(group["rise"].data > 0.0))
    found = compute_interval(pulses / float(group["cells"].data))
    return HalfWay(found._replace(low=np.maximum(found.low, 0.0)), lost, int(np.count_nonzero(np.isfinite(pulses))))


def describe_copies(group: Group) -> str:
    """Return what copying costs, what calibration leaves of it and what training buys back."""
    rise, before = compute_interval(group["rise"].data), float(group["loss_trained"].data)
    if not rise.chips:
        return "No copy gave a number, so there is nothing to judge."
    chip, kind = group["trained_chip"].data, describe_sample_kind(group)
    text = f"Copied {_COPIED[str(group['weights'].data)]}, the network of chip {chip} "
    if not np.any(group["rise"].data):
        return f"{text}has the same {kind} loss on all {int(rise.chips)} other chips: they do not differ from it."
    text += f"has a {kind} loss of {format_number(before + float(rise.mean))} on {int(rise.chips)} other chips, "
    text += f"{format_number(before)} at home: it costs {_format_interval(rise)}"
    if "rise_calibrated" in group:
        left = compute_interval(group["rise_calibrated"].data)
        text += f", of which calibrated rows and offsets leave {_format_interval(left, words=False)}"
    if "pulses_half" in group:
        text += f". {_describe_half(group)}"
    return f"{text}."


def _describe_half(group: Group) -> str:
    half, cells = summarise_half(group), CELLS[str(group["recover_cells"].data)]
    if not half.lost:
        return "No chip lost anything, so there is nothing to bring back"
    if not half.reached:
        steps = int(group["step"].data[-1])
        return f"Training {cells} for {steps:,} batches brings half of it back on none of {half.lost} chips"
    interval = _format_interval(half.pulses)
    where = f"on {'all' if half.reached == half.lost else f'{half.reached} of'} {half.lost} chips that lost anything"
    return f"Training {cells} brings half of it back with {interval} pulses per cell, {where}"


def _format_interval(found: Interval, *, words: bool = True) -> str:
    """Return a mean and its interval, if there is one."""
    mean = format_number(float(found.mean))
    if not np.isfinite(found.low):
        return mean
    ends = f"{format_number(float(found.low))} to {format_number(float(found.high))}"
    return f"{mean} ({'95 % interval ' if words else ''}{ends})"


def describe_copy_remarks(group: Group) -> list[str]:
    """Return what the law says, what was not reached, and what the trained chip itself makes of more training."""
    found = [text for text in (_describe_law(group), _describe_further(group)) if text]
    if "pulses_half" in group:
        half, chips = summarise_half(group), len(group["chip"].data)
        if half.reached < half.lost:
            missing = f"{half.lost - half.reached} of {half.lost} chips do not get half of it back"
            found.append(
                f"{missing}{': the mean of the pulses leaves them out, and is too small' * (half.reached > 0)}."
            )
        if half.lost < chips:
            found.append(f"{chips - half.lost} of {chips} copies lost nothing: they are not asked for pulses.")
        if diverged := int(group["diverged"].data.sum()):
            found.append(f"On {diverged} chips training diverged. A smaller rate would help.")
    if "untold" in group and group["untold"].data.any():
        count = float(group["untold"].data.mean())
        why = "their activities tell too little, or their rows are too far off"
        found.append(f"{count:.3g} units of a chip were not calibrated: {why}.")
    if "unsettled_reads" in group:
        found.append(f"Left out of what was measured: {int(group['unsettled_reads'].data)} reads that did not settle.")
    if "unreached" in group:
        found.append(describe_unreached(f"up to {int(group['unreached'].data.max())} of a chip"))
    if (moving := float(np.nanmean(group["unsettled_copied"].data))) > 0.0:
        found.append(f"{format_percent(moving)} of the samples did not settle on the copies.")
    return found


def _describe_law(group: Group) -> str:
    if "unknown" in group:
        return f"No law tells what copies of this design lose: it does not know {group['unknown'].data}."
    law, shift, spread = (float(group[name].data) for name in ("law", "law_shift", "law_spread"))
    found = compute_interval(group["rise"].data)
    if not np.any(group["rise"].data) or not np.isfinite(law):
        return ""
    text = f"To second order a copy is expected to lose {format_number(law)}: {format_number(spread)} by its own errors"
    text += f" and {format_number(shift)} by those of the trained chip, which it lacks; "
    text += f"measured {format_number(float(found.mean))}"
    if np.isfinite(found.low):
        inside = found.low <= law <= found.high
        text += f", of which the 95 % interval {'holds' if inside else 'does not hold'} the law"
    rest = float(compute_interval(group["rise"].data - group["second_order"].data).mean)
    if abs(rest) > _FAR * abs(float(found.mean)):
        text += f". Errors are so large that {format_number(rest)} of it is of higher order"
    if missed := int(group["unrested"].data):
        text += f". The law leaves out {missed} samples that have no rest point on the trained chip"
    return f"{text}."


def _describe_further(group: Group) -> str:
    """Return what more of the same training makes of the trained chip, which copies are not compared with."""
    if "loss_further" not in group or not np.isfinite(end := float(group["loss_further"].data[-1])):
        return ""
    begin = float(group["loss_trained"].data)
    return (
        f"The same training takes the trained chip itself from {format_number(begin)} to {format_number(end)}; half of "
        "what copying cost is counted from where it was."
    )


def list_copy_numbers(group: Group) -> list[KeyNumber]:
    """Return what copying costs, what is left of it, and the pulses that buy half of it back."""
    rise, kind = compute_interval(group["rise"].data), describe_sample_kind(group)
    n = f", n = {int(rise.chips)} chips"
    numbers = [KeyNumber(format_number(float(rise.mean)), f"{kind} loss that copying costs{_name_ends(rise)}{n}")]
    if "rise_calibrated" in group:
        left = compute_interval(group["rise_calibrated"].data)
        words = f"of it left behind calibration of rows and offsets{_name_ends(left)}{n}"
        numbers.append(KeyNumber(format_number(float(left.mean)), words))
    elif "law" in group:
        numbers.append(KeyNumber(format_number(float(group["law"].data)), "expected of it to second order"))
    if "pulses_half" in group:
        half = summarise_half(group)
        words = f"pulses per cell that bring half of it back{_name_ends(half.pulses)}, n = {half.reached} of "
        words += f"{half.lost} chips that lost anything"
        value = format_number(float(half.pulses.mean)) if half.reached else "not reached"
        return [*numbers, KeyNumber(value, words)]
    return [*numbers, KeyNumber(format_number(float(np.nanmax(group["rise"].data))), f"of the worst copy{n}")]


def _name_ends(found: Interval) -> str:
    if not np.isfinite(found.low):
        return ""
    return f", 95 % interval {format_number(float(found.low))} to {format_number(float(found.high))}"


def compute_copy_metrics(group: Group) -> dict[str, float]:
    """Return the trained loss, the rise before and after calibration over chips, the pulses and the law."""
    found = {"copy/chips": float(len(group["chip"].data)), "copy/loss_trained": float(group["loss_trained"].data)}
    for name in ("rise", "rise_calibrated"):
        if name in group:
            good = group[name].data[np.isfinite(group[name].data)]
            found[f"copy/{name}_mean"] = float(good.mean()) if good.size else math.nan
            found[f"copy/{name}_std"] = float(good.std(ddof=1)) if good.size > 1 else math.nan
            found[f"copy/{name}_worst"] = float(good.max()) if good.size else math.nan
    if "pulses_half" in group:
        half = summarise_half(group)
        found |= {"copy/pulses_half_mean": float(half.pulses.mean), "copy/reached": float(half.reached)}
    return found | {f"copy/{name}": float(group[name].data) for name in ("law", "law_spread") if name in group}
