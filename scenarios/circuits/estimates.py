"""What is known of the cost of a circuit before it runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..language.faults import ScenarioError
from ..language.load import LoadedScenario
from ..schema.circuit.scenario import CircuitSpec
from .setup import make_circuit_setup

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
    for scheme in setup.schemes():
        if scheme is not None:
            yield f"nudge       {scheme.label}: {scheme.beta:.4g} S"
