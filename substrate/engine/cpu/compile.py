"""How kernels are compiled and cached.

Numba does not notice that a function in another file changed. The cache folder is therefore named
by a digest of all sources that can end up in a kernel, so an edit of one of them starts a fresh cache.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import event
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, _CacheLocator
from numba.extending import intrinsic, register_jitable
from numpy.typing import NDArray

from ..folders import add_checksum, find_folder, is_intact
from .sources import find_sources

F = TypeVar("F", bound=Callable[..., Any])
Reals = NDArray[Any]


_HERE = Path(__file__).resolve()


def _find_kernel_sources(folder: Path) -> list[Path]:
    """Return the sources that can end up in a kernel of a folder, or in the files that keep it."""
    found = find_sources([_HERE, *folder.glob("*.py")], _HERE.parents[3])
    return [source for source in found if source.name != "parameters.py"]  # classes that kernels cannot use


SOURCES = {name: _find_kernel_sources(_HERE.parent / name) for name in ("kernels", "circuits")}
"""Sources that can end up in a kernel, by its folder."""


@cache
def _compute_source_digest(folder: str) -> str:
    return hashlib.blake2b(b"".join(source.read_bytes() for source in SOURCES[folder]), digest_size=8).hexdigest()


CACHE = find_folder(f"kernels-{_compute_source_digest('kernels')}")

_unkept: list[str] = []


def explain_unkept() -> str:
    """Return why kernels that this process compiled are not kept for the next one; empty if they are."""
    if CACHE.folder is None:
        return "; ".join(f"{folder}: {reason}" for folder, reason in CACHE.refused.items()) or "no folder for them"
    return _unkept[0] if _unkept else ""


class _KernelFiles(IndexDataCacheFile):  # type: ignore[misc]
    """Index and machine code of one kernel, each file with its checksum."""

    def load(self, key: Any) -> Any:
        try:
            return super().load(key)
        except OSError:
            return None

    def _load_index(self) -> Any:
        return super()._load_index() if is_intact(self._index_path) else {}

    def _load_data(self, name: str) -> Any:
        if not is_intact(self._data_path(name)):
            return None
        return super()._load_data(name)

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[io.BytesIO]:
        content = io.BytesIO()
        yield content
        with super()._open_for_write(filepath) as file:
            file.write(add_checksum(content.getvalue()))


class _KernelLocator(_CacheLocator):  # type: ignore[misc]
    """The place of one kernel in the folder: by module and line, wherever its source lies and whenever it was copied.

    Names say what the sources are, so every installation of the same sources shares it; those of each folder of kernels
    have a name of their own, so that an edit of one circuit's kernel compiles no other kernel anew.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        folder = function.__module__.rpartition(".")[0].rpartition(".")[2]
        digest = _compute_source_digest(folder) if folder in SOURCES else ""
        self._path = Path(CACHE.folder or "", digest, function.__module__)
        self._line = function.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        return str(self._path)

    def get_source_stamp(self) -> str:
        return ""

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, function: Callable[..., Any], _file: str) -> _KernelLocator:
        return cls(function)


class _KernelCacheImpl(CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = [_KernelLocator]  # noqa: RUF012  as Numba has it


class _KernelCache(FunctionCache):  # type: ignore[misc]
    """Compiled forms of one kernel; a folder that fails is told, and ends nothing."""

    _impl_class = _KernelCacheImpl

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = _KernelFiles(self._cache_path, self._impl.filename_base, "")

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _unkept.append(f"{CACHE.folder}: {error.strerror or error}")
        except RuntimeError as error:  # a signal came while the machine code was handed over
            _unkept.append(f"{CACHE.folder}: {error}")


def _enable_cache(compiled: Any, function: Callable[..., Any]) -> None:
    """Let the compiled forms of `function` be kept in the folder of kernels, and nowhere else."""
    if CACHE.folder is None:
        return
    try:
        cache = _KernelCache(function)
    except (OSError, RuntimeError) as error:
        _unkept.append(f"{CACHE.folder}: {error}")
        return
    if CACHE.folder in Path(cache.cache_path).parents:
        compiled._cache = cache  # noqa: SLF001  as `enable_caching` does with a cache of Numba's own
    else:
        _unkept.append(f"{CACHE.folder}: no folder can be made in it")


class _Compilations(event.Listener):  # type: ignore[misc]
    """Counts what is being compiled now; what comes from the cache is not."""

    def __init__(self) -> None:
        self.running = 0

    def on_start(self, _: Any) -> None:
        self.running += 1

    def on_end(self, _: Any) -> None:
        self.running -= 1


_compilations = _Compilations()
event.register("numba:compile", _compilations)


def is_compiling() -> bool:
    """Tell whether a kernel is being compiled now."""
    return _compilations.running > 0


# Never all of fastmath: it would turn the test for non-finite states into a constant. These flags let
# sums and polynomials be vectorised.
_FLAGS = {"reassoc", "contract", "nsz"}
_OPTIONS = {"error_model": "numpy", "nogil": True}


def kernel(function: F) -> F:
    """Compile `function` on its first call; it must take arrays, scalars and NamedTuples only."""
    compiled: F = numba.njit(**_OPTIONS)(function)
    if not numba.config.DISABLE_JIT:
        _enable_cache(compiled, function)
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


# What LLVM needs to see to vectorise exponentials and logarithms: the exponent field as an integer.


def _get_float_layout(kind: types.Float) -> tuple[ir.IntType, ir.Type, int, int, int]:
    """Return integer type, float type, bits of the fraction, bias, and the bits of sqrt(1/2)."""
    if kind == types.float32:
        return ir.IntType(32), ir.FloatType(), 23, 127, 0x3F3504F3
    return ir.IntType(64), ir.DoubleType(), 52, 1023, 0x3FE6A09E667F3BCD


@intrinsic  # type: ignore[untyped-decorator]
def _power_of_two(typing: Any, k: Any) -> Any:  # noqa: ARG001
    integer, real, fraction, bias, _ = _get_float_layout(k)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        whole = builder.fptosi(arguments[0], integer)
        raised = builder.shl(builder.add(whole, integer(bias)), integer(fraction))
        return builder.bitcast(raised, real)

    return k(k), generate


@intrinsic  # type: ignore[untyped-decorator]
def _exponent(typing: Any, x: Any) -> Any:  # noqa: ARG001
    integer, real, fraction, _, root = _get_float_layout(x)

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
