import re
import sys
import tomllib

import numpy as np
import pytest

import nudgelab
from scenarios.data.datasets import Outline
from scenarios.experiments.estimate import estimate_workload
from scenarios.experiments.rates import LOADING, PAGES
from scenarios.language.load import load_scenario
from scenarios.language.places import CATALOGUE
from scenarios.language.starter import make_starter
from scenarios.report.explain import explain_scenario
from scenarios.schema.scenario import ScenarioSpec
from substrate.engine import door

from ..files import MEASURE, write_scenario
from ..scenario_files import GOOD, changed, line_of, write

EDITS = [[], ["seed=3", "task.batch=17"]]


@pytest.mark.parametrize("edits", EDITS, ids=["as it is", "edited"])
@pytest.mark.parametrize("path", sorted(CATALOGUE.glob("*.toml")), ids=lambda path: path.stem)
def test_the_text_loads_as_the_same_scenario(path, edits, tmp_path, monkeypatch):
    monkeypatch.setattr("scenarios.report.explain._find_engine_fault", lambda _: "left out")  # it compiles
    loaded = load_scenario(path, edits)
    text = explain_scenario(loaded)
    assert load_scenario(write(tmp_path, text)).scenario == loaded.scenario
    assert tomllib.loads(text) == tomllib.loads(loaded.scenario.to_toml())


def test_every_value_says_where_it_was_written(tmp_path):
    write(tmp_path, GOOD, "base.toml")
    text = 'extends = ["preset:rate-mlp", "base.toml"]\n[experiment]\nsamples = 5\n'
    rows = explain_scenario(
        load_scenario(write(tmp_path, text, "top.toml"), ["seed=3", "network.connections.2=out-l1"])
    ).split("\n")

    def row(start):
        (found,) = [line for line in rows if line.startswith(start)]
        return found

    assert row("seed = ") == "seed = 3    # --set"
    assert row("samples = ") == "samples = 5    # top.toml:3"
    assert row("dt = ") == f"dt = 0.25    # base.toml:{line_of(GOOD, 'dt = 0.25')}"
    assert row("connections = ").endswith(f"    # base.toml:{line_of(GOOD, 'connections')}, --set")
    assert row("cost = ").endswith("    # preset:rate-mlp:11")
    assert row("precision = ") == 'precision = "double"'
    assert row("[network]") == "[network]"
    assert row("[network.layers]") == "[network.layers]"


def test_a_name_of_a_file_cannot_break_the_text(tmp_path):
    loaded = load_scenario(write(tmp_path, GOOD, "new\nline\x01.toml"))
    assert tomllib.loads(explain_scenario(loaded)) == tomllib.loads(loaded.scenario.to_toml())


def read_seconds(text):
    """Return the seconds that a sweep is told to take, and its points."""
    count, number, unit = re.search(
        r"^# sweep +([\d,]+) points take about ([\d.]+) (s|min|h) of", text, re.MULTILINE
    ).groups()
    return int(count.replace(",", "")), float(number) * {"s": 1.0, "min": 60.0, "h": 3600.0}[unit]


def test_a_sweep_takes_what_its_points_take_together(tmp_path):
    """Levels differ in samples: their mean stands for all, and chips of one place take the same."""
    scenario = nudgelab.load(write_scenario(tmp_path, MEASURE))
    axis = {"path": "experiment.samples", "values": [1, 3]}
    one = nudgelab.load(write_scenario(tmp_path, MEASURE), {"sweep.axis": [axis]})
    ten = one.set({"sweep.replicates": 400})
    assert "# sweep" not in scenario.show()
    (count, seconds), (many, longer) = (read_seconds(each.show()) for each in (one, ten))
    assert (count, many) == (2, 800)
    assert longer > 10.0 * (seconds - LOADING - PAGES)
    faulty = one.set({"sweep.axis.0.values": [1, -1]})
    assert "# sweep" not in faulty.show()


def test_the_sweep_of_the_file_to_start_from_takes_less_than_a_minute(tmp_path, monkeypatch):
    """On two cores, when all is compiled; by the estimate, which leaves room for a machine of half the speed."""
    monkeypatch.chdir(tmp_path)
    text = make_starter("my-chip")
    for line in ("[sweep]", "replicates = 3", "axis = [{"):
        assert f"# {line}" in text
        text = text.replace(f"# {line}", line)
    (tmp_path / "my-chip.toml").write_text(text, encoding="utf-8")
    count, seconds = read_seconds(nudgelab.load("my-chip.toml").show())
    assert count == 9
    assert seconds / 2.0 < 30.0


def test_what_it_will_cost_is_told(tmp_path):
    text = explain_scenario(load_scenario(write_scenario(tmp_path)))
    assert re.search(r"^# parameters +3\d\d \(20 units settle\)$", text, re.MULTILINE)
    assert re.search(
        r"^# settlings +1 free and 5 nudged for each estimate; [\d,]+ in the whole run$", text, re.MULTILINE
    )
    assert "less than a second" in text
    assert re.search(r"^# time +about \d+ s of processor time, on one thread$", text, re.MULTILINE)
    for part in ("loading", "settling", "reference runs", "exact gradients", "remedies", "compiling"):
        assert re.search(rf"^# {' ' * 12}{part} +\S", text, re.MULTILINE)
    assert "tau   " not in text


