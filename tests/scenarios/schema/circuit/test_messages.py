"""Errors in tables under names of the user, or of several kinds, name the place and the choice."""

import pytest

from scenarios.language.faults import ScenarioError, format_dotted_key
from tests.scenarios.circuits.scenarios_of_circuits import EXPONENTIAL, GRAPH, LATTICE, LAYERS, change, load

AMPLIFIER = {"forward": 2.0, "backwards": 0.5}


@pytest.mark.parametrize(
    ("base", "changes", "path", "message", "hint"),
    [
        (GRAPH, ("network.models.penn.kind", None), "network.models.penn", "has no `kind`", "'mos' or 'diode'"),
        (GRAPH, ("network.models.penn.kind", "mso"), "network.models.penn.kind", "must be 'mos' or 'diode'", "'mos'?"),
        (GRAPH, ("network.models.penn.gain", 1.0), "network.models.penn.gain", "unknown key", "threshold"),
        (GRAPH, ("network.nodes.high.volts", "1 V"), "network.nodes.high.volts", "unknown key", "held"),
        (
            GRAPH,
            ("network.nodes.x", "inptu"),
            "network.nodes.x",
            "must be 'input' or 'output'",
            "did you mean 'input'?",
        ),
        (GRAPH, ("network.elements.3.kind", "diod"), "network.elements.3.kind", "'conductor', 'current'", "'diode'?"),
        (GRAPH, ("network.elements.1.gate", "1 V"), "network.elements.1.gate", "unknown key", "name, between, kind"),
        (GRAPH, ("network.elements.1.between", ["x"]), "network.elements.1.between", "at least 2 item(s)", "ground"),
        (
            GRAPH,
            ("network.elements.1.between.0", "a b"),
            "network.elements.1.between.0",
            "must match ^[A-Za-z0-9]",
            None,
        ),
        (LATTICE, ("network.lattice.rows", 1), "network.lattice.rows", "must be >= 2", "Number of rows"),
        (LATTICE, ("network.lattice.held.r0c2", 0.4), "network.lattice.held.r0c2", "needs a unit", '"0.5 V"'),
        (EXPONENTIAL, ("network.diodes.h1.kind", "idael"), "network.diodes.h1.kind", "must be 'ideal'", "'ideal'?"),
        (LAYERS, ("network.diodes.h1", {}), "network.diodes.h1", "has no `kind`", "'ideal' or 'exponential'"),
        (LAYERS, ("network.diodes.h1", "ieal"), "network.diodes.h1", "must be 'ideal'", "did you mean 'ideal'?"),
        (LAYERS, ("network.layers.h1", 0), "network.layers.h1", "must be >= 1", "Nodes per layer"),
        (LAYERS, ("network.layers", None), "network.layers", "missing", "Nodes per layer"),
        (LAYERS, ("network.elements", []), "network.elements", "unknown key", "known keys: law, layers"),
        (GRAPH, ("network.bias", "none"), "network.bias", "unknown key", "known keys: law, nodes"),
        (
            LAYERS,
            ("network.amplifiers", {"h1": AMPLIFIER}),
            "network.amplifiers.h1.backwards",
            "unknown",
            "'backward'?",
        ),
        (LAYERS, ("learning.scheme.beta", {}), "learning.scheme.beta.fraction", "missing", "at most 0.5"),
        (LAYERS, ("learning.scheme.beta", {"fraction": 0.9}), "learning.scheme.beta.fraction", "must be <= 0.5", None),
        (LAYERS, ("learning.scheme.beta", 0.1), "learning.scheme.beta", "needs a unit", '"10 uS"'),
        (LAYERS, ("learning.rule", "coupeld"), "learning.rule", "'coupled' or 'contrastive'", "'coupled'?"),
        (LAYERS, ("task.inputs.0", "1 V"), "task.inputs.0", "must be an array, is a string", "One row a sample"),
        (LAYERS, ("dynamics.dt", 0.5), "dynamics.dt", "unknown key", "tolerance, sweeps, precision"),
    ],
)
def test_an_error_names_its_place_and_the_choice(tmp_path, base, changes, path, message, hint):
    with pytest.raises(ScenarioError) as caught:
        load(change(base, changes), tmp_path)
    (fault,) = caught.value.faults
    assert format_dotted_key(fault.path) == path
    assert message in fault.message
    assert hint is None or hint in fault.hint
