"""Noise of the cells of a scenario: with what of the rest it cannot be combined."""

from __future__ import annotations

from collections.abc import Iterator

from learning.rules.dyadic import Dyadic
from substrate.chip.boards.limits import COMPLEX_NOISE, find_cell_noise_fault
from substrate.chip.boards.regimes import list_cell_processes
from substrate.chip.design import Design

from .schema.learning import Learning

Fault = tuple[tuple[str, ...], str, str]
"""Place, what is wrong and what to try."""

_NOISE = ("devices", "weights", "noise")


def find_cell_noise_faults(design: Design, learning: Learning) -> Iterator[Fault]:
    """Yield what does not go with the noise of the cells, each at a key that can be changed."""
    if fault := find_cell_noise_fault(design):
        yield fault
    if all(process.way == "frozen" for process in list_cell_processes(design)):
        return
    hint = "leave tau_c out: one draw for every batch"
    if any(scheme.needs_complex for scheme in learning.all_schemes()):
        words, _, hint_complex = COMPLEX_NOISE.partition(": ")
        yield _NOISE, words, hint_complex
    if isinstance(learning.rule, Dyadic):
        yield _NOISE, "the adjoint state of this rule settles without noise", f"take the rule error-vector, or {hint}"
