"""Feedback alignment: the feedback weights stay as they were made; the forward weights align with them.

Lillicrap et al. 2016, carried over to networks that settle.
"""

from __future__ import annotations

from typing import Literal

from substrate.protocol import Bench

from .error_vector import Blocks, ErrorVector, find_feedback_connections
from .rule import RULES, Record


@RULES.register
class FeedbackAlignment(ErrorVector):
    """Error vector times presynaptic activity for all but the feedback connections, which are never written."""

    kind: Literal["feedback-alignment"] = "feedback-alignment"  # type: ignore[assignment]

    def requests(self, blocks: Blocks, bench: Bench, programmed: Record | None) -> Blocks:  # noqa: ARG002
        """Return the blocks without those of the feedback connections."""
        fixed = {f"weight/{pre}-{post}" for pre, post in find_feedback_connections(bench)}
        return {name: block for name, block in blocks.items() if name not in fixed}
