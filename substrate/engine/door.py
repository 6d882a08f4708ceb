"""The way to the engine: no other module of ours imports one.

Writes are computed cell by cell on the processor, whatever engine settles.
"""

from __future__ import annotations

import functools

from ..dynamics.methods import INSTALL_JAX, Dynamics
from .cpu.circuits.factors import SparseFactors
from .cpu.circuits.layered_sweeps import DescentOptions
from .cpu.circuits.layered_writes import FULL
from .cpu.circuits.learning import LearningEdges, LearningNetworks, answer_samples, learn_in_time
from .cpu.circuits.newton import CircuitEquations, NonlinearElements, solve_rest_points
from .cpu.circuits.sparse_newton import SparseConductances, solve_sparse_rest_points
from .cpu.compile import CACHE, explain_unkept, is_compiling
from .cpu.engine import CpuEngine
from .cpu.kernels.callbacks import compile_own
from .cpu.kernels.pulses import CellBlock, apply_pulses, raise_devices
from .cpu.layered import Imprint, LayeredCircuit, LayeredWiring
from .cpu.writing import make_cell_block, make_pulse_train
from .protocol import SettlingEngine

__all__ = [
    "CACHE",
    "FULL",
    "CellBlock",
    "CircuitEquations",
    "DescentOptions",
    "Imprint",
    "LayeredCircuit",
    "LayeredWiring",
    "LearningEdges",
    "LearningNetworks",
    "NonlinearElements",
    "SparseConductances",
    "SparseFactors",
    "answer_samples",
    "apply_pulses",
    "compile_own",
    "explain_unkept",
    "is_compiling",
    "learn_in_time",
    "load_engine",
    "make_cell_block",
    "make_pulse_train",
    "raise_devices",
    "solve_rest_points",
    "solve_sparse_rest_points",
]

_CPU: SettlingEngine = CpuEngine()


def load_engine(dynamics: Dynamics) -> SettlingEngine:
    """Return what computes the settlings of a chip.

    Raises
    ------
    ValueError
        If it needs JAX, and JAX cannot be imported.
    """
    return _CPU if dynamics.engine == "cpu" else _load_jax()


@functools.cache
def _load_jax() -> SettlingEngine:
    try:
        # An extra that most installations lack, and that takes a second to import.
        from .jax.engine import JaxEngine  # noqa: PLC0415
    except ImportError as error:
        raise ValueError(f'dynamics.engine = "jax": {error}; {INSTALL_JAX}') from error
    return JaxEngine()
