"""Requests and replies: nothing is carried out twice, and nothing wrong is taken for an answer."""

import numpy as np
import pytest

from substrate.hardware.board import BoardError, Scale, TransferError, read_info
from substrate.hardware.line_board import LineBoard
from substrate.hardware.lines import make_line, parse_line
from substrate.hardware.responder import Responder
from substrate.hardware.scales import make_scales
from substrate.hardware.streams import PairEnd, SerialStream
from tests.substrate.hardware.boards import make_board, make_info, serve_over_pair


class Script:
    """A stream that answers what it is told to, and notes what was sent."""

    def __init__(self, *replies):
        self.replies, self.sent = list(replies), []

    def write(self, line):
        self.sent.append(line)

    def read_line(self, _seconds):
        reply = self.replies.pop(0) if self.replies else b""
        return reply(self.sent[-1]) if callable(reply) else reply

    def close(self):
        self.closed = True


def echo(**fields):
    """Answer a request with its number."""
    return lambda line: make_line({"id": parse_line(line)["id"]} | fields)


@pytest.mark.parametrize("bad", [b"", b"{}*00000000\n", make_line({"id": None, "error": "checksum"})])
def test_a_request_is_sent_again_as_it_was(bad):
    stream = Script(bad, echo())
    board = LineBoard(stream, 1.0, 2)
    board.clamp(np.zeros(3, dtype=np.int16))
    assert len(stream.sent) == 2
    assert stream.sent[0] == stream.sent[1]
    assert board.transfers.retries == 1


def test_a_late_reply_to_an_earlier_request_is_no_answer():
    stream = Script(make_line({"id": 0, "status": 5}), echo(status=0))
    assert LineBoard(stream, 1.0, 0).go(None, None).status == 0
    assert len(stream.sent) == 1


def test_no_answer_is_an_error_and_the_board_is_left_alone():
    stream = Script()
    board = LineBoard(stream, 0.01, 2)
    with pytest.raises(TransferError, match="GO was sent 3 times without an answer: no reply within"):
        board.go(None, None)
    board.close()
    assert len(stream.sent) == 3
    assert stream.closed


def test_what_is_no_line_of_the_protocol_is_counted_and_passed_over():
    """A board that starts up, or a print of its firmware, amid all else."""
    info = make_info(make_board().chip).model_dump(exclude_none=True)
    stream = Script(
        b"ets Jun  8 2016 00:22:57\n", b"\xff\xfe\x00\n", b"\n", echo(**info), b"temperature *41C\n", echo()
    )
    board = LineBoard(stream, 1.0, 0)
    assert board.info().name == "simulated"
    board.clamp(np.zeros(3, dtype=np.int16))
    assert (board.transfers.ignored, board.transfers.retries, len(stream.sent)) == (4, 0, 2)


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        ((), r"sent once .* no reply within the 0.01 s of hardware.timeout; nothing arrived: is it the port"),
        ((b"$GPGGA,1*47\n",), r"what arrived is none of the protocol, such as b'\$GPGGA,1\*47.*baud rate"),
    ],
)
def test_a_port_without_a_board_is_told_as_such(replies, words):
    with pytest.raises(TransferError, match=words):
        LineBoard(Script(*replies), 0.01, 0).info()


@pytest.mark.parametrize("version", [0, 2, "1.1"])
def test_another_version_of_the_protocol_is_told(version):
    told = make_info(make_board().chip).model_dump(exclude_none=True) | {"protocol": version, "news": 1}
    with pytest.raises(
        BoardError, match=f"speaks version {version!r} of the line protocol, and this nudgelab version 1"
    ):
        LineBoard(Script(echo(**told)), 1.0, 0).info()


@pytest.mark.parametrize("last", [None, np.zeros(16, dtype=np.int16)])
def test_a_board_that_may_still_inject_is_told(last):
    board = LineBoard(Script(echo()), 0.01, 0)
    board.go(last, None)
    board.close()
    assert bool(board.left) == (last is not None)
    board = LineBoard(Script(echo(), echo()), 0.01, 0)
    board.go(last, None)
    board.close()
    assert not board.left


def test_a_refusal_is_told_at_once():
    stream = Script(echo(error="request", text="nothing is clamped"))
    with pytest.raises(BoardError, match="refuses GO: request: nothing is clamped"):
        LineBoard(stream, 1.0, 3).go(None, None)
    assert len(stream.sent) == 1


@pytest.mark.parametrize("fields", [{"status": 9}, {"time": "long"}, {"residual": True}])
def test_a_reply_without_meaning_is_an_error(fields):
    with pytest.raises(BoardError, match="the reply to GO"):
        LineBoard(Script(echo(**fields)), 1.0, 0).go(None, None)


