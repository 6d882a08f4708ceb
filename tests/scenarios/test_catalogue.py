"""Every bundled scenario runs, at reduced size."""

import numpy as np
import pytest

from scenarios import store
from scenarios.cli import CATALOGUE
from scenarios.load import load
from scenarios.progress import Progress
from scenarios.run import Options, run

REDUCED = {
    "measure": ["experiment.samples=4", "experiment.repeats=2"],
    "nudge": ["experiment.samples=4", "experiment.repeats=2"],
    "settle": ["experiment.record.every_steps=200"],
    "train": [
        "experiment.samples=40",
        "experiment.test_samples=20",
        "experiment.epochs=2",
        "experiment.ledger.samples=4",
    ],
}


@pytest.mark.parametrize("path", sorted(CATALOGUE.glob("*.toml")), ids=lambda path: path.stem)
def test_scenario_runs(path, tmp_path):
    kind = load(path).scenario.experiment.kind
    done = run(load(path, REDUCED[kind]), Options(tmp_path / "out"), Progress(quiet=True))
    result = store.load(done.folder / "run.h5")
    assert result.attributes["status"] == "complete"
    assert all(file.stat().st_size > 100 for file in done.files)
    if kind == "settle":
        assert (result["settling"]["status"].data == 0).all()
        return
    if kind == "nudge":
        assert np.isfinite(result["nudge"]["mse"].data).all()
        return
    ledger = result["ledger"]
    assert np.isfinite(ledger["relative"].data).all()
    assert (ledger["total"].data[:, 0] > 0.01).all()
    if kind == "measure":
        assert int(ledger["unsettled"].data.sum()) == 0
    else:
        assert np.isfinite(result["metrics"]["loss_train"].data[1:]).all()


def test_nudge_size_shows_the_orders(tmp_path):
    scenario = load(CATALOGUE / "nudge-size.toml", ["experiment.samples=4"])
    done = run(scenario, Options(tmp_path / "out"), Progress(quiet=True))
    result = store.load(done.folder / "run.h5")
    beta, kinds = result["signal"]["beta"].data, [text.split(",")[0] for text in result["ledger"]["scheme"].data]
    finite = result["ledger"]["relative"].data[..., 1]
    for kind, order in {"one-sided": 1, "centred": 2, "circle 4": 4, "circle 6": 6}.items():
        rows = [s for s, other in enumerate(kinds) if other == kind and beta[s] <= 0.1]
        slopes = np.polyfit(np.log(beta[rows]), np.log(finite[rows]), 1)[0]
        np.testing.assert_allclose(slopes, order, atol=0.25, err_msg=kind)
