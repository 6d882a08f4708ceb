"""Points on other processes: the same numbers, and a dead process is no failed sweep."""

import numpy as np
import pytest
from distributed import LocalCluster

from scenarios.experiments.kind import RunError
from scenarios.results import store
from scenarios.sweeps.dask_engine import make_cluster_engine, make_local_engine

from ..sweep_files import SWEEP, do_sweep, troubled_point
from .test_sweep import assert_same, endings

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(autouse=True)
def _no_page(monkeypatch):
    monkeypatch.setattr("scenarios.sweeps.sweep.write_sweep_report", lambda *_: None)


@pytest.mark.slow
def test_a_raising_and_a_dying_point_harm_no_other_and_change_no_bit(tmp_path, monkeypatch):
    monkeypatch.setattr("scenarios.sweeps.dask_engine.ATTEMPTS", 1)
    text = SWEEP.replace("replicates = 2", "replicates = 1").replace('  { kind = "centred", beta = 0.2 },\n', "")
    (tmp_path / "alone").mkdir()
    alone = store.read_result_file(do_sweep(tmp_path / "alone", text).folder / "sweep.h5")
    swept = do_sweep(tmp_path, text, engine=make_local_engine(2, troubled_point), workers=2)
    found = store.read_result_file(swept.folder / "sweep.h5")
    assert [outcome.status for outcome in swept.outcomes] == ["ok", "failed", "killed"]
    assert "this point raises" in swept.outcomes[1].reason
    assert "its process died (1 attempt(s))" in swept.outcomes[2].reason
    assert len(list((swept.folder / "points").glob("*.failed.json"))) == 2
    np.testing.assert_array_equal(found["ledger"]["rms"].data[0], alone["ledger"]["rms"].data[0])


def test_a_cluster_that_runs_already_gives_the_same_bits(tmp_path):
    for name in ("alone", "there"):
        (tmp_path / name).mkdir()
    text = SWEEP.replace(', 0.1, "40 %"', "")
    alone = do_sweep(tmp_path / "alone", text)
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as running:
        there = do_sweep(tmp_path / "there", text, engine=make_cluster_engine(running.scheduler_address))
    assert endings(there) == {"ok": 4}
    assert_same(alone.folder, there.folder)


def test_a_scheduler_that_does_not_answer_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("scenarios.sweeps.dask_engine.PATIENCE", "1s")
    with pytest.raises(RunError, match="no Dask scheduler answers at"):
        do_sweep(tmp_path, engine=make_cluster_engine("tcp://127.0.0.1:1"))
