"""Functions of the user's own inside kernels: compiled for themselves, called by their address.

A kernel that took a function as an argument would be compiled anew for each. An address is a number: kernels stay
as they are, and pay one call for each row of units.
"""

from __future__ import annotations

import ctypes
import functools
import inspect
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.errors import NumbaError
from numba.extending import intrinsic
from numpy.typing import NDArray

from devices.neuron import activation, curves

from ..compile import elementwise

Reals = NDArray[Any]
Integers = NDArray[np.int64]

VALUE, SLOPE = 0, 1
"""Which function of an activation is called."""

_SINGLE, _DOUBLE, _PLANES = 0, 1, 2
"""Its forms: rows of single or double precision, one complex number."""

NO_ADDRESSES: Integers = np.zeros(0, dtype=np.int64)


def find_addresses(code: int) -> Integers:
    """Return the addresses (6,) that kernels call for an activation of the user's own; empty for the others."""
    return NO_ADDRESSES if code < activation.OWN else compile_own(curves.get_own_activation(code))


def compile_own(law: curves.OwnActivation) -> Integers:
    """Return the addresses (6,) of an activation of the user's own: value then slope, each in its three forms.

    Raises
    ------
    ValueError
        If one of its functions cannot be compiled.
    """
    return np.array([form.address for form in _compile_forms(law)], dtype=np.int64)


@functools.cache
def _compile_forms(law: curves.OwnActivation) -> list[Any]:
    """Return the six compiled forms; this cache keeps them as long as somebody may call an address."""
    found = []
    for name, function in (("value", law.value), ("slope", law.slope)):
        try:
            compiled = numba.njit(error_model="numpy")(_wrap_builtin(function))
            found += [_make_rows(compiled, types.float32), _make_rows(compiled, types.float64)]
            found.append(_make_planes(compiled) if law.holomorphic else found[-1])
        except NumbaError as error:
            raise ValueError(
                f"activation {law.name!r}: its {name} cannot be compiled, and kernels call it for every unit and step."
                f" Write it with numbers, `if`, `math` and NumPy functions of numbers. The compiler says:\n{error}"
            ) from error
    return found


def _wrap_builtin(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that is written in Python, as the compiler wants it; `math.tanh` is not."""

    def call(u: Any) -> Any:
        return function(u)

    return function if inspect.isfunction(function) else call


def _compile_form(kind: types.Float) -> Any:
    return numba.cfunc(types.void(types.CPointer(kind), types.CPointer(kind), types.int64))


def _make_rows(function: Callable[[float], float], kind: types.Float) -> Any:
    """Return a compiled ``rows(x, y, count)`` that works in double precision, as measured curves do."""

    def rows(x: Any, y: Any, count: int) -> None:
        source, found = numba.carray(x, count), numba.carray(y, count)
        for i in range(count):
            found[i] = function(np.float64(source[i]))

    return _compile_form(kind)(rows)


def _make_planes(function: Callable[[complex], complex]) -> Any:
    """Return a compiled ``planes(z, w, 2)`` of one complex number, two doubles."""

    def planes(x: Any, y: Any, count: int) -> None:
        source, found = numba.carray(x, count), numba.carray(y, count)
        value = function(complex(source[0], source[1]))
        found[0], found[1] = value.real, value.imag

    return _compile_form(types.float64)(planes)


@intrinsic  # type: ignore[untyped-decorator]
def _call(typing: Any, address: Any, x: Any, y: Any, count: Any) -> Any:  # noqa: ARG001
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        word = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [word, word, word])
        target = builder.inttoptr(arguments[0], kind.as_pointer())
        builder.call(target, [builder.zext(given, word) if given.type.width < 64 else given for given in arguments[1:]])
        return context.get_dummy_value()

    return types.void(address, x, y, count), generate


def _call_plain(address: int, x: int, y: int, count: int) -> None:
    ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(int(address))(int(x), int(y), int(count))


call = _call_plain if numba.config.DISABLE_JIT else _call
"""Call the compiled ``rows(x, y, count)`` at an address, with the addresses of its arrays."""


@elementwise
def call_rows(own: Integers, which: int, x: Reals, y: Reals, rows: int, first: int, stop: int) -> None:
    """Write a function of the columns ``first:stop`` of `x` to `y`, which may be `x`."""
    address = own[3 * which + (_SINGLE if x.itemsize == 4 else _DOUBLE)]  # bytes of a single
    for r in range(rows):
        source, found = x[r, first:stop], y[r, first:stop]
        call(address, source.ctypes.data, found.ctypes.data, stop - first)


@elementwise
def call_planes(own: Integers, which: int, x: float, y: float) -> tuple[float, float]:
    """Return a function of ``x + i y`` as (real, imaginary)."""
    # One array, read again behind the call: the compiler frees what it sees no use of.
    both = np.array([x, y, 0.0, 0.0])
    place = both.ctypes.data
    call(own[3 * which + _PLANES], place, place + 2 * both.itemsize, 2)
    return both[2], both[3]
