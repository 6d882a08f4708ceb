"""Lines say what was meant, or are known to be garbled."""

import numpy as np
import pytest

from substrate.hardware.board import LEAST, MOST
from substrate.hardware.lines import GarbledLineError, format_codes, make_line, parse_codes, parse_line
from substrate.hardware.scales import span_range


def test_the_line_of_the_reference_page():
    line = make_line({"id": 3, "op": "GO", "time": 1e-5})
    assert line == b'{"id":3,"op":"GO","time":1e-05}*63608CE4\n'
    assert parse_line(line) == {"id": 3, "op": "GO", "time": 1e-5}
    assert parse_line(line.strip() + b"\r\n") == parse_line(line)


def test_every_change_of_one_byte_is_seen():
    line = make_line({"id": 3, "op": "SAMPLE"})
    for place in range(len(line) - 1):
        for flip in (0x01, 0x20, 0x80):
            garbled = line[:place] + bytes([line[place] ^ flip]) + line[place + 1 :]
            if garbled != line:
                with pytest.raises(GarbledLineError):
                    parse_line(garbled)


@pytest.mark.parametrize("line", [b"", b"\n", b"*\n", b"12*00000000\n", b"\xff*\xff\n"])
def test_what_is_no_line_is_garbled(line):
    with pytest.raises(GarbledLineError):
        parse_line(line)


@pytest.mark.parametrize("text", [b"[1]", b"1", b"{", b"null"])
def test_a_good_checksum_behind_anything_but_an_object_is_garbled(text):
    from zlib import crc32  # noqa: PLC0415

    with pytest.raises(GarbledLineError, match="JSON"):
        parse_line(text + b"*%08X\n" % crc32(text))


def test_codes_are_told_exactly():
    codes = np.array([LEAST, -1, 0, 1, 0x1234, MOST], dtype=np.int16)
    assert format_codes(codes) == "8000FFFF0000000112347FFF"
    assert np.array_equal(parse_codes(format_codes(codes), 6), codes)


@pytest.mark.parametrize("text", ["8000", "8000F", "80000000000000000", "GGGGGGGG", "0001    ", None, 5])
def test_text_that_is_no_such_codes_is_refused(text):
    with pytest.raises(ValueError, match=r"digits|no text|hexadecimal"):
        parse_codes(text, 2)


def test_a_range_is_spanned_by_all_codes():
    scale = span_range(-1.0, 3.0)
    assert scale.offset + scale.scale * LEAST == pytest.approx(-1.0)
    assert scale.offset + scale.scale * MOST == pytest.approx(3.0)
