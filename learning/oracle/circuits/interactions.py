"""Oracle side: what every cause of error on a circuit does alone, and what is gained without it.

As `learning.oracle.ledger.interactions` has it for rate networks, on error vectors. The causes are the imperfections of
the devices by their keys, then settling and precision where these are not complete; those that no error vector feels,
such as offsets of comparators, are left out. With no cause there is still the finite nudge, the clamp, and the
asymmetry of transistors and of the metric.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from substrate.circuits.chip import CircuitChip
from substrate.circuits.design import CircuitDesign
from substrate.circuits.forms import AnyCircuitChip, make_oracle
from substrate.circuits.layered.chip import LayeredChip
from substrate.protocol import has_settled

from ...circuits.coupled import Coupled
from ..ledger.errors import Causes, ChipErrors, MeasuredErrors
from ..ledger.interactions import Interactions, compare_causes, list_cause_sets
from ..ledger.pairs import measure_pairs
from .ledger import CircuitTrial, find_unit, find_vector

Array = NDArray[np.float64]
Say = Callable[[str], None]

_BOUNDS = ("weights.window", "weights.levels", "transistors.gate", "update")
"""Keys that limit what is written, and move nothing that is there."""


def find_circuit_causes(chip: AnyCircuitChip) -> list[str]:
    """Return the names of all causes that `chip` may have: keys of its devices, settling, precision."""
    if isinstance(chip, CircuitChip):
        own, whole = chip.design, chip.make_complete().design
        slow = own.tolerance != whole.tolerance or own.clock.is_on
        return [*_list_device_keys(own), *(["settling"] if slow else [])]
    layers, best = chip.design, chip.make_complete().design
    found = ["settling"] if (layers.tolerance, layers.sweeps) != (best.tolerance, best.sweeps) else []
    return [*found, "precision"] if layers.precision != best.precision else found


def measure_circuit_interactions(
    chip: AnyCircuitChip, trial: CircuitTrial, repeats: int, say: Say, layers: Sequence[slice]
) -> list[Interactions]:
    """Measure the trial with every cause alone, and with every cause removed; one result per scheme.

    Parameters
    ----------
    chip : CircuitChip or LayeredChip
        The circuit as it is.
    trial : CircuitTrial
        What is asked.
    repeats : int
        Measurements with noise of their own, of every circuit on which two of them differ.
    say : callable
        Is told which circuit is measured next.
    layers : sequence of slice
        Nodes of every part that weighs the same where pairs of causes are chosen.
    """
    names, every = find_circuit_causes(chip), MeasuredErrors({}, [])

    def measure(bench: MeasuredErrors, words: str, present: Causes) -> None:
        if present not in bench.found:
            say(f"interactions: {words}")
            _measure(bench, _keep_causes(chip, names, present), present, trial, repeats)

    for words, present in list_cause_sets(names).items():
        measure(every, words, present)
    acting = [name for name in names if _acts(every, name, names)]
    bench = _select(every, names, acting)
    measure_pairs(bench, acting, layers, partial(measure, bench))
    return [compare_causes(bench, acting, s) for s in range(len(trial.schemes))]


def _list_device_keys(design: CircuitDesign) -> list[str]:
    """Return the keys of the devices that are not ideal, as ``block.key``."""
    ideal = type(design.devices)()
    return [
        f"{name}.{key}"
        for name in type(design.devices).model_fields
        if name not in _BOUNDS and isinstance(block := getattr(design.devices, name), BaseModel)
        for key in type(block).model_fields
        if f"{name}.{key}" not in _BOUNDS and getattr(block, key) != getattr(getattr(ideal, name), key, None)
    ]


def _keep_causes(chip: AnyCircuitChip, names: list[str], present: frozenset[str]) -> AnyCircuitChip:
    """Return the circuit that has some of its causes alone."""
    settles = "settling" in present
    if isinstance(chip, LayeredChip):
        ends = (chip if settles else chip.make_complete()).design
        precise = (chip if "precision" in present else chip.make_complete()).design
        return chip.variant(tolerance=ends.tolerance, sweeps=ends.sweeps, precision=precise.precision)
    devices, ideal = chip.design.devices, type(chip.design.devices)()
    for block, key in (name.split(".") for name in names if "." in name and name not in present):
        part = getattr(devices, block).model_copy(update={key: getattr(getattr(ideal, block), key)})
        devices = devices.model_copy(update={block: part})
    end = (chip if settles else chip.make_complete()).design
    return chip.variant(devices=devices, tolerance=end.tolerance, clock=end.clock)


def _measure(
    bench: MeasuredErrors, chip: AnyCircuitChip, present: frozenset[str], trial: CircuitTrial, repeats: int
) -> None:
    """Add the errors of one circuit against its own exact gradient."""
    oracle = make_oracle(chip)
    point = oracle.find_point(trial.x, trial.target)
    unit = find_unit(point, point.reached) if isinstance(trial.rule, Coupled) else 1.0
    bench.settled.append(point.reached)
    errors: list[list[Array]] = []
    for scheme in trial.schemes:
        readings = [trial.rule.measure(chip, trial.present(r), scheme) for r in range(repeats if chip.is_random else 1)]
        bench.settled.extend(has_settled(one.status, chip.ends_by_clock) for one in readings)
        with np.errstate(invalid="ignore"):  # a sample that diverged is not kept
            errors.append([find_vector(chip, trial, one, oracle.metrics) / unit - point.adjoint for one in readings])
    bench.found[present] = ChipErrors(errors, chip.is_random)


def _acts(bench: MeasuredErrors, name: str, names: list[str]) -> bool:
    """Tell whether any error differs with a cause and without it."""
    everything = frozenset(names)
    pairs = [(frozenset({name}), frozenset[str]()), (everything, everything - {name})]
    return any(
        not np.array_equal(one, other, equal_nan=True)
        for with_it, without in pairs
        for several, rest in zip(bench.found[with_it].repeats, bench.found[without].repeats, strict=True)
        for k, one in enumerate(several)
        for other in [rest[k % len(rest)]]
    )


def _select(bench: MeasuredErrors, names: list[str], acting: list[str]) -> MeasuredErrors:
    """Return the circuits by the causes that act: of sets that differ in idle ones alone, either stands for both."""
    idle = frozenset(names) - frozenset(acting)
    return MeasuredErrors({present - idle: errors for present, errors in bench.found.items()}, bench.settled)
