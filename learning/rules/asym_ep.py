"""AsymEP: measured like the error vector, on a chip that cancels its own asymmetry while nudged.

The chip adds the drive ``-2 A (a - a0)``, which turns its linearisation into the transpose (Scurria et
al. 2026): exact for a vanishing nudge. The correction is hardware; the rule only demands it.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from substrate.protocol import Port

from .error_vector import ErrorVector
from .rule import RULES


@RULES.register
class AsymEP(ErrorVector):
    """Error vector times presynaptic activity, on a chip that corrects its asymmetry in nudged settlings."""

    kind: Literal["asym-ep"] = "asym-ep"  # type: ignore[assignment]

    knowledge: Literal["programmed", "exact"] = "programmed"
    """Weights the correction is made from: `programmed`, what a controller knows, or `exact`, what the units feel."""

    ports: ClassVar[frozenset[Port]] = frozenset({"correction"})