def test_steps_measured_here_tell_the_time_on_another_engine(tmp_path, monkeypatch):
    monkeypatch.setattr("scenarios.report.explain._find_engine_fault", lambda _: "")
    monkeypatch.setattr("scenarios.experiments.rates.make_step_clock", lambda *_: lambda _: 0.01)
    steps = ["dynamics.free.steps=100", "dynamics.nudged.steps=50", "experiment.repeats=1"]
    text = explain_scenario(load_scenario(write_scenario(tmp_path), ["dynamics.engine=jax", *steps]))
    assert re.search(r"^# time +about .+ here, by 32 steps measured just now$", text, re.MULTILINE)
    assert "on one thread" not in text
    assert re.search(r"^# +settling +16 s$", text, re.MULTILINE), "4 samples, 100 steps and 6 times 50"


def test_the_time_is_not_known_where_the_engine_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "substrate.engine.jax.engine", None)
    monkeypatch.setattr(door, "_load_jax", door._load_jax.__wrapped__)
    text = explain_scenario(load_scenario(write_scenario(tmp_path), ["dynamics.engine=jax"]))
    assert re.search(r"^# time +not known: .*pip install 'nudgelab\[jax\]'$", text, re.MULTILINE)
    assert "# memory" in text


def test_unreadable_data_leave_the_scenario_readable(tmp_path):
    path = write_scenario(tmp_path)
    (tmp_path / "batch.npz").unlink()
    loaded = load_scenario(path)
    text = explain_scenario(loaded)
    assert load_scenario(write(tmp_path, text, "again.toml")).scenario == loaded.scenario
    assert "# No estimates, the data cannot be read" in text


def test_the_physical_scales_are_told(tmp_path):
    physical = 'tau = "1 us"\nleak = "2 uS"\nvolt_scale = "150 mV"\nactivity_volts = 3\nweight_range = 10\n'
    text = explain_scenario(
        load_scenario(write(tmp_path, changed("dt = 0.25", 'dt = "50 ns"') + f"\n[physical]\n{physical}"))
    )
    for words in (
        "tau         1e-06 s",
        "dt          0.05 tau",
        "state       1 is 0.15 V",
        "activity    1 is 3 V",
        "weight      1 is 1e-07 S",
        "10, the largest, is 1e-06 S",
    ):
        assert f"# {' ' * 12 if words[0] == '1' else ''}{words}\n" in text
    assert "noise" in text
    assert 'dt = "50 ns"    # s.toml:' in text


SMALL = Outline(samples=100, inputs=12, classes=5, test_samples=40)


def scenario(**changes):
    data = tomllib.loads(MEASURE)
    data["network"].pop("parameters")
    for table, keys in changes.items():
        data[table] = {**data.get(table, {}), **keys} if table != "experiment" else keys
    return ScenarioSpec.model_validate(data)


@pytest.mark.parametrize(
    ("experiment", "estimates", "settlings"),
    [
        # Every estimate once; then two changes under the circle, which has most nudges.
        ({"kind": "measure", "samples": 30}, 30, 30 * 6 + 30 * 2 * 4),
        ({"kind": "measure", "samples": 300}, 100, 100 * 6 + 100 * 2 * 4),
        ({"kind": "settle", "record": {"samples": 3}}, 3, 3 * 4),
        ({"kind": "train", "epochs": 4}, 400, 400 * 3 + 5 * 40),
        ({"kind": "train", "epochs": 4, "samples": 10, "test_samples": 7}, 40, 40 * 3 + 5 * 7),
        ({"kind": "evaluate", "chips": 6}, 0, 6 * 40),
    ],
)
def test_settlings_are_counted(experiment, estimates, settlings):
    load = estimate_workload(scenario(experiment=experiment), SMALL)
    assert (load.estimates, load.settlings) == (estimates, settlings)


def test_operations_are_those_of_the_products():
    dynamics = {"free": {"steps": 10}, "nudged": {"steps": 4}}
    load = estimate_workload(scenario(dynamics=dynamics, experiment={"kind": "measure", "samples": 30}), SMALL)
    recurrent, clamped = 2 * (8 * 7) + 2 * (7 * 5), 12 * 8
    # centred: two real nudges; circle of 4: two real ones and a complex one, which costs two products
    steps = 30 * (10 + 4 * (2 + 2 + 2))
    # Two changes are measured again, at most under the circle.
    steps += 30 * 2 * (10 + 4 * (2 + 2))
    np.testing.assert_allclose(load.operations, 2 * (steps * recurrent + 90 * clamped), rtol=1e-15)
    assert not load.bounded
    assert estimate_workload(scenario(), SMALL).bounded
