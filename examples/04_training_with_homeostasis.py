"""Train a chip with independent feedback weights, with and without Jacobian homeostasis."""

import nudgelab

plain = nudgelab.load(
    {
        "schema": 1,
        "name": "moons",
        "network": {
            "layers": {"in": 2, "l1": 12, "out": 6},
            "connections": ["in-l1", "l1-out", "out-l1"],
            "asymmetry": {"angle": "90 degree"},
        },
        "learning": {
            "scheme": {"kind": "centred", "beta": 0.2},
            "optimiser": {"kind": "sgd", "rate": 0.02, "momentum": 0.9},
        },
        "task": {"kind": "two-moons", "samples": 100, "test_samples": 100, "batch": 10},
        "experiment": {"kind": "train", "epochs": 20, "ledger": {"every_epochs": 20, "samples": 32}},
    }
)
pulled = plain.set({"learning.homeostasis": {"kind": "exact", "strength": 1.0}})

cosines = {}
for name, scenario in {"EP alone": plain, "with homeostasis": pulled}.items():
    result = scenario.run()
    cosines[name] = result["gradient"]["cosine"].isel(epoch=-1, scheme=0).sel(layer="l1").item()
    error = result["metrics"]["error_test"].values[-1]
    print(f"{name}: cosine of l1 {cosines[name]:.2f}, test error {100 * error:.0f} %")
