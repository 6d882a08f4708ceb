"""Ports that are given as URLs: sockets, at both ends, and which of pyserial are opened.

A socket is served to one controller at a time; others are told so in a line and sent away.
"""

from __future__ import annotations

import contextlib
import select
import socket
from urllib.parse import urlsplit

from .board import TransferError
from .lines import BUSY, make_line
from .streams import AT_ONCE, BufferedStream, LineStream, SerialStream

LOCAL = "127.0.0.1"
"""The only address at which simulated boards listen."""

REFUSED = {
    "rfc2217": "its timeouts cannot be set; let the server of the port give it raw, and take socket://",
    "loop": "it answers with what it was asked",
    "spy": "it writes what passes into a file",
    "alt": "it opens a port in another way, and pyserial knows which is best",
    "cp2110": "it needs a further library",
}
"""URLs of pyserial that are no way to a board, and why."""

ALLOWED = ("socket", "hwgrep")
"""Schemes of URLs that are opened."""

_CONNECT = 5.0
"""Seconds to wait for a connection."""

_FAREWELL = 0.2
"""Seconds to wait for the first line of a controller that is sent away."""


def find_port_fault(port: str) -> str:
    """Return why a port is none that could be opened; nothing if it may be one."""
    scheme, mark, _ = port.partition("://")
    if not mark:
        return ""
    if scheme not in ALLOWED:
        why = REFUSED.get(scheme, "there is no such scheme")
        return f"{scheme}:// is refused: {why}; allowed are names of ports and {', '.join(f'{a}://' for a in ALLOWED)}"
    return "" if scheme != "socket" or _parse_socket(port) else f"{port} is not of the form socket://HOST:PORT"


def open_port(port: str, baud: int, patience: float) -> LineStream:
    """Open a serial port or a URL.

    Parameters
    ----------
    port : str
        Its name, such as ``/dev/ttyUSB0`` or ``socket://127.0.0.1:4000``.
    baud : int
        Bits per second; sockets have none.
    patience : float
        Seconds for which the other end may take nothing of a line.

    Raises
    ------
    TransferError
        If it cannot be opened.
    """
    if fault := find_port_fault(port):
        raise TransferError(fault)
    if port.startswith("socket://"):
        return SocketStream(port, patience)
    return SerialStream(port, baud, patience)


class SocketStream(BufferedStream):
    """A connection to a socket, ``socket://HOST:PORT``; parameters and errors as those of `open_port`."""

    def __init__(self, port: str, patience: float) -> None:
        super().__init__()
        self._port = port
        address = _parse_socket(port)
        if address is None:
            raise TransferError(find_port_fault(port))
        try:
            self._socket = socket.create_connection(address, _CONNECT)
        except ConnectionRefusedError as error:
            words = "nothing listens there; a simulated board does with nudgelab mock-board --listen"
            raise TransferError(f"{port}: {words} {address[1]}") from error
        except OSError as error:
            raise TransferError(f"{port}: cannot connect ({error})") from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._patience = patience

    def _receive(self, seconds: float) -> bytes:
        self._socket.settimeout(seconds)
        try:
            found = self._socket.recv(AT_ONCE)
        except TimeoutError:
            return b""
        except OSError as error:
            raise TransferError(f"{self._port}: the connection is lost ({error})") from error
        if not found:
            raise TransferError(f"{self._port}: the board's end has closed the connection")
        return found

    def write(self, line: bytes) -> None:
        """Send bytes; raises `TransferError` if the connection is lost or nobody takes them."""
        self._socket.settimeout(self._patience)
        try:
            self._socket.sendall(line)
        except OSError as error:
            raise TransferError(
                f"{self._port}: the connection is lost, or nobody takes what is sent ({error})"
            ) from error

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


class SocketEnd(BufferedStream):
    """The board's end of a socket of this machine, served to one controller after the other.

    Parameters
    ----------
    number : int
        Port of the socket; 0: any that is free.

    Raises
    ------
    TransferError
        If the port cannot be had.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        try:
            self._listener = socket.create_server((LOCAL, number))
        except (OSError, OverflowError) as error:
            raise TransferError(f"{LOCAL}:{number}: cannot listen there ({error})") from error
        self._peer: socket.socket | None = None
        self.name = f"socket://{LOCAL}:{self._listener.getsockname()[1]}"
        """Port to open at the other end."""

    def _receive(self, seconds: float) -> bytes:
        """Return what the controller sends; meanwhile take the first that connects, and send others away."""
        watched = [self._listener] if self._peer is None else [self._listener, self._peer]
        ready = select.select(watched, [], [], seconds)[0]
        if self._peer in ready:  # before others, because it may have left
            return self._hear(self._peer)
        if ready:
            self._take_or_refuse(self._listener.accept()[0])
        return b""

    def write(self, line: bytes) -> None:
        """Send bytes; a controller that takes nothing, or is gone, has left."""
        if self._peer is not None:
            try:
                self._peer.sendall(line)
            except OSError:
                self._leave()

    def close(self) -> None:
        """Close the socket and its connection."""
        self._leave()
        self._listener.close()

    def _hear(self, peer: socket.socket) -> bytes:
        """Return what a controller sends; nothing if it leaves."""
        try:
            found = peer.recv(AT_ONCE)
        except OSError:
            found = b""
        if not found:
            self._leave()
        return found

    def _take_or_refuse(self, peer: socket.socket) -> None:
        peer.settimeout(_CONNECT)
        if self._peer is None:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._peer = peer
            return
        with peer, contextlib.suppress(OSError):
            peer.sendall(make_line({"id": None, "error": BUSY, "text": "another controller has this board"}))
            peer.shutdown(socket.SHUT_WR)
            peer.settimeout(_FAREWELL)
            peer.recv(AT_ONCE)  # closed with its request unread, the connection would be reset, and the line lost

    def _leave(self) -> None:
        """Forget a controller, and what it has sent of a line."""
        if self._peer is not None:
            self._peer.close()
        self._peer = None
        self._buffer.clear()


def _parse_socket(port: str) -> tuple[str, int] | None:
    """Return host and number of a socket; None if it is of another form."""
    try:
        parts = urlsplit(port)
        host, number = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or not number or parts.path or parts.query or parts.username:
        return None
    return host, number
