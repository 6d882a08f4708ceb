"""Every key that spreads weights has the moments it states, in the weights that units feel, beside any other block."""

from functools import cache

import numpy as np
import pytest

from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise
from devices.programming.laws import SoftBounds
from devices.synapse.cell import FeedbackDevices, Pelgrom, WeightDevices
from devices.synapse.retention import Retention
from devices.synapse.twin import Twin
from devices.synapse.wires import Wires
from substrate.chip.chip import Chip
from substrate.chip.design import Design, Fabrication
from substrate.network.topology import Topology
from tests.networks import dynamics, random_blocks
from tests.statistics import assert_mean, assert_normal_variance

LAYERS, CHIPS, SIGMA = {"in": 20, "l1": 60, "out": 50}, 6, 0.1
TOPOLOGY = Topology(LAYERS, ["in-l1", "l1-out", "out-l1"], None)
BLOCKS = random_blocks(TOPOLOGY, 0)
AREA = Pelgrom(coefficient=0.2, width=2.0, length=2.0)
KEYS = {
    "mismatch_sigma": {"mismatch_sigma": SIGMA},
    "lognormal": {"mismatch_sigma": SIGMA, "mismatch": "lognormal"},
    "additive": {"mismatch_sigma": SIGMA, "mismatch": "additive"},
    "pelgrom": {"pelgrom": AREA},
    "gain_sigma": {"gain_sigma": SIGMA},
    "mirror": {"mirror": AREA.model_copy(update={"coefficient": 0.2 / np.sqrt(2.0)})},
}
"""Keys of cells, each of which spreads by `SIGMA`."""
PATHS = {"gain_sigma", "mirror"}
"""Those that stand for the path into a unit; the others stand for one cell."""
BESIDE = {
    "nothing": {},
    "pairs": {"weights": {"cell": "pair"}},
    "mismatch": {"weights": {"mismatch_sigma": 0.05}},
    "paths": {"weights": {"gain_sigma": 0.05}},
    "window": {"weights": {"window": [-0.2, 0.2], "levels": 9}},
    "stuck": {"weights": {"stuck_fraction": 0.1, "stuck_at": 0.3}},
    "wires": {"weights": {"cell": "pair"}, "wires": Wires(segment=1e-7)},
    "opposite": {"weights": {"cell": "pair"}, "wires": Wires(segment=1e-7, ends="opposite", array=[16, 16])},
    "copied": {"feedback": FeedbackDevices(storage="copied")},
    "shared": {"feedback": FeedbackDevices(storage="shared-device")},
    "twin": {"twin": Twin(mismatch_sigma=0.1)},
    "neurons": {"neurons": NeuronDevices(gain_sigma=0.1, offset_sigma=0.1)},
    "passive": {"synapse": "passive", "volt_ratio": 0.1},
    "transconductor": {"synapse": "transconductor", "noise": Noise(thermal=0.1)},
    "bounds": {"update": SoftBounds(step=0.01, w_max=0.3, w_min=-0.3, w_max_sigma=0.3)},
    "retention": {"retention": Retention(age=9.0, leak_tau=99.0, leak_tau_sigma=0.3, drift=0.1)},
}


SAME = {*((key, "paths") for key in PATHS), *((key, "mismatch") for key in KEYS.keys() - PATHS)}
"""Two ways to say one spread, which exclude each other."""
CUT = {("additive", beside) for beside in ("pairs", "wires", "opposite")}
"""A conductance at 0 that is cut there has other moments, see `devices.synapse.conductance.compute_weight_moments`."""


@cache
def chips(beside, key=None):
    """Return the weights that units feel, (chips, pre, post) by block, of chips drawn with a key or without."""
    cells, parts = KEYS.get(key, {}), {"weights": {}} | BESIDE[beside]
    weights = WeightDevices(**parts.pop("weights") | cells)
    design = Design(TOPOLOGY, "sigmoid", "mse", dynamics()).replace(weights=weights, **parts)
    tied = design.devices.feedback.tied
    blocks = BLOCKS | ({"weight/out-l1": BLOCKS["weight/l1-out"].T} if tied else {})
    drawn = [Chip(design, blocks, Fabrication(0, k)).effective for k in range(CHIPS)]
    return {c.block: np.array([weights[c.block] for weights in drawn]) for c in TOPOLOGY.connections}


@pytest.mark.parametrize(("key", "beside"), sorted({(k, b) for k in KEYS for b in BESIDE} - SAME - CUT))
def test_a_key_spreads_the_effective_weights_as_it_says(key, beside):
    """What it multiplies them with: means and variances over drawn chips, false alarms 1e-6 each."""
    for block, plain in chips(beside).items():
        there = (plain != 0.0) & ((np.abs(plain) != 0.3) | (beside != "stuck"))
        weight = chips(beside, key)[block]
        found = np.where(there, weight / np.where(there, plain, 1.0), np.nan)
        if key in PATHS:
            # One gain for all cells of a unit.
            assert np.nanmax(np.nanmax(found, axis=1) - np.nanmin(found, axis=1)) < 1e-4
            found = np.nanmean(found, axis=1)
        found = found[np.isfinite(found)]
        xi = {"lognormal": np.log(np.abs(found)), "additive": weight[there] - plain[there]}.get(key, found - 1.0)
        assert_mean(xi, 0.0, SIGMA)
        assert_normal_variance(xi, SIGMA**2)
