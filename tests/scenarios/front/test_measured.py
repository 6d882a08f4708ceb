"""Chips that are identified through scenarios, and the commands `fit` and `identify`."""

import json
import tomllib

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

import nudgelab
from scenarios.cli.main import main

SMALL = {
    "schema": 1,
    "name": "own-chip",
    "network": {
        "layers": {"in": 20, "l1": 30, "out": 10},
        "connections": ["in-l1", "l1-out", "out-l1"],
        "activation": "tanh",
        "cost": "mse",
    },
    "dynamics": {"free": {"max_steps": 2000, "tolerance": 1e-7}, "dt": 0.5},
    "devices": {
        "weights": {"mismatch_sigma": 0.03},
        "feedback": {"mismatch_sigma": 0.1},
        "neurons": {"offset_sigma": 0.02},
        "noise": {"read": 0.001},
    },
    "learning": {"scheme": {"kind": "centred", "beta": 0.1}},
    "task": {"kind": "teacher", "inputs": 20, "outputs": 10, "samples": 200},
    "experiment": {"kind": "measure", "samples": 8},
}

PLANTED = ("weights.mismatch_sigma", "feedback.mismatch_sigma", "neurons.offset_sigma", "noise.read")


@pytest.fixture(scope="module")
def chip():
    return nudgelab.load(SMALL)


@pytest.fixture(scope="module")
def identified(chip):
    return chip.identify(60)


def test_planted_spreads_of_a_scenario_are_found(identified):
    values = identified.values
    assert values["weights.mismatch_sigma"].value == pytest.approx(0.03, rel=0.15)
    assert values["feedback.mismatch_sigma"].value == pytest.approx(0.1, rel=0.4)
    assert values["neurons.offset_sigma"].value == pytest.approx(0.02, rel=0.6)
    assert values["noise.read"].value == pytest.approx(0.001, rel=0.1)
    assert "60 free reads" in repr(identified)
    assert any(note.startswith("not to be told at rest: time constants") for note in identified.notes)
    assert values["neurons.gain_sigma"].low == 0.0


def test_spreads_of_units_are_told_from_those_of_cells():
    """A chip whose units spread, too: cells do not seem worse for it; 40 units tell their slopes to 11 %."""
    devices = SMALL["devices"] | {"neurons": {"slope_sigma": 0.1}}
    found = nudgelab.load(SMALL | {"devices": devices}).identify(30).values
    assert found["weights.mismatch_sigma"].low < 0.03 < found["weights.mismatch_sigma"].high < 0.04
    assert found["neurons.slope_sigma"].value == pytest.approx(0.1, rel=0.5)
    assert found["neurons.gain_sigma"].low == 0.0


def test_spreads_of_converters_are_keys_where_the_scenario_has_converters(chip):
    found = chip.identify(12)
    assert {"reads.converter_gain_sigma", "reads.converter_offset_sigma"} <= found.values.keys()
    assert not any("converter" in key for key in found.devices)
    adc = {"bits": 16, "range": [-2.0, 2.0], "gain_sigma": 0.03, "unit_sigma": 1e-4}
    spread = chip.set({"devices.converters": {"readout": adc}})
    found = spread.identify(20)
    assert found.values["converters.readout.gain_sigma"].low > 0.01
    assert any("devices.converters.readout.unit_sigma: unequal steps" in note for note in found.notes)
    # What was found makes a twin.
    twin = chip.set({"devices.converters": {"readout": {"bits": 16, "range": [-2.0, 2.0]}}}).set(found.devices)
    readout = twin.loaded.spec.devices.converters.readout
    assert readout.gain_sigma == found.values["converters.readout.gain_sigma"].value
    one = spread.set({"devices.converters.readout.shared": True}).identify(12)
    assert any("one converter for all has one gain" in note for note in one.notes)


def test_stuck_cells_and_dead_rows_are_counted(chip):
    bench = chip.chip()
    held = bench.programmed["weight/in-l1"].copy()
    held[5] = 0.0
    found = chip.identify(30, bench=bench.reprogrammed({"weight/in-l1": held}))
    assert any(note.startswith("cells left out that do not fit the rest") for note in found.notes)
    assert "most cells of in-l1 are stuck in rows [5]: these are dead" in found.notes
    assert found.values["weights.mismatch_sigma"].value == pytest.approx(0.03, rel=0.25)


def test_units_that_are_never_read_are_asked_for(tmp_path, chip):
    np.savez(tmp_path / "outputs.npz", **{"in": np.zeros((4, 20)), "out": np.full((4, 10), 0.1)})
    with pytest.raises(nudgelab.FitError, match="l1 is not read, and every layer is fed by one that is not"):
        chip.identify(file=tmp_path / "outputs.npz")


def test_the_fragment_and_the_preset_are_scenarios(tmp_path, chip, identified):
    fragment = tomllib.loads(identified.to_toml())["devices"]
    assert fragment["weights"]["mismatch_sigma"] == identified.values["weights.mismatch_sigma"].value
    assert "(90 %)" in identified.to_toml()
    (path,) = identified.write_preset(tmp_path / "my-chip.toml")
    taken = {name: {"preset": str(path)} for name in ("weights", "feedback", "neurons", "noise")}
    devices = nudgelab.load(SMALL | {"devices": taken}).loaded.scenario.devices
    assert devices.feedback.mismatch_sigma == fragment["feedback"]["mismatch_sigma"]
    assert devices.noise.read == fragment["noise"]["read"]


