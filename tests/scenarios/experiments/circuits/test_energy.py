"""What circuits take is told by phase and sample, by epoch, and along settling curves."""

import numpy as np
import pytest

import nudgelab
from scenarios.circuits.estimates import describe_circuit_estimates
from scenarios.experiments.measure.kind import KIND
from scenarios.language.load import load_scenario
from scenarios.report.sheets import make_sheets
from scenarios.run.run import run_in_memory
from tests.scenarios.circuits.scenarios_of_circuits import GRAPH, LATTICE, LAYERS, change
from tests.scenarios.experiments.circuits.test_train import BOARD
from tests.scenarios.experiments.train.test_run import Watch

ENERGY = {"settling_time": "2 us", "per_read": "1 pJ", "static": "3 uW"}


def run(tables):
    return run_in_memory(load_scenario(tables), None, Watch())[0]


def test_a_measurement_tells_energy_by_phase_and_sample():
    result = run(change(LAYERS, ("energy", ENERGY), ("physical.capacitance", "1 pF")))
    group = result["energy"]
    assert [str(name)[:6] for name in group["phase"].data] == ["free", "nudge ", "nudge "]
    assert group["settling"].data.shape == group["power"].data.shape == (3, 2)
    np.testing.assert_array_equal(group["power"].data[0], result["free"]["power"].data)
    volts = np.concatenate([result["free"][f"voltage_{name}"].data for name in ("h1", "out")], axis=1)
    expected = 2e-6 * (group["power"].data[0] + 3e-6) + 0.5e-12 * (volts**2).sum(axis=1)
    np.testing.assert_allclose(group["settling"].data[0], expected, rtol=1e-12)
    assert group["read"].data == pytest.approx(6e-12)
    assert group["whole"].data == pytest.approx(3 * 6e-12 + group["settling"].data.sum() / 2)
    assert KIND.metrics(result)["energy/whole"] == group["whole"].data
    (sheet,) = [sheet for sheet in make_sheets(result, 4) if sheet.title.startswith("Power at rest")]
    assert [len(row) for row in sheet.rows] == [4, 4, 4]


def test_a_sweep_keeps_the_energy_of_every_point(tmp_path):
    scenario = nudgelab.load(change(LAYERS, ("energy", ENERGY)))
    swept = nudgelab.sweep(scenario, {"energy.settling_time": ["1 us", "2 us"]}).run(out=tmp_path / "swept")
    whole = swept["energy"]["whole"].data
    assert whole[1] > 1.9 * whole[0] > 0.0
    assert "relative" in swept["ledger/connections"]


def test_without_energy_only_the_power_is_told():
    result = run(LAYERS)
    assert not {"settling", "read"} & set(result["energy"])
    assert not [sheet for sheet in make_sheets(result, 4) if sheet.title.startswith("Power at rest")]


def test_a_training_adds_up_what_it_takes():
    tables = change(BOARD, ("energy", ENERGY | {"per_write": "1 nJ"}), ("experiment", {"kind": "train", "epochs": 3}))
    metrics = run(tables)["metrics"]
    energy = metrics["energy"].data
    assert energy[0] == 0.0
    assert (np.diff(energy) > 0.0).all()
    writes, reads = metrics["writes"].data[-1], metrics["reads"].data[-1]
    assert energy[-1] > 5e-9 * writes + 2e-12 * reads
    assert (run(change(tables, ("energy", None)))["metrics"]["energy"].data == 0.0).all()


def test_curves_add_up_the_heat():
    curves = ("experiment", {"kind": "settle", "duration": "2 us", "points": 30})
    group = run(change(LATTICE, ("physical.capacitance", "1 pF"), curves))["settling"]
    heat = group["heat"].data
    assert (heat[:, 0] == 0.0).all()
    assert (np.diff(heat, axis=1) >= 0.0).all()
    assert (heat[0, -1] > 5e-13).all()  # charging seven nodes of 1 pF, whatever flows at rest
    end = np.diff(heat, axis=1)[:, -5:]
    np.testing.assert_allclose(
        end, np.broadcast_to(end[:, :1], end.shape), rtol=1e-6, atol=1e-20
    )  # at rest the power is constant


def test_estimates_tell_the_heat_of_a_settling():
    lines = list(describe_circuit_estimates(load_scenario(change(GRAPH, ("energy", ENERGY)))))
    assert sum(line.startswith("energy ") for line in lines) == 1
