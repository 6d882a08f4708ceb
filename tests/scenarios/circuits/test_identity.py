"""What names a run of a circuit: what is said, and what files hold, not where they lie."""

import numpy as np
import pytest

from scenarios.circuits.setup import make_circuit_setup
from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario
from scenarios.results.store import read_result_file
from scenarios.run.identity import compute_run_id
from scenarios.sweeps.engine import run_in_process
from scenarios.sweeps.point import PointWatch
from scenarios.sweeps.points import check_design
from scenarios.sweeps.sweep import SweepOptions, run_sweep

from .scenarios_of_circuits import ALL, BOARD, GRAPH, LATTICE, LAYERS, NETLIST, change, load, set_up


def find_id(data, folder):
    setup = set_up(data, folder)
    return compute_run_id(setup.scenario, setup.content)


@pytest.mark.parametrize("name", ALL)
def test_a_resolved_scenario_has_the_same_run_id(tmp_path, name):
    spec = load(ALL[name], tmp_path).spec
    again = tmp_path / "again.toml"
    again.write_text(spec.to_toml())
    loaded = load_scenario(again)
    setup = make_circuit_setup(loaded, loaded.spec)
    assert compute_run_id(setup.scenario, setup.content) == find_id(ALL[name], tmp_path)


def test_one_quantity_in_two_units_names_one_run(tmp_path):
    same = change(GRAPH, ("network.elements.1.resistance", "0.5 kohm"), ("learning.scheme.beta", "0.01 mS"))
    assert find_id(same, tmp_path) == find_id(GRAPH, tmp_path)
    assert find_id(change(GRAPH, ("seed", 7)), tmp_path) != find_id(GRAPH, tmp_path)


def test_what_a_netlist_holds_names_a_run_and_its_place_does_not(tmp_path):
    load(NETLIST, tmp_path)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "other.cir").write_text(BOARD)
    moved = change(NETLIST, ("network.netlist", "deep/other.cir"))
    assert find_id(moved, tmp_path) == find_id(NETLIST, tmp_path)
    (tmp_path / "deep" / "other.cir").write_text(BOARD.replace("2k", "3k"))
    assert find_id(moved, tmp_path) != find_id(NETLIST, tmp_path)


def test_what_a_file_of_conductances_holds_names_a_run(tmp_path):
    blocks = {"conductance/in-h1": (2, 3, 4), "conductance/h1-out": (4, 2), "current/h1": (4,), "current/out": (2,)}
    data = change(LAYERS, ("network.init", None), ("network.parameters", "a.npz"))
    np.savez(tmp_path / "a.npz", **{name: np.full(shape, 1e-6) for name, shape in blocks.items()})
    np.savez(tmp_path / "b.npz", **{name: np.full(shape, 1e-6) for name, shape in blocks.items()})
    np.savez(tmp_path / "c.npz", **{name: np.full(shape, 2e-6) for name, shape in blocks.items()})
    first, same, other = (find_id(change(data, ("network.parameters", f"{k}.npz")), tmp_path) for k in "abc")
    assert first == same != other


@pytest.mark.parametrize(
    ("base", "path", "values"),
    [
        (LAYERS, "devices.weights.mismatch_sigma", [0.0, "20 %"]),
        (GRAPH, "network.elements.1.resistance", ["500 ohm", "1 kohm"]),
        (LATTICE, "devices.transistors.threshold_sigma", ["0 V", "20 mV"]),
    ],
)
def test_a_sweep_over_a_key_of_a_circuit_runs_on_one_worker(tmp_path, base, path, values):
    loaded = load(change(base, ("sweep", {"axis": [{"path": path, "values": values}]})), tmp_path)
    assert len(check_design(loaded).ids) == 2
    done = run_sweep(loaded, SweepOptions(tmp_path / "out", run_in_process, threads=1), PointWatch(lambda: False))
    assert [outcome.status for outcome in done.outcomes] == ["ok", "ok"]
    delta = read_result_file(tmp_path / "out" / "sweep.h5").groups["signal"]["evoked"].data
    assert np.isfinite(delta).all()
    assert not np.array_equal(delta[0], delta[1])


def test_a_point_that_is_no_circuit_is_refused_before_any_runs(tmp_path):
    axis = {"path": "network.elements.1.resistance", "values": ["500 ohm", 500]}
    with pytest.raises(ScenarioError, match="needs a unit"):
        check_design(load(change(GRAPH, ("sweep", {"axis": [axis]})), tmp_path))
