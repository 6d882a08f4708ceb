"""Published devices: every value has a source, and a scenario takes them over."""

import numpy as np
import pytest
from click.testing import CliRunner
from pydantic import TypeAdapter

from devices.programming.laws import LinearStep, OneSidedCells, Update
from devices.programming.sampled import make_nominal_cells
from devices.random import Stream
from devices.synapse.retention import Retention
from scenarios.cli.main import main
from scenarios.front.progress import Progress
from scenarios.language.device_presets import (
    DEVICE_PRESETS,
    USABLE,
    find_preset_table,
    list_device_presets,
    read_device_preset,
)
from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario
from scenarios.report.cards import compute_pulse_curves, find_symmetry_weight
from scenarios.report.explain import explain_scenario
from scenarios.results import store
from scenarios.run.run import RunOptions, run_scenario
from substrate.chip.programming import Writer
from tests.scenarios.experiments.measure.test_hardware import computed

from ..files import write_scenario
from ..scenario_files import assert_tells, changed, faults_of_files, only_fault, write

NAMES = [path.stem for path in list_device_presets()]
WRITABLE = [name for name in NAMES if "update" in read_device_preset(DEVICE_PRESETS / f"{name}.toml").tables]


VOLTS = '\n[physical]\nvolt_scale = "150 mV"\nactivity_volts = "1 V"\ntau = "1 us"\n'


def with_preset(tmp_path, text, table="update", name="good.toml", physical=VOLTS):
    good = changed('[devices.feedback]\nmismatch_sigma = "10 %"\n', "")
    good = good + "\n[phases]\nhold_time = 1.0\n" if table == "hold" else good
    return write(tmp_path, good + physical + f"\n[devices]\n{table} = {text}\n", name)


