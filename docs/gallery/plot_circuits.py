"""
Circuits: a board that is measured, and one that learns by itself
=================================================================

A board of resistors has a ledger like any chip; a circuit that learns by itself is watched while its task changes.
"""

import nudgelab

board = nudgelab.load("circuits/board").run()
causes = nudgelab.draw(board, "causes")

# %%
# What a circuit of seven transistors forgets between two tasks, against the period of their change: also measured.

learner = nudgelab.load("circuits/transistor-learner").run()
cycles = nudgelab.draw(learner, "cycles")
print(cycles.caption)
