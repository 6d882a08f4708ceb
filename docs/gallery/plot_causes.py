"""
Where does the gradient error of a chip come from?
==================================================

A chip whose feedback weights miss their targets by 10 %: the error of every cause, layer by layer, over the exact
gradient.
"""

import nudgelab

result = nudgelab.load("first-training", {"experiment": {"kind": "measure", "samples": 8}}).run()
print(result.answer)
causes = result.figures["causes"]
