"""Sizes of nudges that are found before an experiment begins, `beta = "auto"`: the search, its table and its words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from learning.auto_nudge import NudgeRequest, NudgeSize, find_nudge_size
from learning.schemes.allowance import Allowance
from learning.schemes.scheme import PROBE, ROUNDS, ConstantNudges, Scheme, count_demand
from substrate.chip.chip import Chip
from substrate.chip.randomness import has_conjugate_answers
from substrate.protocol import Budget

from ..drawing.sheet import Sheet
from ..results.store import Group, ResultData, Variable
from ..results.views import format_percent
from ..schema.learning import Learning
from .kind import Batch, RunError

NAME = "nudge_size"
"""Group of the sizes that were found."""


def resolve_nudge_sizes(
    chip: Chip, batch: Batch, learning: Learning, say: Callable[[str], None], allowance: Allowance | None = None
) -> tuple[Learning, dict[str, Group]]:
    """Return what is said of learning with every size found, and the group that tells how; as given if none is asked.

    Parameters
    ----------
    chip : Chip
        It is measured, and its budget counts that.
    batch : Batch
        The samples to measure with.
    learning : Learning
        In units of the model.
    say : callable
        Is told what is done next.
    allowance : Allowance, optional
        What pays for the estimates that are averaged; absent: one estimate is judged by itself.

    Raises
    ------
    RunError
        If no sample settles.
    """
    if not learning.searches:
        return learning, {}
    schemes, found = list[Scheme](), list[NudgeSize]()
    for scheme in learning.written_schemes():
        if not (isinstance(scheme, ConstantNudges) and scheme.is_auto):
            schemes.append(scheme)
            continue
        say(f"how large to nudge: {scheme.kind}{scheme.details}")
        try:
            size = find_nudge_size(chip, batch.x, batch.target, _make_request(chip, scheme, allowance))
        except ValueError as error:
            raise RunError(str(error)) from error
        found.append(size)
        schemes.append(scheme.resized(float(f"{size.beta:.3g}")))
    searched = [s for s, given in zip(schemes, learning.written_schemes(), strict=True) if s is not given]
    return learning.with_schemes(schemes), {NAME: _make_group(searched, found)}


def restore_nudge_sizes(learning: Learning, group: Group) -> Learning:
    """Return what is said of learning with the sizes that an earlier search has left in its group."""
    betas = iter(group["beta"].data.tolist())
    schemes = [s.resized(next(betas)) if s.is_auto else s for s in learning.written_schemes()]
    return learning.with_schemes(schemes)


def _make_request(chip: Chip, scheme: ConstantNudges, allowance: Allowance | None) -> NudgeRequest:
    devices, mirror, averages = chip.design.devices, has_conjugate_answers(chip.design.devices), 1
    if allowance is not None:
        one = count_demand(scheme.tried_first(), mirror)
        averages = max(1, allowance.pays(Budget(settlings=one.settlings, reads=one.reads)))
    circuit = devices.converters.nudge
    largest = np.inf if circuit.full_scale is None else circuit.full_scale / max(circuit.applied(1.0).real, 1e-12)
    by_clock = chip.design.dynamics.ends_by_clock
    probe, rounds = scheme.probe or PROBE, scheme.rounds or ROUNDS
    step = 0.0 if devices.converters.readout is None else devices.converters.readout.step
    return NudgeRequest(scheme, probe, rounds, by_clock, mirror, averages, largest, step)


def _make_group(schemes: list[Scheme], found: list[NudgeSize]) -> Group:
    """Return the sizes that were found, and what every round measured."""
    most = max(len(size.rounds) for size in found)
    path = np.full((len(found), most), np.nan)
    for row, size in zip(path, found, strict=True):
        row[: len(size.rounds)] = [one.size for one in size.rounds]
    both = ("scheme", "layer")
    last = [size.rounds[-1] for size in found]
    return {
        "scheme": Variable(("scheme",), np.array([s.label for s in schemes]), long_name="scheme, with its size"),
        "layer": Variable(("layer",), np.array(found[0].layers), long_name="layer"),
        "beta": Variable(("scheme",), np.array([s.beta for s in schemes]), long_name="size that was found"),
        "measured": Variable(("scheme", "round"), path, long_name="largest size that a round measured"),
        "bias": Variable(both, np.array([one.bias for one in last]), long_name="error by the size, over the gradient"),
        "noise": Variable(both, np.array([one.noise for one in last]), long_name="error by noise and rounding"),
        "settlings": Variable(("scheme",), np.array([s.settlings for s in found]), long_name="of a sample, in all"),
        "limit": Variable(
            ("scheme",), np.array([s.limit for s in found]), long_name="what limits the size, if not noise"
        ),
    }


def describe_nudge_sizes(result: ResultData) -> list[str]:
    """Return which sizes were found, and what they were limited by."""
    group = result.groups.get(NAME)
    if group is None:
        return []
    lines = []
    for s, scheme in enumerate(group["scheme"].data):
        bias, noise, limit = group["bias"].data[s], group["noise"].data[s], str(group["limit"].data[s])
        k = int(np.argmax(np.hypot(bias, noise)))
        words = f"errors of {format_percent(bias[k])} by its size and {format_percent(noise[k])} by noise"
        limited = f"; it is limited by {limit}" if limit else ""
        lines.append(
            f'beta = "auto" was measured to be {group["beta"].data[s]:g} ({scheme}): {words} in the worst layer, '
            f"{group['layer'].data[k]}, in {group['settlings'].data[s]} settlings of a sample{limited}."
        )
    return lines


def make_nudge_size_sheets(result: ResultData) -> list[Sheet]:
    """Return the table of the sizes that were found; none where all were given."""
    group = result.groups.get(NAME)
    if group is None:
        return []
    rows = []
    for s, scheme in enumerate(group["scheme"].data):
        sizes = ", ".join(f"{size:.3g}" for size in group["measured"].data[s] if np.isfinite(size))
        for k, layer in enumerate(group["layer"].data):
            head = [str(scheme), sizes, str(group["settlings"].data[s])] if k == 0 else ["", "", ""]
            errors = [format_percent(group[name].data[s, k]) for name in ("bias", "noise")]
            rows.append([*head, str(layer), *errors])
    note = "measured: largest nudge of every round; by size: truncation; by noise: also rounding, incomplete settling"
    return [
        Sheet(
            "Sizes of nudges that were found, and the errors to expect there",
            ["scheme", "measured", "settlings", "layer", "by size", "by noise"],
            rows,
            words=2,
            note=note,
        )
    ]
