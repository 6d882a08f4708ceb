"""The way to the engine: no other module of ours imports one.

Writes are computed cell by cell on the processor, whatever engine settles.
"""

from __future__ import annotations

from .cpu.compile import CACHE, compiling, unkept
from .cpu.engine import CpuEngine
from .cpu.kernels.callbacks import compile_own
from .cpu.kernels.pulses import Block, apply_pulses, raise_devices
from .cpu.writing import as_moved, train_of
from .protocol import SettlingEngine

__all__ = [
    "CACHE",
    "ENGINE",
    "Block",
    "apply_pulses",
    "as_moved",
    "compile_own",
    "compiling",
    "raise_devices",
    "train_of",
    "unkept",
]

ENGINE: SettlingEngine = CpuEngine()
"""What computes the settlings of every chip."""
