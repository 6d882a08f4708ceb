"""
Gradients against the mismatch of feedback cells
================================================

A sweep over values and chips: every chip along every axis, differences chip by chip, and a map of two axes.
"""

from tempfile import TemporaryDirectory

import nudgelab

small = nudgelab.load("asymmetry", {"network.layers.l1": 12, "network.layers.l2": 8, "experiment.samples": 2})
axes = {"devices.feedback.mismatch_sigma": [0, 0.1, 0.3, 1], "learning.scheme.beta": [0.05, 0.2, 0.8]}
with TemporaryDirectory() as folder:
    result = nudgelab.sweep(small, axes, replicates=3).run(folder)
    print(result.answer)
    along = nudgelab.draw(result, "along-0")

    # The figures of a sweep are drawn from its folder.
    heat = nudgelab.draw(result, "heat", width="one-column")
    differences = nudgelab.draw(result, "paired-1")

# %%
# Noise of cells, against how long it lasts.

cells = nudgelab.load("cell-noise", {"network.layers.l1": 8, "experiment.samples": 2, "experiment.repeats": 4})
levels = {"devices.weights.noise.relative": [0.003, 0.01], "devices.weights.noise.tau_c": [0.1, 10, 1e6]}
with TemporaryDirectory() as folder:
    noise = nudgelab.draw(nudgelab.sweep(cells, levels).run(folder), "cell-noise")

# %%
# Trainings of two chips at two spreads, over their epochs.

short = {
    "network.layers": {"in": 784, "l1": 12, "out": 10},
    "network.connections": ["in-l1", "l1-out", "out-l1"],
    "experiment.samples": 100,
    "experiment.epochs": 3,
    "experiment.reference": False,
    "experiment.ledger": {"every_epochs": 1, "samples": 4},
}
spreads = {"devices.feedback.mismatch_sigma": [0, 1]}
with TemporaryDirectory() as folder:
    swept = nudgelab.sweep(nudgelab.load("training", short), spreads, replicates=2).run(folder)
    trainings = nudgelab.draw(swept, "trainings")
