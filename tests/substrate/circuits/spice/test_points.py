"""The file in which ngspice leaves what it found."""

import struct

import numpy as np
import pytest

from substrate.circuits.spice.ngspice import read_points

HEAD = b"""Title: * settling
Date: Sat Nov 28 00:48:05  2026
Plotname: Transient Analysis
Flags: real
No. Variables: 2
No. Points: 3
Variables:
\t0\ttime\ttime
\t1\tv(out)\tvoltage
Binary:
"""
CONTENT = HEAD + struct.pack("<6d", 0.0, 0.1, 1e-3, 0.2, 2e-3, 0.3)


def test_all_quantities_are_read():
    found = read_points(CONTENT)
    assert list(found) == ["time", "v(out)"]
    assert np.array_equal(found["time"], [0.0, 1e-3, 2e-3])
    assert np.array_equal(found["v(out)"], [0.1, 0.2, 0.3])


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT.replace(b"real", b"complex"), HEAD[:-8]])
def test_other_files_are_refused(content):
    with pytest.raises(ValueError, match="no binary raw file"):
        read_points(content)
