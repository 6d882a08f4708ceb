"""The engine for accelerators: programs of JAX over the samples of a batch."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ...dynamics.machine import Drive, Machine
from ...network.connection import ConnectionKind
from ...protocol import State
from ..protocol import Linear
from .batch import Tile, make_cell, make_inputs, make_planes, make_spec, prepare_weights, read_planes
from .compile import calculate_in_double
from .drift import compute_drives, join_layers
from .law import Readout, compute_activity, compute_force
from .linear import linearise_drive
from .settle import find_rest, relax

Array = NDArray[np.float64]


class JaxEngine:
    """Implements `substrate.engine.protocol.SettlingEngine`."""

    prepare = staticmethod(calculate_in_double(prepare_weights))
    relax = staticmethod(relax)
    rest = staticmethod(find_rest)
