"""What went over the line to a board."""

from __future__ import annotations

from typing import NamedTuple


class Transfers(NamedTuple):
    """Counts of a line since it was opened, or sums of several such."""

    lines: int = 0
    """Requests that were sent, those that were sent again included."""

    bytes: int = 0
    """Bytes in both directions."""

    retries: int = 0
    """Requests that were sent again: the reply was late, garbled, or said that the request was."""

    resettlings: int = 0
    """Free settlings only to bring a sample back to its free state; `Budget.settlings` has them, too."""

    ignored: int = 0
    """Lines from the board that are none of the protocol, such as messages at start-up."""

    seconds: float = 0.0
    """Time spent waiting for replies."""

    def plus(self, other: Transfers) -> Transfers:
        """Return the sum of both."""
        return Transfers._make(a + b for a, b in zip(self, other, strict=True))
