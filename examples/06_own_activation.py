"""An activation of my own: softsign, as value and slope, beside tanh."""

import nudgelab


def softsign(u):
    """Return the activity."""
    return u / (1.0 + abs(u))


def softsign_slope(u):
    """Return its derivative."""
    return 1.0 / (1.0 + abs(u)) ** 2


nudgelab.register_activation("softsign", softsign, softsign_slope)

cosines = {}
for name in ("tanh", "softsign"):
    scenario = nudgelab.load(
        "nudge-size",
        {
            "network.activation": name,
            "learning": {"scheme": {"kind": "centred", "beta": 0.1}},
            "experiment": {"kind": "measure", "samples": 8},
        },
    )
    result = scenario.run()
    cosines[name] = result["gradient"]["cosine"].isel(scheme=0)
    print(f"{name}: {result.answer}")
