"""How a block of devices declares its imperfections: their names, what each does to an estimate, and the ideal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

COMMON, DIFFERENT, RANDOM, SLOW, WRITE = "common to both phases", "phase-different", "random", "slow", "write"
UNSETTLED = "unsettled"

EFFECTS = {
    COMMON: "shifts all phases alike; what is left of it is asymmetry",
    DIFFERENT: "differs between phases: a bias of its size over beta",
    RANDOM: "fresh in every read: a variance of its square over beta squared",
    SLOW: "runs on from phase to phase: their difference keeps what has changed in between",
    UNSETTLED: "the state is still on its way: what is left of the free one over beta, and slow modes count less",
    WRITE: "acts on the change that is written",
}
"""What an imperfection of each class does to an estimate."""


class CauseContext(NamedTuple):
    """What an imperfection may depend on beside its own block."""

    devices: Any
    """All blocks of the chip, a `devices.hardware.Devices`."""

    waits: bool
    """Whether reads are held before they are converted."""

    returns: bool
    """Whether the network has feedback connections."""


class Cause(NamedTuple):
    """An imperfection that can be taken away alone; a block lists its own as the class variable `causes`.

    Blocks that declare the same name lose it together.
    """

    name: str
    kind: str
    """Its class, a key of `EFFECTS`."""

    ideal: Mapping[str, Any] | Callable[[Any, CauseContext], Any] | None = None
    """Ideal values of keys of the block, or what makes the block ideal; absent: the default of the block is ideal."""

    acts: Callable[[Any, CauseContext], bool] | None = None
    """Tells whether the block has it; absent: wherever the block differs from the ideal."""

    kind_of: Callable[[Any], str] | None = None
    """Its class in a given block, where that depends on its parameters."""

    of_weights: bool = False
    """Whether it makes effective weights differ from programmed ones."""

    words: str = ""
    """What it is, as advice names it, such as ``the wires``."""

    cure: str = ""
    """What helps against it as a whole, such as ``lines without resistance``; absent: nobody tries."""

    before: str = ""
    """Name that it precedes in the list of all, if its block stands elsewhere."""

    def ideal_of(self, block: Any, default: Any, use: CauseContext) -> Any:
        """Return a block without this imperfection.

        Parameters
        ----------
        block : Parameters
            The block.
        default : Parameters or None
            What stands in its place in ideal devices.
        use : Use
            What else it depends on.
        """
        if self.ideal is None:
            return default
        return self.ideal(block, use) if callable(self.ideal) else block.model_copy(update=self.ideal)

    def present(self, block: Any, default: Any, use: CauseContext) -> bool:
        """Tell whether a block has this imperfection; the parameters are those of `ideal_of`."""
        return self.acts(block, use) if self.acts else bool(self.ideal_of(block, default, use) != block)
