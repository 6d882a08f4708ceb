"""
How much do chips of one design differ?
=======================================

Weights that were trained on one chip, copied to eight others of the same design, each with a mismatch of its own.
"""

import tempfile

import nudgelab

small = {
    "network.layers": {"in": 784, "l1": 32, "out": 10},
    "network.connections": ["in-l1", "l1-out", "out-l1"],
    "devices.weights": {"mismatch_sigma": 0.3},
}
with tempfile.TemporaryDirectory() as folder:
    nudgelab.load("first-training", small | {"experiment.ledger": None}).run(out=folder)
    copied = {"network.parameters": f"{folder}/run.h5", "experiment": {"kind": "evaluate", "chips": 8}}
    chips = {"chip.instance": 1, "learning": None}
    result = nudgelab.load("first-training", small | chips | copied).run()
print(result.answer)
figure = nudgelab.draw(result, "chips", width="one-column")
print(figure.caption)
