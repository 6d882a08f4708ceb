"""Measure gradients on a circuit, and where they differ from the exact ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from learning.oracle.circuits.ledger import CircuitMeasurement, CircuitTrial, measure_circuit
from substrate.circuits.forms import AnyCircuitChip

from ...circuits.setup import CircuitSetup
from ...results.store import Group
from ..kind import COMPLETE, Batch, CircuitWork, Ending
from .plans import CircuitMeasure
from .tables import Schemes, make_circuit_measure_groups


def run_measurement(work: CircuitWork) -> tuple[dict[str, Group], Ending]:
    """Measure every scheme and its ledger."""
    setup, plan = work.setup, work.setup.plan
    if not isinstance(plan, CircuitMeasure):
        raise TypeError(f"{plan.kind} is no measurement")
    chip, batch = setup.chip(threads=work.setting.threads), work.batch(plan.samples)
    schemes = setup.schemes()
    found = measure_batch(setup, chip, batch, schemes, CircuitRepeats(setup.scenario.repeats(plan)), work.watch.say)
    return make_circuit_measure_groups(setup, chip, batch, schemes, found), COMPLETE


class CircuitRepeats(NamedTuple):
    """How often a batch is measured, and how often it was before: names its noise."""

    repeats: int
    epoch: int = 0


def measure_batch(
    setup: CircuitSetup,
    chip: AnyCircuitChip,
    batch: Batch,
    schemes: Schemes,
    often: CircuitRepeats,
    say: Callable[[str], None],
) -> CircuitMeasurement:
    """Measure a batch with every scheme; parameters as those of `learning.oracle.circuits.ledger.measure_circuit`."""
    learning = setup.scenario.learning
    rates = {name: rate for name, rate in find_rates(setup).items() if rate > 0.0}
    weighs = learning.metric == "nominal"
    trial = CircuitTrial(batch.x, batch.target, learning.rule, schemes, weighs, rates, often.epoch)
    return measure_circuit(chip, trial, often.repeats, say)


def find_rates(setup: CircuitSetup) -> dict[str, float]:
    """Return the full learning rate of every block; 0 where the scenario says none."""
    optimiser = setup.scenario.learning.optimiser
    linear = optimiser.rate if optimiser.rate is not None else optimiser.coupled_rate
    rates = {"conductance": linear, "current": linear, "gate": optimiser.gate_rate}
    return {name: rates[block.kind] or 0.0 for name, block in setup.graph.blocks.items()}


RUN = run_measurement
"""What this kind of experiment does."""
