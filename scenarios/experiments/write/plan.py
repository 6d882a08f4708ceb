"""What a scenario says about a comparison of write policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from learning.policies.policy import POLICIES, WritePolicy

from ...schema.plan import ExperimentPlan

if TYPE_CHECKING:
    Policies = list[WritePolicy]
else:
    Policies = Annotated[list[POLICIES.union], Field(min_length=1, max_length=32)]


class CompareWrites(ExperimentPlan):
    """Write copies of the chip with the requests of several batches, each under a policy of its own.

    The batches are those of a training, with its rule and optimiser.
    """

    needs_scheme: ClassVar = True

    kind: Literal["write"]
    batches: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Batches of `task.batch` samples whose requests are written; 1 to 100,000."""

    policies: Policies | None = None
    """Write policies, side by side. Absent: `direct` and that of `learning.write`."""

    frozen: bool = True
    """Whether requests are those of the weights as they are at the beginning. Otherwise the chip that is measured is
    trained through `learning.write` meanwhile, so that requests turn as they do in a training."""

    @property
    def compared_policies(self) -> Sequence[WritePolicy]:
        """The policies that are given."""
        return self.policies or ()


PLAN = CompareWrites
