"""The way to the engine: no other module of ours imports one.

Writes are computed cell by cell on the processor, whatever engine settles.
"""

from __future__ import annotations

from .cpu.compile import CACHE, explain_unkept, is_compiling
from .cpu.engine import CpuEngine
from .cpu.kernels.callbacks import compile_own
from .cpu.kernels.pulses import CellBlock, apply_pulses, raise_devices
from .cpu.writing import make_cell_block, make_pulse_train
from .protocol import SettlingEngine

__all__ = [
    "CACHE",
    "ENGINE",
    "CellBlock",
    "apply_pulses",
    "compile_own",
    "explain_unkept",
    "is_compiling",
    "make_cell_block",
    "make_pulse_train",
    "raise_devices",
]

ENGINE: SettlingEngine = CpuEngine()
"""What computes the settlings of every chip."""
