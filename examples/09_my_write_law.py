"""A law of writing of my own: pulses move a cell less, the nearer it is to the bound ahead."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

import nudgelab


@nudgelab.register
class Fading(nudgelab.WriteLaw):
    """Steps fall as a power of the room ahead: up ``(1 - x)^fading``, down ``x^fading``."""

    kind: Literal["fading"] = "fading"

    fading: Annotated[float, Field(ge=0.0, le=10.0)] = 1.0
    """How fast; 0: not at all."""

    def up(self, x):
        return (1.0 - x) ** self.fading

    def down(self, x):
        return x**self.fading


moved = {}
for fading in (0.0, 1.0, 3.0):
    law = {"kind": "fading", "fading": fading, "step": 0.001, "w_max": 2.0, "w_min": -2.0, "cycle_sigma": 0.3}
    chip = nudgelab.load("first-training", {"devices.update": law}).chip()
    before = chip.programmed["weight/in-l1"].copy()
    chip.write({"weight/in-l1": np.full(before.shape, 0.1)})  # 100 pulses for every cell
    moved[fading] = float((chip.programmed["weight/in-l1"] - before).mean())
    print(f"fading {fading:g}: cells moved by {moved[fading]:.4f} of the 0.1 that was asked for; {chip.causes}")
