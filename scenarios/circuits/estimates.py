"""What is known of the cost of a circuit before it runs."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from learning.circuits.rule import make_imprinting_rule
from learning.schemes.scheme import Scheme
from learning.training import Samples

from ..language.faults import ScenarioError
from ..language.load import LoadedScenario
from ..results.durations import format_duration
from ..schema.circuit.scenario import CircuitSpec
from .setup import CircuitSetup, make_circuit_setup

_BATCHES = 20
"""Batches of a training that are timed."""

_DIODE = 0.6
"""Forward drop of a real diode, in volts."""


def describe_circuit_estimates(loaded: LoadedScenario) -> Iterator[str]:
    """Yield sizes, nudges and scales of a circuit; nothing of its files where they cannot be read."""
    spec = loaded.spec
    if not isinstance(spec, CircuitSpec):
        raise TypeError("no circuit")
    try:
        setup = make_circuit_setup(loaded, spec)
    except ScenarioError as error:
        yield f"No estimates: {error.faults[0].message}"
        return
    circuit = setup.graph.circuit
    counts = {
        "conductors": len(circuit.conductors.g),
        "transistors": len(circuit.transistors.gate),
        "diodes": len(circuit.diodes.a) + len(circuit.ideal.a),
        "amplifiers": len(circuit.amplifiers.entry),
    }
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    yield f"circuit     {len(circuit.free):,} free nodes, {told}"
    chip = setup.chip()
    x = np.asarray(setup.data.x[:16])
    chip.set_input(x)
    chip.settle()
    read = chip.read()
    for name in list(chip.layers)[1:]:
        rms = float(np.sqrt(np.mean(read[name] ** 2)))
        real = (
            f", {rms / _DIODE:.2g} drops of a real diode" if counts["diodes"] and name != list(chip.layers)[-1] else ""
        )
        yield f"voltage     {rms:.3g} V rms in {name}{real}"
    yield f"power       {float(np.mean(chip.power)):.3g} W at rest, without what drives it"
    if (energy := spec.energy).settling_time is not None:
        joules = float(np.mean(chip.heats["free"].compute_joules(energy)))
        yield f"energy      {joules:.3g} J of heat for a free settling of a sample"
    schemes = setup.schemes()
    for scheme in schemes:
        if scheme is not None:
            yield f"nudge       {scheme.label}: {scheme.beta:.4g} S"
    if setup.plan.resumes:
        seconds = _measure_training(setup, schemes[0])
        yield f"time        about {format_duration(seconds)} for the training, by a few batches measured just now"


def _measure_training(setup: CircuitSetup, scheme: Scheme | None) -> float:
    """Return the seconds that all batches of a training take, from some that change nothing."""
    chip, data, size = setup.chip(), setup.data, setup.batch_size
    nothing = dict.fromkeys(setup.graph.blocks, 0.0)
    rule = make_imprinting_rule(setup.scenario.learning.rule, chip, scheme, True, lambda: nothing)
    count, plan = len(data.x), setup.plan
    samples = min(count, getattr(plan, "samples", None) or count)
    ids = [np.arange(first, min(first + size, samples)) for first in range(0, samples, size)]
    tried = [Samples(np.asarray(data.x[rows]), np.asarray(data.y[rows]), rows) for rows in ids[: _BATCHES + 1]]
    rule(tried[0])  # compiles, and does what is done once
    begin = time.perf_counter()
    for batch in tried[1:] or tried:
        rule(batch)
    each = (time.perf_counter() - begin) / max(1, len(tried) - 1)
    return each * len(ids) * int(getattr(plan, "epochs", 1))
