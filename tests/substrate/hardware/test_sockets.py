"""A board behind a socket is the board; whatever becomes of the connection is told in words."""

import socket
import threading
import time

import numpy as np
import pytest

from substrate.hardware.board import BoardError, TransferError
from substrate.hardware.line_board import LineBoard
from substrate.hardware.lines import make_line
from substrate.hardware.sockets import ALLOWED, REFUSED, SocketEnd, SocketStream, find_port_fault, open_port
from substrate.hardware.streams import PairEnd, SerialStream
from tests.networks import random_batch
from tests.substrate.hardware.boards import connect, held_chip, make_bench, make_board, serve


def measure(bench, chip):
    x, _ = random_batch(chip, 2)
    bench.set_input(x)
    bench.settle()
    free = bench.read()["out"]
    bench.settle_injected({"out": np.full((2, 4), 0.1)})
    bench.write({"bias/l1": np.full(7, 0.01)})
    return free, bench.read()["out"]


def test_a_board_behind_a_socket_is_the_board():
    straight, chip = measure(make_bench(make_board()), held_chip()), held_chip()
    with serve(make_board(), SocketEnd(0)) as port, connect(port) as line:
        line.info()
        found = measure(make_bench(line, chip), chip)
        assert line.transfers.retries == 0
    for one, other in zip(found, straight, strict=True):
        assert np.array_equal(one, other)


def test_one_controller_follows_the_other():
    """What one has sent of a line when it goes is not taken for the beginning of the next one's."""
    board = make_board()
    with serve(board, SocketEnd(0)) as port:
        for _ in range(2):
            with connect(port) as line:
                assert line.info() == board.info()
                line._stream.write(b'{"id":5,"op":"CLA')
                line._answers = False  # it goes without a word


def test_a_second_controller_is_sent_away_in_words():
    with serve(make_board(), SocketEnd(0)) as port, connect(port) as line:
        told = line.info()
        with connect(port) as other, pytest.raises(BoardError, match="busy: another controller has this board"):
            other.info()
        assert line.info() == told


def test_nobody_at_a_socket_is_told():
    with socket.create_server(("127.0.0.1", 0)) as one:
        free = one.getsockname()[1]
    with pytest.raises(TransferError, match=f"nothing listens there.*mock-board --listen {free}"):
        open_port(f"socket://127.0.0.1:{free}", 9600, 1.0)


def test_a_socket_that_is_taken_is_told():
    with socket.create_server(("127.0.0.1", 0)) as one, pytest.raises(TransferError, match="cannot listen there"):
        SocketEnd(one.getsockname()[1])


class Peer:
    """Who listens at a socket, takes a connection, and does with it as told."""

    def __init__(self, act):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = f"socket://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=lambda: act(self.listener.accept()[0]))

    def __enter__(self):
        self.thread.start()
        return self.port

    def __exit__(self, *_):
        self.thread.join()
        self.listener.close()


def hang_up(peer):
    peer.recv(100)
    peer.close()


def reset(peer):
    peer.recv(100)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()


def say_nothing(peer):
    while peer.recv(100):
        pass
    peer.close()


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (hang_up, "the board's end has closed the connection"),
        (reset, "the connection is lost"),
        (
            say_nothing,
            "INFO was sent 2 times without an answer: no reply within the 0.05 s of hardware.timeout; nothing arrived",
        ),
    ],
)
def test_a_connection_that_ends_or_hangs_is_told(act, words):
    with Peer(act) as port, connect(port, 0.05, 1) as line, pytest.raises(TransferError, match=words):
        line.info()


def test_nobody_who_takes_what_is_sent_is_told():
    """Neither a socket nor a serial port is written to for ever."""
    done = threading.Event()

    def wait(peer):
        done.wait(20)
        peer.close()

    long = b"x" * 20_000_000
    with Peer(wait) as port:
        stream = SocketStream(port, 0.1)
        with pytest.raises(TransferError, match="nobody takes what is sent"):
            stream.write(long)
        done.set()
        stream.close()
    end = PairEnd()
    serial = SerialStream(end.name, 10_000_000, 0.1)
    with pytest.raises(TransferError, match="nobody takes what is sent"):
        serial.write(long[:100_000])
    serial.close()
    end.close()


def test_a_board_does_not_wait_for_who_reads_no_reply(monkeypatch):
    monkeypatch.setattr("substrate.hardware.streams._NOBODY", 0.05)
    end, begin = PairEnd(), time.monotonic()
    end.write(b"x" * 100_000)
    assert time.monotonic() - begin < 5.0
    end.close()


@pytest.mark.parametrize("scheme", REFUSED)
def test_what_is_no_way_to_a_board_is_refused(scheme):
    with pytest.raises(TransferError, match=f"{scheme}:// is refused: .*allowed are names of ports and socket://"):
        open_port(f"{scheme}://x", 9600, 1.0)


@pytest.mark.parametrize(
    "port", ["socket://", "socket://here", "socket://:4", "socket://a:b", "socket://a:1/x", "x://a"]
)
def test_a_url_that_means_nothing_is_refused(port):
    assert find_port_fault(port)


@pytest.mark.parametrize(
    "port", ["/dev/ttyUSB0", "COM3", "socket://board:4000", "socket://[::1]:4000", "hwgrep://CP210"]
)
def test_a_port_may_have_a_name_or_an_address(port):
    assert not find_port_fault(port)


def test_a_pattern_that_no_port_matches_is_told():
    with pytest.raises(TransferError, match=r"hwgrep://no such port: cannot open this port \(no ports found"):
        open_port("hwgrep://no such port", 9600, 1.0)


def test_every_scheme_of_pyserial_is_allowed_or_refused():
    import pkgutil  # noqa: PLC0415

    from serial import urlhandler  # noqa: PLC0415

    names = {one.name.removeprefix("protocol_") for one in pkgutil.iter_modules(urlhandler.__path__)}
    assert names == {*ALLOWED, *REFUSED}


def test_a_board_that_is_busy_is_no_reply_that_is_late():
    class Busy:
        def write(self, _line):
            pass

        def read_line(self, _seconds):
            return make_line({"id": None, "error": "busy", "text": "elsewhere"})

    with pytest.raises(BoardError, match="refuses INFO: busy: elsewhere"):
        LineBoard(Busy(), 1.0, 3).info()
