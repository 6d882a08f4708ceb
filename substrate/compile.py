"""How kernels are compiled and cached.

Numba does not notice that a function in another file changed. The cache folder is therefore named
by a digest of all sources that can end up in a kernel, so an edit of one of them starts a fresh cache.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
import threadpoolctl
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, register_jitable
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])
Reals = NDArray[Any]


COMPILED = (
    "devices/activation.py",
    "devices/nudge.py",
    "devices/steps.py",
    "substrate/anderson.py",
    "substrate/compile.py",
    "substrate/ends.py",
    "substrate/field.py",
    "substrate/kernels.py",
    "substrate/product.py",
    "substrate/pulsing.py",
    "substrate/raising.py",
    "substrate/rows.py",
    "substrate/shaking.py",
    "substrate/stages.py",
    "substrate/steps.py",
    "substrate/sweeps.py",
    "substrate/trajectory.py",
    "substrate/vector.py",
)
"""Sources that can end up in a kernel."""


def _digest() -> str:
    root = Path(__file__).resolve().parent.parent
    return hashlib.blake2b(b"".join((root / path).read_bytes() for path in COMPILED), digest_size=8).hexdigest()


def _cache_folder() -> Path:
    """Return the folder of compiled kernels: `NUMBA_CACHE_DIR`, else the user's cache, else a temporary folder."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    base = Path(os.environ.get("NUMBA_CACHE_DIR") or home / "nudgelab")
    folder = base / f"kernels-{_digest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        folder = Path(tempfile.gettempdir()) / f"nudgelab-{os.getuid()}" / folder.name
        folder.mkdir(parents=True, exist_ok=True)
    return folder


CACHE = _cache_folder()
numba.config.CACHE_DIR = str(CACHE)

# Never all of fastmath: it would turn the test for non-finite states into a constant. These flags let
# sums and polynomials be vectorised.
_FLAGS = {"reassoc", "contract", "nsz"}
_OPTIONS = {"error_model": "numpy", "nogil": True}


def kernel(function: F) -> F:
    """Compile `function` on its first call; it must take arrays, scalars and NamedTuples only."""
    compiled: F = numba.njit(cache=True, **_OPTIONS)(function)
    return compiled


def law(function: F) -> F:
    """Let kernels call the plain `function` of `devices`; the function itself stays as it is."""
    registered: F = register_jitable(**_OPTIONS)(function)
    return registered


def elementwise(function: F) -> F:
    """Let kernels call `function`, with floating point operations that may be reordered and fused."""
    registered: F = register_jitable(fastmath=_FLAGS, **_OPTIONS)(function)
    return registered


def inlined(function: F) -> F:
    """Let kernels call `function` in a loop that is to be vectorised: the compiler must not leave it a call."""
    registered: F = register_jitable(forceinline=True, **_OPTIONS)(function)
    return registered


@functools.cache
def _libraries() -> threadpoolctl.ThreadpoolController:
    return threadpoolctl.ThreadpoolController()


def single_threaded_blas() -> Any:
    """Return a context in which every product of NumPy uses one thread, so that its bits do not depend on the cores."""
    return _libraries().limit(limits=1, user_api="blas")


def blas_description() -> str:
    """Return name, version, core type and threads of the linear-algebra libraries in use."""
    rows = [
        f"{library.get('internal_api')} {library.get('version')} {library.get('architecture', '')} "
        f"({library.get('num_threads')} threads)"
        for library in _libraries().info()
        if library.get("user_api") == "blas"
    ]
    return "; ".join(sorted(set(rows)))


# What LLVM needs to see to vectorise exponentials and logarithms: the exponent field as an integer.


def _bits_of(kind: types.Float) -> tuple[ir.IntType, ir.Type, int, int, int]:
    """Return integer type, float type, bits of the fraction, bias, and the bits of sqrt(1/2)."""
    if kind == types.float32:
        return ir.IntType(32), ir.FloatType(), 23, 127, 0x3F3504F3
    return ir.IntType(64), ir.DoubleType(), 52, 1023, 0x3FE6A09E667F3BCD


@intrinsic  # type: ignore[untyped-decorator]
def _power_of_two(typing: Any, k: Any) -> Any:  # noqa: ARG001
    integer, real, fraction, bias, _ = _bits_of(k)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        whole = builder.fptosi(arguments[0], integer)
        raised = builder.shl(builder.add(whole, integer(bias)), integer(fraction))
        return builder.bitcast(raised, real)

    return k(k), generate


@intrinsic  # type: ignore[untyped-decorator]
def _exponent(typing: Any, x: Any) -> Any:  # noqa: ARG001
    integer, real, fraction, _, root = _bits_of(x)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        distance = builder.sub(builder.bitcast(arguments[0], integer), integer(root))
        return builder.sitofp(builder.ashr(distance, integer(fraction)), real)

    return x(x), generate


def _power_of_two_plain(k: float) -> Any:
    return type(k)(np.ldexp(1.0, int(k)))


def _exponent_plain(x: float) -> Any:
    fraction, exponent = np.frexp(x)
    return type(x)(exponent - (fraction < np.sqrt(0.5)))


power_of_two = _power_of_two_plain if numba.config.DISABLE_JIT else _power_of_two
"""Return ``2^k`` of a float that holds an integer, of the same type; no check of the range."""

exponent = _exponent_plain if numba.config.DISABLE_JIT else _exponent
"""Return the `e` for which ``x 2^-e`` lies in [sqrt(1/2), sqrt(2)), as a float of the type of `x` > 0."""
