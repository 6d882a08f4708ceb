"""A block of devices of my own: read lines that couple, and what that does to gradients."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

import nudgelab


@nudgelab.register
class Crosstalk(nudgelab.DeviceBlock):
    """Every unit is read with a share of the units beside it, a little more or less from unit to unit."""

    kind: Literal["crosstalk"] = "crosstalk"

    share: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    """Of each neighbour; 0: none."""

    def read(self, activity, fixed):
        beside = np.roll(activity, 1, axis=1) + np.roll(activity, -1, axis=1)
        return activity + self.share * (1.0 + 0.1 * fixed) * beside


scenario = nudgelab.load(
    {
        "schema": 1,
        "name": "crosstalk",
        "network": {"layers": {"in": 4, "l1": 8, "out": 3}, "connections": ["in-l1", "l1-out", "out-l1"]},
        "learning": {"scheme": {"kind": "centred", "beta": 0.1}},
        "task": {"kind": "teacher", "inputs": 4, "outputs": 3, "samples": 16, "test_samples": 8},
        "experiment": {"kind": "measure", "samples": 16},
    }
)
readout = {}
for share in (0.0, 0.01, 0.1):
    coupled = scenario.set({"devices.crosstalk.share": share})
    ledger = coupled.run()["ledger"]
    terms = list(ledger["term"].values)
    readout[share] = float(ledger["relative"].isel(scheme=0, layer=0, term=terms.index("readout")))
    print(f"share {share:g}: {coupled.chip().causes}, the readout misses {100 * readout[share]:.3g} % of the gradient")