def test_a_short_sample_is_an_error_and_no_zeros():
    info = make_info(make_board().chip).model_dump(exclude_none=True)
    board = LineBoard(Script(echo(**info), echo(codes="0000")), 1.0, 0)
    board.info()
    with pytest.raises(BoardError, match="4 digits, but 16 codes have 64"):
        board.sample()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layers": {}}, "layers"),
        ({"adc": {"scale": 0.0}}, "adc.scale"),
        ({"chunk": 0}, "chunk"),
        ({"adc": {"scale": 1.0, "least": 5, "most": 5}}, "adc: .*most must be above least"),
        ({"more": 1}, "more"),
    ],
)
def test_a_board_that_tells_nonsense_of_itself_is_refused(change, words):
    told = make_info(make_board().chip).model_dump(exclude_none=True) | change
    with pytest.raises(BoardError, match=words):
        read_info(told)


def test_a_request_that_comes_twice_is_carried_out_once():
    board = make_board()
    answer = Responder(board).answer
    told = {"id": 7, "op": "PULSE", "block": "bias/l1", "first": 0, "counts": "0001", "size": 0.5}
    first = answer(make_line(told))
    assert answer(make_line(told)) == first
    assert board.info().written == 1
    assert parse_line(answer(make_line(told | {"id": 8}))) == {"id": 8}
    assert board.info().written == 2


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"op": "JUMP"}, "INFO, CLAMP, GO"),
        ({"op": "CLAMP"}, "codes"),
        ({"op": "CLAMP", "codes": "00"}, "6 codes have 24"),
        ({"op": "GO"}, "CLAMP comes first"),
        ({"op": "SAMPLE"}, "CLAMP comes first"),
        ({"op": "PULSE", "block": "weight/x", "first": 0, "counts": "0001", "size": 0.5}, "no block"),
        ({"op": "PULSE", "block": "bias/l1", "first": 7, "counts": "0001", "size": 0.5}, "bias/l1 has 7"),
        ({"op": "PULSE", "block": "bias/l1", "first": 0, "counts": "0001", "size": 0.5}, "those of this board"),
    ],
)
def test_a_board_refuses_in_words(request_, words):
    board = make_board(step=0.25)
    told = parse_line(Responder(board).answer(make_line({"id": 1} | request_)))
    assert told["error"] == "request"
    assert words in told["text"]


def test_a_garbled_request_is_asked_for_again():
    assert parse_line(Responder(make_board()).answer(b"{}*00000000\n")) == {"id": None, "error": "checksum"}


def test_a_port_that_does_not_exist_is_told():
    with pytest.raises(TransferError, match="cannot open this port"):
        SerialStream("no-such-port", 9600, 1.0)


def test_without_pyserial_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "serial", None)
    with pytest.raises(TransferError, match=r"pip install 'nudgelab\[hardware\]'"):
        SerialStream("port", 9600, 1.0)


def test_a_line_that_is_not_complete_waits_for_the_rest():
    end = PairEnd()
    stream = SerialStream(end.name, 115_200, 1.0)
    end.write(b"one\ntw")
    assert stream.read_line(1.0) == b"one\n"
    assert stream.read_line(0.02) == b""
    end.write(b"o\n")
    assert stream.read_line(1.0) == b"two\n"
    stream.close()
    end.close()


def test_a_port_may_be_opened_again():
    board = make_board()
    with serve_over_pair(board) as line:
        assert line.info() == board.info()


@pytest.mark.parametrize(
    ("fitted", "words"),
    [
        ({"adc_scale": np.ones(3)}, "of shape"),
        ({"dac_scale": np.zeros(16)}, "above 0"),
        ({"adc_offset": np.full(16, np.nan)}, "finite"),
    ],
)
def test_scales_that_do_not_fit_are_refused(fitted, words):
    with pytest.raises(ValueError, match=words):
        make_scales(make_info(make_board().chip), {}, fitted)


def test_converters_of_fewer_bits_are_given_no_code_beyond():
    """The range is that of the board, and within it what the scenario says."""
    twelve = {"scale": 1 / 4095, "least": 0, "most": 4095}
    info = make_info(make_board().chip, adc=twelve, dac={"scale": 1e-3, "least": -2048, "most": 2047})
    scales = make_scales(info, {"dac": Scale(scale=1e-4, most=100)}, {})
    codes, outside = scales.dac.encode(np.array([-1.0, -0.2, 0.0, 0.005, 0.02] + [0.0] * 11))
    assert codes[:5].tolist() == [-2048, -2000, 0, 50, 100]
    assert outside == 2
    assert scales.adc.count_ends(np.array([0, 1, 4094, 4095], dtype=np.int16)) == 2
    assert scales.input.count_ends(np.array([0, 1, 32_766, 32_767], dtype=np.int16)) == 1
