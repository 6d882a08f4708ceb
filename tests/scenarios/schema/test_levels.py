"""Laws of every key that is a level, a rate, a conductance or a time: it may be written in volts, siemens, seconds."""

import inspect
import re
import tomllib
from typing import get_args

import pytest
import tomlkit
from pydantic import BaseModel

from devices.parameters import Level, Time
from devices.quantities import CellQuantity, Slew
from scenarios.schema.plan import NOISY_REPEATS
from scenarios.schema.scenario import ScenarioSpec
from tests.scenarios.scenario_files import GOOD, faults_of, write

PHYSICAL = {"volt_scale": "200 mV", "activity_volts": "500 mV", "tau": "1 us", "capacitance": "10 pF"}
VOLTS = {"volt_scale": 0.2, "activity_volts": 0.5}
SIEMENS = 1e-5 * 0.2 / 0.5

NUMERICAL = {("dynamics", "free", "tolerance"), ("dynamics", "nudged", "tolerance")}
"""In units of the state, but of the computation and not of the chip."""


def marks(model, above=(), branch=()):
    """Yield (key, the kinds of the tables on the way, description, mark or None) of every field."""
    for name, field in model.model_fields.items():
        here, found = (*above, field.alias or name), list(_inside([field.annotation, *field.metadata]))
        tables = [part for part in found if inspect.isclass(part) and issubclass(part, BaseModel)]
        mark = next((part for part in found if isinstance(part, Level | Slew | CellQuantity | type(Time))), None)
        if not tables:
            yield here, branch, field.description or "", mark
        for table in tables:
            if table is not model:
                yield from marks(table, here, (*branch, (here, table)))


def _inside(parts):
    for part in parts:
        yield part
        yield from _inside(get_args(part))


FIELDS = {(key, branch): (text, mark) for key, branch, text, mark in marks(ScenarioSpec)}
MARKED = {where: mark for where, (_, mark) in FIELDS.items() if mark is not None}


def test_every_level_of_the_state_or_the_activity_takes_volts():
    """A key whose description names such a unit is marked as one that takes text."""
    words = ("units of the state", "units of the activity")
    told = {key for (key, _), (text, _) in FIELDS.items() if any(word in " ".join(text.split()) for word in words)}
    marked = {key for (key, _), mark in MARKED.items()}
    curve = ("network", "activation", "units")
    assert told - NUMERICAL - {curve} <= marked
    assert len(told) > 15


def test_every_time_takes_seconds():
    """A key whose description gives a time in tau takes text in seconds; other times are in seconds always."""
    unit = re.compile(r"\b(in|units of) tau\b")
    told = {key for (key, _), (text, _) in FIELDS.items() if unit.search(" ".join(text.split()))}
    marked = {key for (key, _), mark in MARKED.items() if isinstance(mark, type(Time))}
    assert told == marked
    assert len(told) > 12


def text_of(mark, number):
    if isinstance(mark, type(Time)):
        return f"{number!r} us"
    if isinstance(mark, CellQuantity):
        return f"{number * SIEMENS!r} S" if mark.unit == "S" else f"{number / SIEMENS!r} ohm"
    volts = number * VOLTS[mark.scale]
    return f"{volts / 1e-6!r} V/s" if isinstance(mark, Slew) else f"{volts!r} {mark.unit}"


def scenario(key, branch, value):
    """Return the smallest scenario with a value at a key, and what must stand beside it."""
    waits = {"hold_time": 1.0} if "hold" in key else {}
    data = tomllib.loads(GOOD) | {"physical": PHYSICAL, "phases": {"nudge": "held", **waits}}
    data["learning"] = {"scheme": {"kind": "centred", "beta": 0.2}}
    data["devices"] = {}
    data["dynamics"] = {"method": "exponential", "free": {"duration": 5.0}, "nudged": {"duration": 5.0}}
    tables, node = dict(branch), data
    for depth, name in enumerate(key[:-1], 1):
        node = node.setdefault(name, {})
        kind = tables[key[:depth]].model_fields.get("kind")
        node |= {} if kind is None or (kind.is_required() is False and "kind" in node) else _kind(tables[key[:depth]])
    node |= REQUIRED.get(key[-2], {})
    return data, node


def _kind(table):
    return {"kind": get_args(table.model_fields["kind"].annotation)[0]}


REQUIRED = {
    "input_pair": {"width": 1.0, "length": 1.0},
    "telegraph": {"time": 1.0},
    "readout": {"bits": 4},
    "comparator": {"change": 0.1},
    "weights": {"stuck_fraction": 0.1},
    "feedback": {"stuck_fraction": 0.1},
    "twin": {"stuck_fraction": 0.1},
    "hardware": {"port": "mock", "probes": 4},
}


TIMES = [where for where, mark in MARKED.items() if isinstance(mark, type(Time))]
LEVELS = [where for where in MARKED if where not in TIMES and "rivals" not in where[0]]
"""All but those of a list of tables, which have a test of their own."""


