"""Advice in words: what was changed against the largest cause of error, and what that was measured to gain."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from learning.oracle.ledger.remedies import FINE_BITS
from substrate.chip.causes import DECLARED

from ...results.store import Group
from ...results.views import format_percent

WORDS = {name: one.cause.cure for name, one in DECLARED.items() if one.cause.cure} | {
    "correction-knowledge": "a correction that knows the effective weights",
    "cell-bounds": "cells that hold whatever they are programmed to",
    "symmetric-weights": "weights that are kept symmetric",
    "smaller-nudge": "half the nudge",
    "centred-nudge": "a centred nudge",
    "longer-phases": "phases twice as long, or a hundredth of the tolerance",
    "neuron-speeds": "faster or better matched membranes",
    "double-precision": "double precision",
    "bits": f"{FINE_BITS} bits",
    "linearity": "equal steps of the converter",
    "converter-spread": "smaller offset and gain errors of the converter",
    "pedestal": "a smaller pedestal",
    "droop": "slower droop",
    "nudge-gain": "a nudge circuit of the right gain",
    "nudge-offset": "a smaller offset of the nudge circuit",
    "nudge-range": "a nudge circuit of wider range and more bits",
    "hold-noise": "a larger hold capacitor",
    "longer-window": "windows four times as long",
    "larger-nudge": "twice the nudge",
}
"""Every remedy of `learning.oracle.ledger.remedies`, named as a change."""

CIRCUIT_WORDS = {
    "held-nudge": "a nudge that is held",
    "smaller-clamp": "half the clamp",
    "larger-clamp": "twice the clamp",
    "nudging-currents": "outputs that small held currents nudge",
    "metric": "squared drops weighed by the gains of the amplifiers",
    "equal-gains": "amplifiers without spread of B",
    "trimmed-amplifiers": "a trim of B at every amplifier",
    "longer-durations": "phases twice as long",
    "longer-settling": "twice the sweeps, or a hundredth of the tolerance",
    "drop-offsets": "comparators without offsets",
    "equal-squarers": "equal squarers for both phases",
    "one-circuit": "one circuit for both phases",
    "target-offsets": "targets without offsets",
    "read-noise": "reads without noise",
    "conductance-noise": "conductances without fast noise",
}
"""Remedies of `learning.oracle.circuits.remedies` that rate networks have not, named as a change."""

PARTS = {name: one.cause.words for name, one in DECLARED.items() if one.cause.cure} | {
    "correction-knowledge": "what the correction does not know",
    "cell-bounds": "the bounds of cells",
    "neuron-speeds": "the speed of the membranes",
    **dict.fromkeys(("bits", "linearity", "converter-spread"), "the converter"),
    **dict.fromkeys(("pedestal", "droop"), "the hold"),
    **dict.fromkeys(("nudge-gain", "nudge-offset", "nudge-range"), "the nudge circuit"),
    "hold-noise": "noise of the hold",
}
"""What a remedy takes away, where it takes something away and does not turn a key of the measurement."""

_COSINE, _ERROR = 5e-4, 0.95
"""A remedy helps if it raises the cosine by so much, or leaves less than this share of the error."""

_TOLD, _BRIEFLY = 3, 2


class RemedyAttempt(NamedTuple):
    """One change, and its figures in one layer."""

    name: str
    keys: str
    """Keys of the scenario that it changes."""

    before: float
    cosine: float
    error_before: float
    error: float

    @property
    def words(self) -> str:
        """Return it as a change."""
        return (WORDS | CIRCUIT_WORDS)[self.name]

    @property
    def helps(self) -> bool:
        """Whether it gains anything."""
        return self.cosine > self.before + _COSINE or (
            self.error < _ERROR * self.error_before and not self.cosine < self.before - _COSINE
        )


def list_attempts(group: Group, place: int, written: bool = False) -> list[RemedyAttempt]:
    """Return what was measured in a group `ledger/remedies`, the largest gain of the layer or connection first."""
    names = [f"{name}_written" if written else name for name in ("cosine", "error")]
    before, error_before = (float(group[f"{name}_before"].data[place]) for name in names)
    found = [
        RemedyAttempt(str(name), str(keys), before, float(cosine[place]), error_before, float(error[place]))
        for name, keys, cosine, error in zip(*(group[name].data for name in ("remedy", "keys", *names)), strict=True)
        if np.isfinite(error[place])
    ]
    return sorted(found, key=lambda a: (not a.helps, -round(np.nan_to_num(a.cosine), 3), a.error))


def describe_remedies(group: Group | None, place: int, written: bool = False, brief: bool = False) -> str:
    """Return what would help in a layer or connection, each change with its gain; empty without measurements.

    In brief only what helps most is told, if anything does.
    """
    attempts = list_attempts(group, place, written) if group else []
    good, bad = ([a for a in attempts if a.helps is helps][:_TOLD] for helps in (True, False))
    if brief and good:
        good, bad = [a._replace(keys=_name_table(a.keys)) for a in good[:_BRIEFLY]], []
    found = [f" What would help, each measured alone: {_describe_attempts(good)}."] if good else []
    if bad:
        found.append(f" What does not help{'' if good else ' alone'}: {_describe_attempts(bad)}.")
    return "".join(found)


def _name_table(keys: str) -> str:
    """Return the table that all of some keys stand in, or the only key."""
    tables = {key.rpartition(".")[0] for key in keys.split(", ")}
    return tables.pop() if len(tables) == 1 and ", " in keys else keys


def find_main_part(group: Group | None, place: int, written: bool = False) -> str:
    """Return what was taken away with the largest gain in a layer or connection; empty if nothing was, or helped.

    Weights that are kept symmetric take the asymmetry of the programmed ones away: where they gain most, no part of
    the devices is the main one.
    """
    attempts = list_attempts(group, place, written) if group else []
    taken = [a.name for a in attempts if a.helps and (a.name in PARTS or a.name == "symmetric-weights")]
    return PARTS.get(taken[0], "") if taken else ""


def _describe_attempts(attempts: list[RemedyAttempt]) -> str:
    return "; ".join(
        f"{a.words} ({a.keys}): cosine {_format_cosine(a.before)} -> {_format_cosine(a.cosine)}, "
        f"error {format_percent(a.error_before)} -> {format_percent(a.error)}"
        for a in attempts
    )


def _format_cosine(value: float) -> str:
    return f"{value:.4f}" if np.isfinite(value) else "-"
