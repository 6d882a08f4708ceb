"""What stands where a scheme would, for rules that measure in their own way: it has no nudge."""

from __future__ import annotations

from .scheme import Node, Scheme


class Unnudged(Scheme):
    """No nudge: a rule finds its errors by itself, and this tells its name and what it asks of the chip."""

    beta: float = 0.0
    """No nudge has a size."""

    settlings: int = 0
    """Settlings of one sample with an injected drive or with perturbed weights."""

    size: float = 0.0
    """Size of what moves the chip in them, in units of the state; 0: as an end at a tolerance has it."""

    beside: Scheme | None = None
    """The scheme that the rule uses as well; absent: none."""

    def nodes(self) -> list[Node]:
        """Return no node."""
        return []

    @property
    def label(self) -> str:
        """The rule, as tables and figures call it."""
        return self.kind

    def fault(self) -> tuple[str, str] | None:
        """Return None: without nodes nothing can be wrong with them."""
        return None