def test_a_bench_of_ones_own_and_a_file_of_its_reads_say_the_same(tmp_path, chip):
    bench = chip.chip(instance=3)
    seen = chip.identify(30, bench=bench)
    assert seen.values == chip.identify(30, instance=3).values
    again = chip.chip(instance=3)
    again.set_input(chip.data.x[:30])
    again.settle()
    reads = again.read()
    blocks = {name: block for name, block in again.programmed.items() if not name.startswith("readout/")}
    np.savez(tmp_path / "reads.npz", **reads, **blocks)
    with h5py.File(tmp_path / "reads.h5", "w") as file:
        for name, values in reads.items():
            file[name] = values
    for name in ("reads.npz", "reads.h5"):
        assert chip.identify(file=tmp_path / name).values == seen.values


def test_a_kept_training_is_identified_at_its_last_weights(tmp_path, chip):
    training = {"kind": "train", "epochs": 1}
    learning = SMALL["learning"] | {"optimiser": {"kind": "sgd", "rate": 0.01}}
    run = nudgelab.load(SMALL | {"learning": learning, "experiment": training}).run(out=tmp_path / "run")
    found = nudgelab.identify(tmp_path / "run", reads=60)
    assert run.status == "complete"
    assert found.values["weights.mismatch_sigma"].value == pytest.approx(0.03, rel=0.2)
    # The weights have moved: with the first ones nothing fits.
    first = nudgelab.load(tmp_path / "run" / "scenario.toml")
    moved = first.chip().reprogrammed(
        {"weight/in-l1": run["weights/in-l1"]["programmed"].values, "bias/l1": run["weights/bias"]["l1"].values}
    )
    assert first.identify(60, bench=moved).values["weights.mismatch_sigma"].low > 0.035


@pytest.mark.parametrize(
    ("changes", "how", "words"),
    [
        ({}, {"reads": 1}, "reads = 1: must be 2 or more"),
        ({}, {"reads": 1000}, "the task has 200 training samples"),
        ({"network.activation": "dsilu"}, {}, "nothing can be identified: .*falls somewhere"),
        ({"dynamics.free": {"max_steps": 1, "tolerance": 1e-9}}, {}, "nothing can be identified"),
    ],
)
def test_what_cannot_be_identified_is_told(changes, how, words):
    with pytest.raises(nudgelab.FitError, match=words):
        nudgelab.load(SMALL, changes).identify(**how)


def test_circuits_are_refused():
    with pytest.raises(nudgelab.FitError, match="circuits have no rows of weights"):
        nudgelab.load("circuits/board").identify(4)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"l1": np.zeros((4, 30))}, "has no inputs 'in'"),
        ({"in": np.zeros((4, 20)), "l7": np.zeros(3)}, "'l7' is neither a layer nor a block"),
        ({"in": np.zeros((4, 20)), "l1": np.zeros((4, 29))}, r"'l1' has shape \(4, 29\)"),
        ({"in": np.zeros((4, 20)), "out": np.zeros((4, 10))}, "nothing can be identified"),
    ],
)
def test_a_file_of_reads_that_does_not_fit_is_told(tmp_path, chip, arrays, words):
    np.savez(tmp_path / "reads.npz", **arrays)
    with pytest.raises(nudgelab.FitError, match=words):
        chip.identify(file=tmp_path / "reads.npz")


# Commands


def run_command(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_the_command_fit_prints_and_writes(tmp_path):
    v = np.broadcast_to(np.linspace(-1.0, 1.0, 11), (5, 11))
    current = np.array([1.0, 1.1, 0.9, 1.05, 0.97])[:, None] * 1e-5 * v
    np.savez(tmp_path / "iv.npz", voltage=v, current=current)
    told = run_command("fit", tmp_path / "iv.npz", "--kind", "iv")
    assert told.exit_code == 0
    assert "[devices.weights]" in told.output
    assert max(map(len, told.output.splitlines())) <= 120
    written = run_command("fit", tmp_path / "iv.npz", "--kind", "iv", "-o", tmp_path / "my.toml")
    assert str(tmp_path / "my.toml") in written.output
    assert "mismatch_sigma = { value = " in (tmp_path / "my.toml").read_text()
    as_json = json.loads(run_command("fit", tmp_path / "iv.npz", "--kind", "iv", "--json").output)
    assert as_json["values"]["iv.law"]["value"] == "linear"


def test_the_commands_tell_what_is_wrong_without_a_traceback(tmp_path):
    cases = (
        (("fit", tmp_path / "no.csv", "--kind", "iv"), 2, "no file"),
        (("identify", "no-such"), 2, "no such file"),
        (("identify", "circuits/board"), 2, "circuits have no rows"),
        (("identify", tmp_path), 4, "name the folder of a run"),
    )
    for words, code, text in cases:
        told = run_command(*words)
        assert (told.exit_code, text in told.output) == (code, True), told.output
        assert "Traceback" not in told.output


def test_the_command_identify_prints_a_fragment(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(nudgelab.load(SMALL).to_toml())
    told = run_command("identify", path, "--reads", "12")
    assert told.exit_code == 0
    assert "[devices.feedback]" in told.output
    assert "not to be told at rest" in told.output


def test_a_chip_on_a_board_is_identified_as_the_simulated_one(identified):
    """The codes of a mock board have 16 bits: 1e-5 of rounding beside 1e-3 of noise, drawn anew."""
    board = SMALL | {"hardware": {"port": "mock"}, "phases": {"nudge": "held"}}
    found = nudgelab.load(board).identify(60)
    for name, one in identified.values.items():
        wanted = pytest.approx(one.value, rel=0.1) if name in PLANTED else pytest.approx(0.0, abs=0.02)
        assert found.values[name].value == wanted
