"""The only import of Numba: how kernels are compiled, cached, and call the matrix product.

Numba does not notice that a function in another file changed. The cache folder is therefore named
by a digest of all sources that can end up in a kernel, so an edit anywhere starts a fresh cache.
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
import scipy.linalg.cython_blas  # noqa: F401  the library behind the kernels' products: load it before limiting threads
import threadpoolctl
from numba import types
from numba.extending import register_jitable
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])


def _digest() -> str:
    root = Path(__file__).resolve().parent.parent
    sources = sorted(path for folder in ("devices", "substrate") for path in (root / folder).glob("*.py"))
    return hashlib.blake2b(b"".join(path.read_bytes() for path in sources), digest_size=8).hexdigest()


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

# No fastmath: it would turn the test for non-finite states into a constant.
_OPTIONS = {"error_model": "numpy", "nogil": True}


def kernel(function: F) -> F:
    """Compile `function` on its first call; it must take arrays, scalars and NamedTuples only."""
    compiled: F = numba.njit(cache=True, **_OPTIONS)(function)
    return compiled


def law(function: F) -> F:
    """Let kernels call the plain `function` of `devices`; the function itself stays as it is."""
    registered: F = register_jitable(**_OPTIONS)(function)
    return registered


@functools.cache
def _libraries() -> threadpoolctl.ThreadpoolController:
    return threadpoolctl.ThreadpoolController()


def single_threaded_blas() -> Any:
    """Return a context in which every product uses one thread (tiles already use all cores)."""
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


def add_product_by_dot(
    c: NDArray[np.float64], c_first: int, a: NDArray[np.float64], a_first: int, b: NDArray[np.float64]
) -> None:
    """Add ``a[:, a_first : a_first + k] @ b`` to ``c[:, c_first : c_first + n]``; `b` is (k, n), C order.

    The portable form: it copies both column ranges.
    """
    k, n = b.shape
    c[:, c_first : c_first + n] += np.dot(np.ascontiguousarray(a[:, a_first : a_first + k]), b)


# The BLAS entry behind Numba's own `np.dot` takes leading dimensions, so that column ranges of the
# state are used in place: kind, transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc.
_gemm = types.ExternalFunction(
    "numba_xxgemm",
    types.intc(
        *[types.int8] * 3,
        *[types.intp] * 3,
        *[types.voidptr] * 2,
        types.intp,
        types.voidptr,
        types.intp,
        *[types.voidptr] * 2,
        types.intp,
    ),
)
_KIND, _PLAIN = np.int8(ord("d")), np.int8(ord("n"))


def add_product_in_place(
    c: NDArray[np.float64], c_first: int, a: NDArray[np.float64], a_first: int, b: NDArray[np.float64]
) -> None:
    """Do what `add_product_by_dot` does, without a copy; row-major ``C = A B`` is column-major ``C' = B' A'``."""
    k, n = b.shape
    one = np.ones(1)
    _gemm(
        _KIND,
        _PLAIN,
        _PLAIN,
        n,
        c.shape[0],
        k,
        one.ctypes,
        b.ctypes,
        n,
        a[0, a_first:].ctypes,
        a.shape[1],
        one.ctypes,
        c[0, c_first:].ctypes,
        c.shape[1],
    )


add_product = law(add_product_by_dot if numba.config.DISABLE_JIT else add_product_in_place)
