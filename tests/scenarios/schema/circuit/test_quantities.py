"""Quantities of circuits are text with a unit; a number without one is refused with an example."""

import pytest

from scenarios.language.faults import ScenarioError, format_dotted_key, get_value_at
from scenarios.language.load import load_scenario
from tests.scenarios.circuits.scenarios_of_circuits import EXPONENTIAL, GRAPH, LATTICE, LAYERS, NETLIST, change, load

TRAIN = ("experiment", {"kind": "train"})


def list_quantities():
    """Yield the place of every quantity that the small scenarios have, with its scenario and the unit it is in."""
    rates = change(LAYERS, TRAIN, ("learning.optimiser", {"rate": "0.6 uS^2/V^2"}))
    clamped = change(LAYERS, TRAIN, ("learning", {"rule": "coupled", "optimiser": {"coupled_rate": "5 uS/V^2"}}))
    physical = change(LAYERS, ("physical", {"capacitance": "1 pF"}))
    windows = change(EXPONENTIAL, ("devices", {"weights": {"window": ["1 uS", "1 mS"]}, "drops": {"noise": "1 mV"}}))
    for base in (rates, clamped, physical, windows, GRAPH, LATTICE):
        yield from walk(base, base, ())


def walk(base, node, above):
    for key, child in node.items() if isinstance(node, dict) else enumerate(node):
        number, _, unit = child.partition(" ") if isinstance(child, str) else ("", "", "")
        if unit and number.replace("-", "").replace(".", "").isdecimal():
            yield (base, (*above, key))
        elif isinstance(child, dict | list):
            yield from walk(base, child, (*above, key))


QUANTITIES = {format_dotted_key(place): base for base, place in list_quantities()}


def find_faults(data, folder):
    with pytest.raises(ScenarioError) as caught:
        load(data, folder)
    return caught.value.faults


def test_there_are_quantities_of_every_unit():
    units = {get_value_at(base, split(path)).split()[1].lstrip("munpk") for path, base in QUANTITIES.items()}
    assert units == {"V", "S", "A", "F", "ohm", "S/V", "S^2/V^2", "S/V^2"}


def split(path):
    return tuple(int(key) if key.isdecimal() else key for key in path.split("."))


@pytest.mark.parametrize("path", QUANTITIES)
def test_a_number_without_a_unit_is_refused_with_an_example(tmp_path, path):
    base = QUANTITIES[path]
    example = {"S": '"10 uS"', "V": '"0.5 V"'}.get(get_value_at(base, split(path)).split()[1].lstrip("um"), '"')
    (fault,) = find_faults(change(base, (path, 0.5)), tmp_path)
    assert format_dotted_key(fault.path) == path
    assert fault.message.startswith("needs a unit: must be text such as " + example)
    assert fault.hint.startswith("write " + example)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.5", "has no unit"),
        ("five V", "is not a number with a unit"),
        ("5 S", "cannot be read in the unit 'V'"),
        ("5 uS^2/V^2", "cannot be read in the unit 'V'"),
        ("1e999 V", "must be finite"),
    ],
)
def test_text_that_is_no_voltage_is_refused_with_an_example_that_is_one(tmp_path, text, message):
    (fault,) = find_faults(change(GRAPH, ("network.nodes.high.held", text)), tmp_path)
    assert fault.path == ("network", "nodes", "high", "held")
    assert message in fault.message
    assert fault.hint in ('write "0.5 V"', "Its voltage")


@pytest.mark.parametrize(
    ("base", "path", "text", "value"),
    [
        (LAYERS, "network.init.unit", "12 uS", 12e-6),
        (LAYERS, "network.init.unit", "0.012 mS", 12e-6),
        (LAYERS, "network.init.unit", "1.2e-5 siemens", 12e-6),
        (LAYERS, "learning.optimiser.rate", "0.6 uS^2/V^2", 0.6e-12),
        (LAYERS, "learning.optimiser.rate", "6e-13 S^2/V^2", 0.6e-12),
        (LAYERS, "learning.optimiser.rate", "0.5 mS^2/V^2", 0.5e-6),
        (GRAPH, "network.models.penn.transconductance", "0.85 mS/V", 850e-6),
        (GRAPH, "network.elements.7.current", "-10 nA", -10e-9),
        (GRAPH, "network.elements.1.resistance", "0.5 kohm", 500.0),
        (GRAPH, "network.elements.8.capacitance", "2 nF", 2e-9),
        (GRAPH, "network.temperature", "27 degC", 300.15),
        (GRAPH, "network.temperature", "300 K", 300.0),
    ],
)
def test_units_become_one_another(tmp_path, base, path, text, value):
    if "degC" in text:
        (fault,) = find_faults(change(base, (path, text)), tmp_path)
        assert fault.hint == 'write "300 K"'
        return
    spec = load(change(base, (path, text)), tmp_path).spec
    found = spec
    for key in split(path):
        found = found[key] if isinstance(found, dict | list) else getattr(found, key)
    assert found == pytest.approx(value, rel=1e-15)


def test_the_rate_of_coupled_learning_has_a_unit_of_its_own(tmp_path):
    learning = ("learning", {"rule": "coupled", "optimiser": {"coupled_rate": "5 uS/V^2"}})
    assert load(change(LAYERS, learning), tmp_path).spec.learning.optimiser.coupled_rate == 5e-6
    (fault,) = find_faults(change(LAYERS, ("learning.optimiser.rate", "5 uS/V^2")), tmp_path)
    assert fault.message == "cannot be read in the unit 'S^2/V^2'"
    assert fault.hint == 'write "0.6 uS^2/V^2"'


@pytest.mark.parametrize("base", [LAYERS, EXPONENTIAL, GRAPH, LATTICE, NETLIST])
def test_a_resolved_scenario_is_the_same_scenario(tmp_path, base):
    spec = load(base, tmp_path).spec
    again = tmp_path / "again.toml"
    again.write_text(spec.to_toml())
    assert load_scenario(again).spec == spec