def test_the_promised_devices_are_there():
    promised = {"gokmen-vlasov", "reram-es", "reram-sb", "capacitor", "ecram-mo", "pcm-joshi", "pcm-pulsed"}
    assert promised | {"cmos-130nm", "generic-65nm", "board-op-amp"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_a_unit_and_a_source_and_every_source_is_used(name):
    found = read_device_preset(DEVICE_PRESETS / f"{name}.toml")
    entries = [entry for table in found.tables.values() for entry in table.values() if not isinstance(entry.value, str)]
    assert entries
    assert all(entry.unit for entry in entries)
    written = [entry for table in found.tables.values() for entry in table.values() if entry.unit]
    assert {entry.source for entry in written} == set(found.sources)
    assert all(all(source) for source in found.sources.values())
    assert 0 < len(found.title) <= 100


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_is_a_valid_table_of_devices_and_its_copy_is_the_same(tmp_path, name):
    found = read_device_preset(DEVICE_PRESETS / f"{name}.toml")
    for block in [block for block in USABLE if find_preset_table(block) in found.tables]:
        loaded = load_scenario(with_preset(tmp_path, f'{{ preset = "{name}" }}', block))
        law = getattr(loaded.scenario.devices, block)
        assert law.preset == name
        assert within(found.values(find_preset_table(block)), law.model_dump())
        again = load_scenario(write(tmp_path, loaded.scenario.to_toml(), "again.toml"))
        assert again.scenario == loaded.scenario
        assert f"# preset:{name}:" in explain_scenario(loaded)


def within(part, whole):
    if not isinstance(part, dict):
        return part == whole
    return all(key in whole and within(value, whole[key]) for key, value in part.items())


def test_phase_change_memory_differs_from_another_fit_as_its_source_says():
    """Ratio to the polynomial of figure 3b of Joshi et al. in CrossSim 3.2.0, in microsiemens of 25."""
    error = read_device_preset(DEVICE_PRESETS / "pcm-joshi.toml").values("update")["error"]
    g = np.array([0.5, 5.0, 12.5, 25.0])
    ours = 25.0 * np.polynomial.polynomial.polyval(g / 25.0, error)
    theirs = -0.00178767 * g**2 + 0.07585724 * g + 0.28638599
    np.testing.assert_allclose(ours / theirs, [0.93, 0.98, 0.997, 0.99], rtol=0, atol=6e-3)


def test_what_is_written_beside_a_preset_wins(tmp_path):
    law = load_scenario(with_preset(tmp_path, '{ preset = "ecram-mo", step = 0.5 }')).scenario.devices.update
    assert (law.step, law.slope_up, law.cycle_sigma) == (0.5, 0.4152, 2.0)
    edited = load_scenario(with_preset(tmp_path, '{ preset = "ecram-mo" }'), ["devices.update.step=0.25"])
    assert edited.scenario.devices.update.step == 0.25


@pytest.mark.parametrize(
    ("text", "path", "message", "hint"),
    [
        ('{ preset = "ecram-no" }', "preset", "there is no preset 'ecram-no'", "did you mean 'ecram-mo'?"),
        ('{ preset = "xyz" }', "preset", "there is no preset 'xyz'", "presets for update are capacitor, ecram-li"),
        ("{ preset = 3 }", "preset", "must be the name of a preset", "presets for update are"),
        ('{ preset = "cmos-130nm" }', "preset", "says nothing about update", "presets for update are"),
        ('{ preset = "ecram-mo", kind = "soft-bounds" }', "kind", "another law", "remove `kind`"),
    ],
)
def test_a_preset_that_cannot_be_used_is_told_at_its_line(tmp_path, text, path, message, hint):
    fault = only_fault(with_preset(tmp_path, text))
    assert fault.line is not None
    assert_tells(fault, f"devices.update.{path}", message, hint)


def test_a_process_gives_the_spread_of_every_size(tmp_path):
    text = '{ preset = "cmos-130nm", pelgrom = { width = "4 um" } }'
    weights = load_scenario(with_preset(tmp_path, text, "weights")).scenario.devices.weights
    assert weights.sigma == pytest.approx(0.039 / 2.0)
    assert weights.path_sigma == pytest.approx(np.sqrt(2.0 / 8.0) * 0.039)
    text = '{ preset = "cmos-130nm", input_pair = { width = 2.0, length = 2.0 } }'
    neurons = load_scenario(with_preset(tmp_path, text, "neurons")).scenario.in_units().devices.neurons
    assert neurons.offset == pytest.approx(np.sqrt(2.0 / 4.0) * 3.9e-3 / 0.15)


@pytest.mark.parametrize(
    ("table", "name", "key", "absent"),
    [
        ("weights", "cmos-130nm", "mismatch_sigma = 0.05", "pelgrom"),
        ("weights", "board-op-amp", "pelgrom = { coefficient = 0.1, width = 1.0, length = 1.0 }", None),
        ("feedback", "generic-65nm", "gain_sigma = 0.05", "mirror"),
        ("neurons", "cmos-130nm", 'offset_sigma = "1 mV"', "input_pair"),
        ("neurons", "board-op-amp", "input_pair = { coefficient = 0.1, width = 1.0, length = 1.0 }", None),
        ("hold", "cmos-130nm", "noise = 0.001", "capacitance"),
    ],
)
def test_the_same_thing_in_other_words_wins_over_a_preset(tmp_path, table, name, key, absent):
    loaded = load_scenario(with_preset(tmp_path, f'{{ preset = "{name}", {key} }}', table))
    assert absent is None or getattr(getattr(loaded.scenario.devices, table), absent) is None
    again = load_scenario(write(tmp_path, loaded.scenario.to_toml(), "again.toml"))
    assert again.scenario == loaded.scenario


def test_a_range_wins_over_the_full_scale_of_a_preset(tmp_path):
    text = '{ preset = "cmos-130nm", readout = { bits = 10, range = [0.2, 0.8] } }'
    adc = load_scenario(with_preset(tmp_path, text, "converters")).scenario.devices.converters.readout
    assert (adc.bits, adc.full_scale, adc.unit_sigma) == (10, None, 0.002)


def test_volts_of_a_preset_without_scales_are_told_with_its_file(tmp_path):
    path = with_preset(tmp_path, '{ preset = "cmos-130nm" }', "neurons", physical="")
    fault = only_fault(path)
    assert fault.path == ("devices", "neurons", "input_pair", "coefficient")
    assert fault.line is not None
    assert fault.file.endswith("cmos-130nm.toml")
    assert "volt_scale" in fault.message


def test_a_fault_beside_a_preset_names_the_key(tmp_path):
    with pytest.raises(ScenarioError, match=r"devices\.update\.stepp"):
        load_scenario(with_preset(tmp_path, '{ preset = "ecram-mo", stepp = 0.5 }'))


def test_the_symmetry_point_of_filamentary_rram_is_far_from_zero():
    """-0.2172, found by others with a root finder: alternating pulses drive weights there."""
    law = law_of("reram-es")
    assert find_symmetry_weight(law) == pytest.approx(-0.2172, abs=1e-4)


@pytest.mark.parametrize("name", [n for n in WRITABLE if n != "pcm-joshi"])
def test_the_curves_of_a_card_stay_in_range_and_turn(name):
    law = law_of(name)
    found, cell = compute_pulse_curves(law), make_nominal_cells(law)
    # A one-sided pair starts with both devices at rest, and goes down to minus the bound of the other.
    lowest = -float(cell.high) if law.one_sided else float(cell.low)
    assert found.nominal[0] == float(cell.low)
    assert lowest <= found.nominal.min() < 0.0
    assert found.nominal.max() == found.nominal[found.turn] <= float(cell.high)
    assert (np.diff(found.nominal[: found.turn + 1]) >= 0.0).all()
    assert (found.low < found.high)[1 if law.one_sided else 0 :].all()


def test_the_first_pulse_of_phase_change_memory_is_large_and_pairs_have_no_symmetry_point():
    """``0.01 (1 + 27.235)`` after a reset to 0, from the published parameters by hand."""
    law = law_of("pcm-pulsed").model_copy(update={"rounding": "nearest", "step_sigma": 0.0, "up_down_sigma": 0.0})
    law = law.model_copy(update={"cycle_sigma": 0.0, "w_max_sigma": 0.0, "one_sided": OneSidedCells()})
    cells = Writer(law, Retention(), {"cell": (1, 1)}, lambda name: Stream(0, name), {})
    one = [
        cells.write("cell", np.zeros((1, 1)), np.full((1, 1), sign * 0.01), "0").weight[0, 0] for sign in (1.0, -1.0)
    ]
    np.testing.assert_allclose(one, [0.28235, -0.28235], rtol=1e-12)
    assert find_symmetry_weight(law) is None


def test_a_law_without_a_symmetry_point_has_none():
    assert find_symmetry_weight(LinearStep(step=0.01)) is None
    assert find_symmetry_weight(LinearStep(step=0.01, slope_up=0.5, slope_down=0.5)) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_card_of_a_device_is_one_page_with_every_value(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["report", name])
    assert (done.exit_code, done.output) == (0, f"{name}.html\n")
    page = (tmp_path / f"{name}.html").read_text(encoding="utf-8")
    found = read_device_preset(DEVICE_PRESETS / f"{name}.toml")
    assert page.count("<svg") == len({"update", "retention"} & found.tables.keys())
    taken = [block for block in USABLE if find_preset_table(block) in found.tables]
    assert all(f"{block} = {{ preset = &#34;{name}&#34; }}" in page for block in taken)
    for table in found.tables.values():
        assert all(f'<td class="words">{key}</td>' in page for key in table)
    assert "run.h5" not in page


def test_the_list_names_devices():
    text = CliRunner().invoke(main, ["list"]).output
    assert "  ecram-mo       Electrochemical RAM, metal oxide" in text


def law_of(name):
    found = read_device_preset(DEVICE_PRESETS / f"{name}.toml")
    return TypeAdapter(Update).validate_python(found.values("update"))


def test_sampled_cells_are_kept_beside_the_nominal_ones(tmp_path):
    edits = ["devices.update.preset=ecram-mo", "devices.retention.preset=capacitor"]
    group = computed(write_scenario(tmp_path), *edits)["devices/in-l1"]
    step, programmed = group["step_up"].data, group["programmed"].data
    assert step.shape == programmed.shape == group["elapsed"].data.shape
    assert step.std() / float(group["nominal_step_up"].data) == pytest.approx(0.1, rel=0.3)
    assert float(group["nominal_step_up"].data) == 2.8214e-4
    assert (group["leak_rate"].data > 0.0).all()


def test_a_measured_chip_is_taken_as_it_is(tmp_path):
    path = write_scenario(tmp_path)
    shape = computed(path)["devices/in-l1"]["programmed"].data.shape
    up = np.linspace(0.001, 0.002, np.prod(shape)).reshape(shape)
    np.savez(path.parent / "cells.npz", **{"weight/in-l1/step_up": up})
    table = '\n[devices.update]\npreset = "reram-sb"\nmeasured = "cells.npz"\n'
    path.write_text(path.read_text(encoding="utf-8") + table, encoding="utf-8")
    finished = run_scenario(load_scenario(path), RunOptions(tmp_path / "own", 2), Progress(quiet=True)).folder
    group = store.read_result_file(finished / "run.h5")["devices/in-l1"]
    np.testing.assert_array_equal(group["step_up"].data, up)
    assert load_scenario(finished / "scenario.toml").scenario.devices.update.measured == "../cells.npz"


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"weight/in-l1/step_upp": 1.0}, "is no constant of a cell"),
        ({"weight/in-l1/step_up": np.ones(3)}, "has shape"),
        ({"bias/l1/low": "nan"}, "not finite"),
        ({"bias/l1/step_down": "negative"}, "below 0"),
        ({"bias/l1/high": "text"}, "has the type"),
        (None, "no file"),
    ],
)
def test_a_bad_file_of_measured_cells_is_told(tmp_path, arrays, words):
    path = with_preset(tmp_path, '{ preset = "reram-sb", measured = "cells.npz" }')
    loaded = load_scenario(path)
    units = loaded.scenario.network.layers["l1"]
    bad = {"nan": np.full(units, np.nan), "negative": np.full(units, -1.0), "text": np.full(units, "a")}
    if arrays is not None:
        values = {k: bad[v] if isinstance(v, str) else v for k, v in arrays.items()}
        np.savez(path.parent / "cells.npz", **values)
    place = ("devices", "update", "measured")
    (finding,) = [finding for finding in faults_of_files(loaded) if finding.path == place]
    assert words in finding.message
    assert finding.hint
