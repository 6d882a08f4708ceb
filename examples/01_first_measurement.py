"""A first measurement: the gradients of a chip whose feedback weights miss their targets by 10 %."""

import nudgelab

scenario = nudgelab.load("first-training", {"experiment": {"kind": "measure", "samples": 16}})
print(scenario.check())

result = scenario.run()
print(result.answer)

# Every number is a labelled array: dimensions and coordinates have names.
cosine = result["gradient"]["cosine"]
print(cosine.sel(layer="l1").to_series())

# The same chip with better cells.
better = scenario.set({"devices.feedback.mismatch_sigma": 0.01}).run()
print(float(cosine.min()), "->", float(better["gradient"]["cosine"].min()))
