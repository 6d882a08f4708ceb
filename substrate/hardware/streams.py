"""Where lines travel: serial ports by pyserial, and a pair of ports within one machine."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from .board import TransferError

if TYPE_CHECKING:
    from serial import Serial

INSTALL_SERIAL = "install pyserial with: pip install 'nudgelab[hardware]'"

LONGEST_LINE = 16_000_000
"""Bytes after which a line that does not end is given up."""

AT_ONCE = 65_536
"""Bytes that are taken at a time."""

_BITS = 10.0
"""Bits of a byte on a serial line, with those that begin and end it."""

_NOBODY = 5.0
"""Seconds after which a reply that nobody takes is dropped."""


class LineStream(Protocol):
    """A way for bytes in both directions."""

    def read_line(self, seconds: float) -> bytes:
        """Return the next line with its line feed; nothing if it is not complete in time."""
        ...

    def write(self, line: bytes) -> None:
        """Send bytes."""
        ...

    def close(self) -> None:
        """Give the port back."""
        ...


class BufferedStream:
    """Cuts what arrives into lines."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def _receive(self, seconds: float) -> bytes:
        """Return what arrives within so many seconds; nothing if nothing does."""
        raise NotImplementedError

    def read_line(self, seconds: float) -> bytes:
        """Return the next line; nothing if it is not complete in time, and what arrived of it is kept."""
        end, seen = time.monotonic() + seconds, 0
        while (place := self._buffer.find(b"\n", seen)) < 0:
            seen = len(self._buffer)
            left = end - time.monotonic()
            if left <= 0.0:
                return b""
            self._buffer += self._receive(left)
            if len(self._buffer) > LONGEST_LINE:
                self._buffer.clear()
                seen = 0
        line = bytes(self._buffer[: place + 1])
        del self._buffer[: place + 1]
        return line


class SerialStream(BufferedStream):
    """A serial port, or a URL of pyserial such as ``hwgrep://CP210``.

    Parameters
    ----------
    port : str
        Name of the port.
    baud : int
        Bits per second.
    patience : float
        Seconds for which the other end may take nothing of a line, beyond those that its bits need.

    Raises
    ------
    TransferError
        If pyserial is not installed, or the port cannot be opened.
    """

    def __init__(self, port: str, baud: int, patience: float) -> None:
        super().__init__()
        try:
            import serial  # noqa: PLC0415  an extra
        except ImportError as error:
            raise TransferError(f"pyserial is not installed: {INSTALL_SERIAL}") from error
        try:
            self._serial: Serial = serial.serial_for_url(port, baudrate=baud, timeout=0.1)
        except (serial.SerialException, ValueError, OSError) as error:
            raise TransferError(f"{port}: cannot open this port ({error})") from error
        self._port, self._baud, self._patience = port, baud, patience

    def _receive(self, seconds: float) -> bytes:
        self._serial.timeout = seconds
        with self._telling():
            return bytes(self._serial.read(max(1, self._serial.in_waiting)))

    def write(self, line: bytes) -> None:
        """Send bytes; raises `TransferError` if the port is gone or nobody takes them."""
        self._serial.write_timeout = self._patience + _BITS * len(line) / self._baud
        with self._telling():
            self._serial.write(line)

    def close(self) -> None:
        """Give the port back."""
        self._serial.close()

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn the errors of a port that is gone into those of a transfer."""
        try:
            yield
        except OSError as error:  # those of pyserial are derived from it
            raise TransferError(f"{self._port}: the port is gone, or nobody takes what is sent ({error})") from error


class PairEnd(BufferedStream):
    """The board's end of a new pair of serial ports within this machine; `name` is the port at the other end."""

    def __init__(self) -> None:
        super().__init__()
        import pty  # noqa: PLC0415  not on every system
        import tty  # noqa: PLC0415

        # The other end stays open here, too, so that it can be opened and closed by others again and again.
        self._own, self._other = pty.openpty()
        tty.setraw(self._other)
        os.set_blocking(self._own, False)
        self.name = os.ttyname(self._other)
        """Port to open at the other end."""

    def _receive(self, seconds: float) -> bytes:
        ready, _, _ = select.select([self._own], [], [], seconds)
        return os.read(self._own, AT_ONCE) if ready else b""

    def write(self, line: bytes) -> None:
        """Send bytes; what nobody takes is lost."""
        while line and select.select([], [self._own], [], _NOBODY)[1]:
            line = line[os.write(self._own, line) :]

    def close(self) -> None:
        """Give both ends back."""
        for end in (self._own, self._other):
            os.close(end)
