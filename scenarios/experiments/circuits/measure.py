"""Measure gradients on a circuit, and where they differ from the exact ones."""

from __future__ import annotations

from collections.abc import Callable

from learning.oracle.circuits.ledger import CircuitMeasurement, CircuitTrial, measure_circuit
from substrate.circuits.forms import AnyCircuitChip

from ...circuits.setup import CircuitSetup
from ...results.store import Group
from ..kind import COMPLETE, Batch, CircuitWork, Ending
from .plans import CircuitMeasure
from .tables import make_measure_groups


def run(work: CircuitWork) -> tuple[dict[str, Group], Ending]:
    """Measure every scheme and its ledger."""
    setup, plan = work.setup, work.setup.plan
    if not isinstance(plan, CircuitMeasure):
        raise TypeError(f"{plan.kind} is no measurement")
    chip, batch = setup.chip(threads=work.setting.threads), work.batch(plan.samples)
    found = measure_batch(setup, chip, batch, setup.scenario.repeats(plan), work.watch.say)
    return make_measure_groups(setup, chip, batch, found), COMPLETE


def measure_batch(
    setup: CircuitSetup, chip: AnyCircuitChip, batch: Batch, repeats: int, say: Callable[[str], None], epoch: int = 0
) -> CircuitMeasurement:
    """Measure a batch with every scheme; parameters as those of `learning.oracle.circuits.ledger.measure_circuit`."""
    learning = setup.scenario.learning
    rates = {name: rate for name, rate in find_rates(setup).items() if rate > 0.0}
    trial = CircuitTrial(
        batch.x, batch.target, learning.rule, setup.schemes(), learning.metric == "nominal", rates, epoch
    )
    return measure_circuit(chip, trial, repeats, say)


def find_rates(setup: CircuitSetup) -> dict[str, float]:
    """Return the full learning rate of every block; 0 where the scenario says none."""
    optimiser = setup.scenario.learning.optimiser
    linear = optimiser.rate if optimiser.rate is not None else optimiser.coupled_rate
    rates = {"conductance": linear, "current": linear, "gate": optimiser.gate_rate}
    return {name: rates[block.kind] or 0.0 for name, block in setup.graph.blocks.items()}
