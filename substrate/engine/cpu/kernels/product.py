"""Products of activities and weights, compiled: the one place where the engine spends most of its time.

Libraries re-arrange the weights in every call, which costs tiles of a few rows half their speed.
Here the weights are packed once per settling into panels of a few columns, and blocks of rows
accumulate in registers. Every number of the result adds its products in the order of the inputs, so its
bits depend neither on the rows beside it nor on the width of the machine's vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic
from numpy.typing import NDArray

from ..compile import elementwise

Reals = NDArray[Any]
Integers = NDArray[np.int64]

_, PROCESSOR, _FEATURES = cpu_target.target_context.codegen().magic_tuple()
_WIDE = "+avx512f" in _FEATURES.split(",")
"""Whether there are 32 registers of 64 bytes. Numba keeps a kernel under these very features, so none is mistaken."""

VECTOR = 64 if _WIDE else 32
"""Bytes of a vector."""

ROWS = 4
"""Arrays have a multiple of so many rows."""

BLOCK = 8 if _WIDE else 6
"""Rows that accumulate together. With two vectors each they hide the latency of a multiplication, and with two
vectors of weights and one of an activity they fit the registers: AVX2 has 16."""

DEPTH = 256
"""Inputs that are worked through before the next rows: their weights stay in the first-level cache."""


def describe_block() -> str:
    """Return the rows and vectors of a block, and the processor that kernels are compiled for."""
    return f"{BLOCK} rows x 2 vectors of {VECTOR} bytes, compiled for {PROCESSOR}"


def count_panel_columns(itemsize: int) -> int:
    """Return the columns of a panel: two vectors."""
    return 2 * VECTOR // itemsize


def count_padded_rows(rows: int) -> int:
    """Return the rows an array needs so that `rows` of them can be multiplied."""
    return -(-rows // ROWS) * ROWS


def pack_weights(weights: Reals, edges: Integers, dtype: Any) -> tuple[Reals, Integers]:
    """Return the weights of every connection in panels, zeros beyond the last column, and where each begins.

    Parameters
    ----------
    weights : array
        Flat; the block (pre, post) of a connection starts at its offset.
    edges : array (connections, 6)
        First pre column, first post column, pre, post, offset and colour.
    dtype : type
        Number type of the panels.
    """
    dtype = np.dtype(dtype)
    width = count_panel_columns(dtype.itemsize)
    sizes = [-(-post // width) * width * pre for _, _, pre, post, _, _ in edges]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    flat = _allocate_aligned(int(starts[-1]), dtype)
    for (_, _, pre, post, offset, _), start, size in zip(edges, starts, sizes, strict=False):
        block = weights[offset : offset + pre * post].reshape(pre, post)
        panels, whole = flat[start : start + size].reshape(-1, pre, width), post // width
        panels[:whole] = block[:, : whole * width].reshape(pre, whole, width).transpose(1, 0, 2)
        panels[whole:, :, : post - whole * width] = block[:, whole * width :]
    return flat, starts[:-1]


def _allocate_aligned(size: int, dtype: np.dtype[Any]) -> Reals:
    """Return zeros that start at a vector, so that no load spans two cache lines."""
    raw = np.zeros(size * dtype.itemsize + VECTOR, dtype=np.uint8)
    first = -raw.ctypes.data % VECTOR
    return raw[first : first + size * dtype.itemsize].view(dtype)


def _make_block_product(rows: int) -> Any:
    """Return a function that writes to `c` the sum of `b` and the product of `rows` rows of `a` with a panel.

    Its arguments: addresses of `c` and `b` and their row length (in numbers), address and row length of
    `a`, address of the panel, inputs, and any number of the type.
    """

    @intrinsic  # type: ignore[untyped-decorator]
    def multiply(
        typing: Any,  # noqa: ARG001
        c: Any,
        b: Any,
        c_row: Any,
        a: Any,
        a_row: Any,
        panel: Any,
        inputs: Any,
        one: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
            _PanelCode(builder, one.bitwidth // 8, rows).write(*arguments[:7])
            return context.get_dummy_value()

        return types.void(c, b, c_row, a, a_row, panel, inputs, one), generate

    return multiply


class _PanelCode:
    """Writes the code of one block of rows: two vectors of sums per row stay in registers over all inputs."""

    def __init__(self, builder: Any, size: int, rows: int) -> None:
        self.builder, self.size, self.rows = builder, size, rows
        self.real = ir.FloatType() if size == 4 else ir.DoubleType()
        self.lanes = VECTOR // size
        self.vector = ir.VectorType(self.real, self.lanes)

    def write(self, c: Any, b: Any, c_row: Any, a: Any, a_row: Any, panel: Any, inputs: Any) -> None:
        """Write the loop over the inputs; there is at least one."""
        builder = self.builder
        begin = [self._load(place, self.vector) for place in self._places(b, c_row)]
        before, loop = builder.block, builder.append_basic_block("inputs")
        builder.branch(loop)
        builder.position_at_end(loop)
        k, sums = builder.phi(_INTEGER), [builder.phi(self.vector) for _ in begin]
        start = self._at(panel, builder.mul(k, _make_integer(2 * self.lanes)))
        weights = [self._load(self._at(start, _make_integer(w * self.lanes)), self.vector) for w in (0, 1)]
        added = []
        for r in range(self.rows):
            activity = self._spread(
                self._load(self._at(self._at(a, builder.mul(_make_integer(r), a_row)), k), self.real)
            )
            added += [self._multiply_add(activity, weights[w], sums[2 * r + w]) for w in (0, 1)]
        following, end = builder.add(k, _make_integer(1)), builder.append_basic_block("end")
        builder.cbranch(builder.icmp_signed("<", following, inputs), loop, end)
        for phi, first, then in zip([k, *sums], [_make_integer(0), *begin], [following, *added], strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(then, loop)
        builder.position_at_end(end)
        for place, total in zip(self._places(c, c_row), added, strict=True):
            builder.store(total, builder.inttoptr(place, self.vector.as_pointer()), align=self.size)

    def _places(self, address: Any, row: Any) -> list[Any]:
        rows = [self._at(address, self.builder.mul(_make_integer(r), row)) for r in range(self.rows)]
        return [self._at(place, _make_integer(w * self.lanes)) for place in rows for w in (0, 1)]

    def _at(self, address: Any, offset: Any) -> Any:
        return self.builder.add(address, self.builder.mul(offset, _make_integer(self.size)))

    def _load(self, address: Any, kind: Any) -> Any:
        return self.builder.load(self.builder.inttoptr(address, kind.as_pointer()), align=self.size)

    def _spread(self, number: Any) -> Any:
        nothing, first = ir.Constant(self.vector, ir.Undefined), ir.IntType(32)(0)
        one = self.builder.insert_element(nothing, number, first)
        return self.builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), None))

    def _multiply_add(self, x: Any, y: Any, total: Any) -> Any:
        module, name = self.builder.module, f"llvm.fmuladd.v{self.lanes}f{8 * self.size}"
        function = module.globals.get(name)
        if function is None:
            function = ir.Function(module, ir.FunctionType(self.vector, [self.vector] * 3), name)
        return self.builder.call(function, [x, y, total])


_INTEGER = ir.IntType(64)


def _make_integer(value: int) -> Any:
    return _INTEGER(value)


_multiply_block, _multiply_rows = _make_block_product(BLOCK), _make_block_product(ROWS)


@elementwise
def _add_panel(c: Reals, b: Reals, c_first: int, a: Reals, a_first: int, panel: Reals, inputs: int, rows: int) -> None:
    """Write the sum of `b` and the product of all rows and one panel to `c`, some inputs at a time."""
    size, one, width = c.itemsize, c[0, 0], panel.shape[0] // inputs
    for first in range(0, inputs, DEPTH):
        depth = min(DEPTH, inputs - first)
        part = panel.ctypes.data + first * width * size
        before = (b if first == 0 else c).ctypes.data
        r = 0
        while r < rows:
            place = (r * c.shape[1] + c_first) * size
            source = a.ctypes.data + (r * a.shape[1] + a_first + first) * size
            # Never a block that would leave two rows: 8 are 4 + 4 where a block has 6.
            if rows - r == BLOCK or rows - r >= BLOCK + ROWS:
                _multiply_block(c.ctypes.data + place, before + place, c.shape[1], source, a.shape[1], part, depth, one)
                r += BLOCK
            else:
                _multiply_rows(c.ctypes.data + place, before + place, c.shape[1], source, a.shape[1], part, depth, one)
                r += ROWS


def _add_panel_plainly(
    c: Reals, b: Reals, c_first: int, a: Reals, a_first: int, panel: Reals, inputs: int, rows: int
) -> None:
    block, columns = panel.reshape(inputs, -1), slice(c_first, c_first + panel.shape[0] // inputs)
    c[:rows, columns] = b[:rows, columns] + a[:rows, a_first : a_first + inputs] @ block


if config.DISABLE_JIT:
    _add_panel = _add_panel_plainly


@elementwise
def add_product(
    c: Reals,
    b: Reals,
    c_first: int,
    a: Reals,
    a_first: int,
    panels: Reals,
    inputs: int,
    outputs: int,
    rows: int,
    rest: Reals,
) -> None:
    """Write ``b + a[:rows, a_first : a_first + inputs] @ block`` to the columns of `c`, from `c_first` on.

    Parameters
    ----------
    c, b, a : array (at least rows, any)
        C order; `c` and `b` of one shape, or the same array.
    panels : array
        The block (inputs, outputs) as `packed` leaves it.
    rows : int
        A multiple of `ROWS`.
    rest : array (at least rows, columns of a panel)
        Scratch for a last panel that is not full.
    """
    width = rest.shape[1]
    for first in range(0, outputs, width):
        panel = panels[first * inputs : (first + width) * inputs]
        if first + width <= outputs:
            _add_panel(c, b, c_first + first, a, a_first, panel, inputs, rows)
            continue
        for r in range(rows):
            for i in range(width):
                rest[r, i] = b[r, c_first + first + i] if first + i < outputs else c.dtype.type(0.0)
        _add_panel(rest, rest, 0, a, a_first, panel, inputs, rows)
        for r in range(rows):
            for i in range(outputs - first):
                c[r, c_first + first + i] = rest[r, i]
