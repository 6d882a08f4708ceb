"""
What do write policies make of requests?
========================================

Many batches of requests, written by several policies, against what was asked for.
"""

import nudgelab

result = nudgelab.load("write-policies", {"experiment.batches": 20}).run()
print(result.answer)
figure = nudgelab.draw(result, "writes")
