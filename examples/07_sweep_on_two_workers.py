"""A sweep on two workers, kept in a folder, read into xarray and pandas."""

from pathlib import Path
from tempfile import TemporaryDirectory

import nudgelab


def main() -> None:
    """Run the sweep; workers import this file, so that the work stands in a function."""
    scenario = nudgelab.load(
        {
            "schema": 1,
            "name": "bits",
            "network": {"layers": {"in": 4, "l1": 8, "out": 3}, "connections": ["in-l1", "l1-out", "out-l1"]},
            "learning": {"scheme": {"kind": "centred", "beta": 0.1}},
            "devices": {"feedback": {"mismatch_sigma": "2 %"}, "converters": {"readout": {"bits": 8}}},
            "task": {"kind": "teacher", "inputs": 4, "outputs": 3, "samples": 32, "test_samples": 8},
            "experiment": {"kind": "measure", "samples": 16},
        }
    )
    sweep = nudgelab.sweep(scenario, {"devices.converters.readout.bits": [4, 6, 8, 10]}, replicates=2)
    with TemporaryDirectory() as folder:
        result = sweep.run(Path(folder) / "bits", workers=2)
        print(result.answer)
        tree, table = result.to_xarray(), result.to_dataframe()
    cosine = tree["gradient"]["cosine"].mean("replicate").isel(scheme=0)
    print(cosine.sel(layer="l1").to_series())
    print(table[["devices.converters.readout.bits", "replicate", "status"]])


if __name__ == "__main__":
    main()
