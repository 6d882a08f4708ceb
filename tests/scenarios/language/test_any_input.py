import copy
import functools
import itertools
import json
import tempfile
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario
from tests.scenarios.scenario_files import GOOD, changed, only_fault, write

# The library of units takes longer to load than an example may usually take.
PATIENT = settings(deadline=None, derandomize=True)


# Strings that look like a quantity, but are none, in a field that goes through a library of units.
@pytest.mark.parametrize("text", ["1 (", "1 " + "'" * 3, "1 rad/0", "1 9**9**9", "1 -" + "-" * 3000, "1 \0", "1 e" * 9])
def test_no_unit_breaks_the_report(tmp_path, text):
    fault = only_fault(write(tmp_path, changed('"90 degree"', json.dumps(text))))
    assert fault.path == ("network", "asymmetry", "angle")


def loads_or_tells(content, *overrides):
    report = "good"
    with tempfile.TemporaryDirectory() as folder:
        try:
            load_scenario(write(Path(folder), content), overrides)
        except ScenarioError as error:
            report = str(error)
    assert report


@settings(PATIENT)
@given(st.binary() | st.text())
def test_no_content_breaks_the_report(content):
    loads_or_tells(content)


@settings(PATIENT)
@given(st.integers(0, len(GOOD)), st.integers(0, 12), st.text(max_size=4) | st.sampled_from("={}[]\"'.#,\n-"))
def test_no_damage_breaks_the_report(start, removed, inserted):
    loads_or_tells(GOOD[:start] + inserted + GOOD[start + removed :])


@settings(PATIENT)
@given(st.text())
def test_no_edit_breaks_the_report(edit):
    loads_or_tells(GOOD, edit, f"seed={edit}", f"{edit}=3")


PLACES = [
    key
    for key in [
        "schema name seed network network.layers network.layers.in network.connections network.connections.0",
        "network.cost network.init network.init.kind network.parameters network.asymmetry chip dynamics dynamics.free",
        "dynamics.dt dynamics.nudged devices devices.feedback learning learning.scheme learning.schemes",
        "learning.schemes.0 learning.schemes.0.kind learning.schemes.1.points task task.kind task.path experiment",
        "experiment.kind experiment.samples experiment.record experiment.record.samples zzz",
    ]
    for key in key.split()
]
SCALARS = (
    st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.booleans()
    | st.dates()
    | st.times()
    | st.sampled_from(["", "in", "in-out", "settle", "idx", "circle", "kind"])
    | st.text(st.characters(exclude_categories=["Cs", "Nd"]), max_size=5)
)
WORDS = st.sampled_from(["kind", "beta", "path", "steps", "samples", "in", "out"]) | st.text("ab-. '\"", max_size=3)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6
)


def _inside(node, key):
    try:
        return node[key]
    except (KeyError, IndexError, TypeError):
        return None


def assert_values_break_no_report(values):
    data = copy.deepcopy(tomlkit.parse(GOOD).unwrap())
    for place, value in values.items():
        *outer, last = [int(key) if key.isdecimal() else key for key in place.split(".")]
        node = functools.reduce(_inside, outer, data)
        if (isinstance(node, dict) and isinstance(last, str)) or (isinstance(node, list) and last in range(len(node))):
            node[last] = value
    loads_or_tells(tomlkit.dumps(data))


VALUES = given(st.dictionaries(st.sampled_from(PLACES), TREES, min_size=1, max_size=3))


@settings(PATIENT, max_examples=300)
@VALUES
def test_no_values_break_the_report(values):
    assert_values_break_no_report(values)


@pytest.mark.slow
@settings(PATIENT, max_examples=500)
@VALUES
def test_no_values_of_many_break_the_report(values):
    assert_values_break_no_report(values)


@settings(PATIENT)
@given(
    sizes=st.lists(st.integers(1, 1000), min_size=2, max_size=5),
    seed=st.integers(0, 2**63 - 1),
    angle=st.integers(0, 180),
    beta=st.floats(1e-6, 100),
    kind=st.sampled_from(["one-sided", "backward", "centred", "circle"]),
    experiment=st.sampled_from(["settle", "measure"]),
)
def test_every_small_scenario_loads(sizes, seed, angle, beta, kind, experiment):
    names = [f"l{i}" for i in range(len(sizes))]
    # An angle needs a connection with a reverse.
    paired = len(sizes) > 2
    wires = [f"{a}-{b}" for a, b in itertools.pairwise(names)] + ([f"{names[2]}-{names[1]}"] if paired else [])
    data = {
        "schema": 1,
        "name": "small",
        "seed": seed,
        "network": {
            "layers": dict(zip(names, sizes, strict=True)),
            "connections": wires,
            "asymmetry": {"angle": f"{angle} deg"} if paired else {},
        },
        "learning": {"scheme": {"kind": kind, "beta": beta}},
        "task": {"kind": "bundled"},
        "experiment": {"kind": experiment},
    }
    with tempfile.TemporaryDirectory() as folder:
        scenario = load_scenario(write(Path(folder), tomlkit.dumps(data))).scenario
    assert list(scenario.network.layers.items()) == list(zip(names, sizes, strict=True))
    assert (scenario.seed, scenario.network.asymmetry.angle) == (seed, angle if paired else 0.0)
    assert (scenario.learning.scheme.kind, scenario.learning.scheme.beta) == (kind, beta)
    assert scenario.experiment.kind == experiment
