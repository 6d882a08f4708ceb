"""Random numbers as a pure function of names and indices: Philox4x32-10.

A draw depends on who asks (the seed, the name of the purpose, the chip instance) and on which
element it is, never on the order of calls, the number of threads or the batch it rides in.

J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
SC 2011.
"""

from __future__ import annotations

import hashlib
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_ROUND_0 = np.uint64(0xD2511F53)
_ROUND_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)


def philox(
    c0: Words, c1: Words, c2: Words, c3: Words, k0: np.uint64, k1: np.uint64
) -> tuple[Words, Words, Words, Words]:
    """Return the four 32-bit words (held in uint64) of counter `c` under key `k`, ten rounds."""
    for _ in range(10):
        product_0 = _ROUND_0 * c0
        product_1 = _ROUND_1 * c2
        c0, c1 = (product_1 >> _32) ^ c1 ^ k0, product_1 & _LOW
        c2, c3 = (product_0 >> _32) ^ c3 ^ k1, product_0 & _LOW
        k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    return c0, c1, c2, c3


class Stream(NamedTuple):
    """A named source of random numbers: the same names give the same numbers, always."""

    seed: int
    """Seed of the scenario."""

    purpose: str
    """What the numbers are for, such as ``"mismatch/l2-l1"``."""

    instance: int = 0
    """Which fabricated chip."""

    def key(self) -> tuple[np.uint64, np.uint64]:
        """Return the two 32-bit words of the Philox key."""
        text = f"{self.seed}\0{self.purpose}\0{self.instance}".encode()
        digest = hashlib.blake2b(text, digest_size=8).digest()
        return np.uint64(int.from_bytes(digest[:4], "little")), np.uint64(int.from_bytes(digest[4:], "little"))

    def words(self, shape: tuple[int, ...], first: int = 0) -> tuple[Words, Words, Words, Words]:
        """Return four words per element; element i of the flattened shape uses counter ``first + i``."""
        return self._at(np.uint64(first) + np.arange(math.prod(shape), dtype=np.uint64).reshape(shape))

    def uniform(self, shape: tuple[int, ...], first: int = 0) -> NDArray[np.float64]:
        """Return uniform numbers in the open interval (0, 1)."""
        w0, w1, _, _ = self.words(shape, first)
        return _make_uniforms(w0, w1)

    def normal(self, shape: tuple[int, ...], first: int = 0) -> NDArray[np.float64]:
        """Return standard normal numbers (Box-Muller: every element consumes exactly one counter)."""
        return _apply_box_muller(*self.words(shape, first))

    def uniform_rows(self, ids: NDArray[np.int64], width: int) -> NDArray[np.float64]:
        """Return one row (width,) per sample, uniform in (0, 1): row i depends on ``ids[i]`` alone."""
        w0, w1, _, _ = self._at(_make_counters(ids, width))
        return _make_uniforms(w0, w1)

    def normal_rows(self, ids: NDArray[np.int64], width: int) -> NDArray[np.float64]:
        """Return one row (width,) per sample, standard normal: row i depends on ``ids[i]`` alone."""
        return _apply_box_muller(*self._at(_make_counters(ids, width)))

    def _at(self, index: Words) -> tuple[Words, Words, Words, Words]:
        """Return four words per counter."""
        zero = np.zeros_like(index)
        return philox(index & _LOW, index >> _32, zero, zero, *self.key())


def _make_counters(ids: NDArray[np.int64], width: int) -> Words:
    index = np.asarray(ids).astype(np.uint64)[:, None] * np.uint64(width) + np.arange(width, dtype=np.uint64)
    return np.asarray(index, dtype=np.uint64)


def _apply_box_muller(w0: Words, w1: Words, w2: Words, w3: Words) -> NDArray[np.float64]:
    return np.sqrt(-2.0 * np.log(_make_uniforms(w0, w1))) * np.cos(2.0 * np.pi * _make_uniforms(w2, w3))


def _make_uniforms(high: Words, low: Words) -> NDArray[np.float64]:
    """Return 53 random bits as a number in (0, 1), both ends excluded."""
    bits = ((high << _32) | low) >> np.uint64(11)
    return (bits.astype(np.float64) + 0.5) * 2.0**-53
