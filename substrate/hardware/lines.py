"""Lines of the protocol: a JSON object, ``*``, its checksum in eight hexadecimal digits, and a line feed.

The checksum is the CRC-32 of IEEE 802.3 over all bytes before the ``*``. Codes of 16 bits stand in text as four
hexadecimal digits each, two's complement, the high digit first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from zlib import crc32

import numpy as np

from .board import Codes

Message = dict[str, Any]

CHECKSUM = "checksum"
"""Error that a board answers to a line that it cannot read; the line is sent again."""

BUSY = "busy"
"""Error that a board says to a second controller before it sends it away."""

_END = re.compile(rb"\*[0-9A-F]{8}\s*$")


class GarbledLineError(ValueError):
    """A line is not what was sent."""


def has_checksum(line: bytes) -> bool:
    """Tell whether a line ends as those of the protocol do, garbled or not."""
    return _END.search(line) is not None


def make_line(message: Mapping[str, Any]) -> bytes:
    """Return a message as a line, its line feed included."""
    text = json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii")
    return b"%s*%08X\n" % (text, crc32(text))


def parse_line(line: bytes) -> Message:
    """Return the message of a line.

    Raises
    ------
    GarbledLineError
        If the checksum does not fit, or what it stands behind is no JSON object.
    """
    text, star, digits = line.strip().rpartition(b"*")
    if not star or digits != b"%08X" % crc32(text):
        raise GarbledLineError("the checksum does not fit")
    try:
        message = json.loads(text)
    except ValueError as error:
        raise GarbledLineError("no JSON") from error
    if not isinstance(message, dict):
        raise GarbledLineError("no JSON object")
    return message


def format_codes(codes: Codes) -> str:
    """Return codes as text, four hexadecimal digits each."""
    return np.asarray(codes, dtype=">i2").tobytes().hex().upper()


def parse_codes(text: object, count: int) -> Codes:
    """Return so many codes from their text.

    Raises
    ------
    ValueError
        If it is no such text.
    """
    if not isinstance(text, str) or len(text) != 4 * count:
        told = f"{len(text)} digits" if isinstance(text, str) else "no text"
        raise ValueError(f"{told}, but {count} codes have {4 * count}")
    digits = bytes.fromhex(text)  # it passes over spaces
    if len(digits) != 2 * count:
        raise ValueError(f"spaces, but {count} codes have {4 * count} digits")
    return np.frombuffer(digits, dtype=">i2").astype(np.int16)
