"""What the check accepts never fails for a reason that it could have seen: scenarios of all kinds, drawn."""

import os
import warnings

import pytest
import tomlkit

from scenarios.build import make_setup
from scenarios.experiments.kind import RunError
from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario
from scenarios.run.run import RunOptions, run_scenario
from scenarios.sweeps.engine import run_in_process
from scenarios.sweeps.point import PointWatch
from scenarios.sweeps.sweep import SweepOptions, run_sweep
from tests.scenarios.schema.generated_scenarios import KINDS, Drawer, write_files

UNSEEN = ("no sample settles", "does not pay one estimate")
"""Ends that only a run can see: where settlings lead, and how long they take when they end at a tolerance."""

DENSITIES = [0.02, 0.05, 0.1]
SHARE = int(os.environ.get("NUDGELAB_DRAWN", "40"))
"""Scenarios of every kind in the slow test."""


def tried(folder, seed, kind):
    """Draw a scenario and, if the check accepts it, run it; return whether it was accepted."""
    drawn = Drawer(seed, DENSITIES[seed % len(DENSITIES)]).scenario(kind)
    path = folder / "drawn.toml"
    path.write_text(tomlkit.dumps(drawn))
    try:
        loaded = load_scenario(path, ())
        make_setup(loaded)
    except ScenarioError:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            run_scenario(loaded, RunOptions(folder / "out", force=True, threads=1), PointWatch(lambda: False))
        except RunError as error:
            assert any(words in str(error) for words in UNSEEN), path.read_text()  # noqa: PT017  others are no answer
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_check_accepts_runs(tmp_path, kind):
    write_files(tmp_path)
    accepted = [tried(tmp_path, seed, kind) for seed in range(6)]
    assert any(accepted)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_check_accepts_runs_many_times(tmp_path, kind):
    write_files(tmp_path)
    accepted = [tried(tmp_path, seed, kind) for seed in range(1000, 1000 + SHARE)]
    assert sum(accepted) > SHARE / 4


def test_a_drawn_sweep_that_the_check_accepts_runs(tmp_path):
    write_files(tmp_path)
    path = tmp_path / "drawn.toml"
    for seed in range(3):
        drawn = Drawer(seed, 0.0).scenario(["measure", "evaluate", "nudge"][seed])
        drawn["task"] = {"kind": "arrays", "path": "data.npz"}
        drawn["sweep"] = {"axis": [{"path": "devices.weights.mismatch_sigma", "values": [0.0, 0.1]}]}
        path.write_text(tomlkit.dumps(drawn))
        done = run_sweep(
            load_scenario(path, ()),
            SweepOptions(tmp_path / f"out-{seed}", run_in_process, threads=1),
            PointWatch(lambda: False),
        )
        assert [outcome.status for outcome in done.outcomes] == ["ok", "ok"]
