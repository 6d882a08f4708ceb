"""
How long does a chip take to settle?
====================================

The distance of the slowest unit from the end of its settling, free and nudged.
"""

import nudgelab

result = nudgelab.load("settling").run()
print(result.answer)
figure = nudgelab.draw(result, "settling", width="one-column")