@pytest.mark.parametrize("where", LEVELS, ids=lambda where: ".".join(where[0]))
def test_text_in_volts_or_siemens_means_the_same_number(where):
    mark, (key, branch) = MARKED[where], where
    for number in (0.25, 0.5):
        data, node = scenario(key, branch, number)
        pair = key[-1] in ("range", "window")
        found = []
        for value in (number, text_of(mark, number)):
            low = -number if isinstance(value, float) else text_of(mark, -number)
            node[key[-1]] = [low, value] if pair else value
            if key[-1] == "segment":
                data["devices"]["weights"] = {"cell": "pair"}
            loaded = ScenarioSpec.model_validate(tomllib.loads(tomlkit.dumps(data)))
            assert loaded.repeats(loaded.experiment) in (1, NOISY_REPEATS)
            plain = loaded.in_units()
            found.append((plain.devices, plain.learning, plain.hardware))
        assert found[0] == found[1]
        assert str(number) in str(found[1])


def test_a_level_in_a_list_of_rivals_takes_volts():
    found = []
    for size in (0.25, f"{0.25 * VOLTS['volt_scale']!r} V"):
        data = tomllib.loads(GOOD) | {"physical": PHYSICAL}
        rivals = [{"rule": {"kind": "node-perturbation", "size": size}}, {"rule": "pat"}]
        data["experiment"] = {"kind": "rivals", "rivals": rivals, "budget": {"settlings": 100}}
        plan = ScenarioSpec.model_validate(tomllib.loads(tomlkit.dumps(data))).in_units().experiment
        found.append(plan.rivals[0].rule.size)
    assert found == [0.25, 0.25]


def timed(key, branch, value):
    """Return a scenario with a time at a key."""
    data = tomllib.loads(GOOD) | {"physical": {"tau": "2 us"}, "learning": {"scheme": {"kind": "centred", "beta": 0.2}}}
    data["dynamics"] = {"dt": 0.5, "free": {"duration": 5.0}, "nudged": {"duration": 5.0}}
    data |= {"devices": {"hold": {"pedestal": 0.1}}, "phases": {"hold_time": 1.0}}
    noise = {"tau_c": {"coloured": 0.1}, "flicker_shortest": {"flicker": 0.1}, "time": {"amplitude": 0.1}}
    tables, node = dict(branch), data
    for depth, name in enumerate(key[:-1], 1):
        table = tables[key[:depth]]
        kind = _kind(table) if "kind" in table.model_fields else {}
        if name == "schemes":
            node = node.pop("scheme") and node.setdefault(name, [{}])[0]
        elif kind and node.get(name, {}).get("kind") != kind["kind"]:
            node[name] = node = {}
        else:
            node = node.setdefault(name, {})
        node |= kind | ({"beta": 0.2} if "beta" in table.model_fields else {})
    cells = "weights" in key or "feedback" in key
    node |= ({"relative": 0.1} if cells else noise.get(key[-1], {})) if "noise" in key else {}
    node[key[-1]] = value
    if key[-1] in ("read_time", "write_time"):
        data["experiment"] = {"kind": "train", "epochs": 1}
    if key[:2] == ("experiment", "budget") and node is data["experiment"]["budget"]:
        rivals = [{"rule": "error-vector"}, {"rule": "dfa"}]
        data["experiment"] |= {"rivals": rivals} if data["experiment"]["kind"] == "rivals" else {}
    if "hardware" in key:
        node["port"], data["phases"]["nudge"] = "mock", "held"
    return ScenarioSpec.model_validate(tomllib.loads(tomlkit.dumps(data)))


@pytest.mark.parametrize("where", TIMES, ids=lambda where: ".".join(where[0]))
def test_text_in_seconds_means_the_same_time(where):
    for number in (6.0, 9.0) if where[0][-1] == "dt" else (20.0, 30.0):
        found = [timed(*where, value).in_units() for value in (number, f"{2 * number!r} us")]
        assert found[0] == found[1]
        assert str(number) in str(found[1])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ("devices.noise={coloured=0.1,tau_c='2000000 s'}", "is 2e+12 tau, must be <= 1e+06"),
        ("learning={scheme={kind='lock-in',beta=0.2,period='10 s'}}", "is 1e+07 tau, must be <= 1e+06"),
        ("devices.neurons.synapse_tau='-1 us'", "must be > 0 and finite"),
    ],
)
def test_a_time_in_seconds_obeys_the_limits_of_its_key(tmp_path, edit, message):
    path = write(tmp_path, GOOD + '[physical]\ntau = "1 us"\n')
    found = [fault.message for fault in faults_of(path, edit)]
    assert message in found


def test_a_level_in_volts_without_a_scale_is_told_at_its_key(tmp_path):
    text = GOOD + '[devices.noise]\nthermal = "0.5 mV"\ncommon = "1 mV"\n'
    found = {fault.path[-1]: fault for fault in faults_of(write(tmp_path, text))}
    assert found.keys() == {"thermal", "common"}
    assert all("needs [physical] volt_scale" in fault.message for fault in found.values())
    (fault,) = faults_of(write(tmp_path, GOOD + '[devices.noise]\nthermal = "0.5 mX"\n'))
    assert "cannot be read in the unit 'V'" in fault.message


def test_a_number_in_place_of_a_law_of_spread_asks_for_the_spread(tmp_path):
    for value in ("0.1", '"10 %"'):
        (fault,) = faults_of(write(tmp_path, GOOD + f"[devices.weights]\nmismatch = {value}\n"))
        assert fault.hint == "did you mean 'mismatch_sigma'?"


def test_a_droop_needs_time_in_the_hold(tmp_path):
    (fault,) = faults_of(write(tmp_path, GOOD + "[devices.hold]\ndroop = 0.1\n"))
    assert (fault.path[-1], fault.message) == ("droop", "nothing is held")
