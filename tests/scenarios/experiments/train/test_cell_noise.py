"""A training tells what noise of cells makes of its estimates, epoch by epoch."""

import numpy as np

import nudgelab
from scenarios.report.sheets import make_sheets
from tests.scenarios.experiments.rivals.test_rivals import SMALL


def test_the_size_of_the_noise_is_kept_by_epoch():
    changes = {
        "experiment": {"kind": "train", "epochs": 1, "ledger": {"samples": 4, "repeats": 2}},
        "devices": {"weights": {"noise": {"relative": 0.01}}},
        "task": SMALL["task"] | {"batch": 4},
    }
    result = nudgelab.load(SMALL | changes).run()
    group = result["cell_noise"]
    assert group["relative"].dims == ("epoch", "scheme", "process", "layer")
    assert np.isfinite(group["relative"].values).all()
    assert any("delta" in column for sheet in make_sheets(result.stored, 8) for column in sheet.columns)
    assert list(result.figures)
