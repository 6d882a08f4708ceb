"""A nudge scheme of my own: the five-point difference of textbooks, beside the centred one."""

from typing import Literal

import nudgelab
from nudgelab import Node


@nudgelab.register
class FivePoint(nudgelab.Scheme):
    """Nudges of the whole and of half the size, both ways; truncation error of order beta to the fourth."""

    kind: Literal["five-point"] = "five-point"

    def nodes(self) -> list[Node]:
        """Return ``(8 (a(b/2) - a(-b/2)) - (a(b) - a(-b))) / 6b`` as nudges and weights; the weights sum to 0."""
        b, unit = self.beta, 1.0 / (6.0 * self.beta)
        return [Node(b, -unit), Node(b / 2.0, 8.0 * unit), Node(-b / 2.0, -8.0 * unit), Node(-b, unit)]


# A scenario names it like any other; `beta`, and every field of one's own, is a key beside `kind`.
sizes = [0.4, 0.2]
scenario = nudgelab.load(
    "nudge-size",
    {
        "network.layers": {"in": 784, "l1": 32, "out": 10},
        "network.connections": ["in-l1", "l1-out", "out-l1"],
        "learning": {"schemes": [{"kind": kind, "beta": b} for kind in ("centred", "five-point") for b in sizes]},
        "experiment": {"kind": "measure", "samples": 8},
    },
)
result = scenario.run()
print(result.answer)

error = result["ledger"]["rms"].sel(term="finite_nudge", layer="l1")
print(error.to_series())
