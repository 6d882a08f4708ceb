"""Cosine of the gradient against the angle between forward and feedback weights, over chips, as a figure."""

from pathlib import Path
from tempfile import TemporaryDirectory

import nudgelab

scenario = nudgelab.load(
    "nudge-size",
    {
        "network.layers": {"in": 784, "l1": 32, "out": 10},
        "network.connections": ["in-l1", "l1-out", "out-l1"],
        "learning": {"scheme": {"kind": "centred", "beta": 0.1}},
        "experiment": {"kind": "measure", "samples": 8},
    },
)

with TemporaryDirectory() as folder:
    sweep = nudgelab.sweep(scenario, {"network.asymmetry.angle": [0, 30, 60, 90]}, replicates=3, replicate="seed")
    result = sweep.run(Path(folder) / "angles")
    print(result.answer)
    cosine = result["gradient"]["cosine"].isel(scheme=0)

mean, spread = cosine.mean("replicate"), cosine.std("replicate")

from matplotlib.figure import Figure  # noqa: E402  a figure of one's own needs nothing of nudgelab

figure = Figure(figsize=(4, 3), layout="constrained")
axes = figure.add_subplot(xlabel="angle (degree)", ylabel="cosine to the exact gradient")
for layer in ("l1", "out"):
    axes.errorbar(mean["network.asymmetry.angle"], mean.sel(layer=layer), spread.sel(layer=layer), label=layer)
axes.legend(title="mean and spread of 3 draws")
figure.savefig("cosine-against-angle.svg")
