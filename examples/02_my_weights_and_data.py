"""My own weights and data: arrays in memory take the place of files."""

import numpy as np

import nudgelab

rng = np.random.default_rng(0)
x = rng.normal(size=(40, 4))
y = (x[:, 0] * x[:, 1] > 0).astype(int)

weights = {
    "weight/in-l1": rng.normal(size=(4, 8)) / 2,
    "weight/l1-out": rng.normal(size=(8, 3)) / 3,
    "bias/l1": np.zeros(8),
    "bias/out": np.zeros(3),
    "readout/weight": rng.normal(size=(3, 2)),
    "readout/bias": np.zeros(2),
}
weights["weight/out-l1"] = weights["weight/l1-out"].T.copy()

scenario = nudgelab.load(
    {
        "schema": 1,
        "name": "mine",
        "network": {
            "layers": {"in": 4, "l1": 8, "out": 3},
            "connections": ["in-l1", "l1-out", "out-l1"],
            "parameters": weights,
        },
        "devices": {"weights": {"mismatch_sigma": "2 %"}, "converters": {"readout": {"bits": 8}}},
        "learning": {"scheme": {"kind": "centred", "beta": 0.2}},
        "task": {"kind": "arrays", "path": {"x": x, "y": y}},
        "experiment": {"kind": "measure", "samples": 40},
    }
)
result = scenario.run()
print(result)

# The chip itself, to be measured by hand: clamp, settle, read.
chip = scenario.chip(instance=3)
chip.set_input(x[:2])
chip.settle()
print({layer: activity.shape for layer, activity in chip.read().items()})
print("what makes this chip differ from its weights:", chip.causes)
