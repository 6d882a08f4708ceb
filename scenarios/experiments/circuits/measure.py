"""Measure gradients on a circuit, and where they differ from the exact ones."""

from __future__ import annotations

from learning.oracle.circuits.interactions import measure_circuit_interactions
from learning.oracle.circuits.ledger import CircuitTrial, measure_circuit
from learning.oracle.circuits.remedies import CircuitMeans, measure_circuit_remedies, read_first_gain

from ...circuits.setup import CircuitSetup
from ...results.store import Group
from ..kind import COMPLETE, Batch, CircuitWork, Ending
from ..measure.words import find_largest_cause
from .plans import CircuitMeasure
from .tables import (
    Schemes,
    find_columns,
    make_circuit_interaction_groups,
    make_circuit_measure_groups,
    make_circuit_remedy_group,
)


def run_measurement(work: CircuitWork) -> tuple[dict[str, Group], Ending]:
    """Measure every scheme and its ledger."""
    setup, plan = work.setup, work.setup.plan
    if not isinstance(plan, CircuitMeasure):
        raise TypeError(f"{plan.kind} is no measurement")
    chip, batch = setup.chip(threads=work.setting.threads), work.batch(plan.samples)
    schemes = setup.schemes()
    trial = make_trial(setup, batch, schemes)
    found = measure_circuit(chip, trial, setup.scenario.repeats(plan), work.watch.say)
    chip = found.chip
    groups = make_circuit_measure_groups(setup, chip, batch, schemes, found)
    if plan.interactions:
        layers = list(find_columns(chip).columns.values())
        interactions = measure_circuit_interactions(chip, trial, setup.scenario.repeats(plan), work.watch.say, layers)
        groups |= make_circuit_interaction_groups(chip, groups["ledger"], found, interactions)
    blamed = find_largest_cause(groups["ledger"], groups.get("ledger/connections"))
    if work.setting.advise and blamed is not None:
        work.watch.say("what would help")
        now = CircuitMeans(chip, trial, schemes[blamed.scheme])
        gains = measure_circuit_remedies(now, found, blamed.terms)
        own = read_first_gain(now, found, blamed.scheme)
        groups["ledger/remedies"] = make_circuit_remedy_group(found, blamed.scheme, own, gains)
    return groups, COMPLETE


def make_trial(setup: CircuitSetup, batch: Batch, schemes: Schemes, epoch: int = 0) -> CircuitTrial:
    """Return what is asked of a circuit: a batch that was measured `epoch` times before, with every scheme."""
    learning = setup.scenario.learning
    rates = {name: rate for name, rate in find_rates(setup).items() if rate > 0.0}
    weighs = learning.metric == "nominal"
    return CircuitTrial(batch.x, batch.target, learning.rule, schemes, weighs, rates, epoch)


def find_rates(setup: CircuitSetup) -> dict[str, float]:
    """Return the full learning rate of every block; 0 where the scenario says none."""
    optimiser = setup.scenario.learning.optimiser
    linear = optimiser.rate if optimiser.rate is not None else optimiser.coupled_rate
    rates = {"conductance": linear, "current": linear, "gate": optimiser.gate_rate}
    blocks = {name: rates[block.kind] or 0.0 for name, block in setup.graph.blocks.items()}
    own = {name if "/" in name else f"conductance/{name}": rate for name, rate in optimiser.rates.items()}
    return blocks | own


RUN = run_measurement
"""What this kind of experiment does."""
