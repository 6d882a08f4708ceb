"""What a scenario says about a comparison of write policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from learning.policies.policy import POLICIES, WritePolicy

from ...schema.plan import ExperimentPlan


def list_policy_types() -> dict[str, Any]:
    """Return the type of a list of write policies, as the kinds are now."""
    one: Any = POLICIES.union
    return {"policies": Annotated[list[one], Field(min_length=1, max_length=32)] | None}


if TYPE_CHECKING:
    Policies = list[WritePolicy] | None
else:
    Policies = list_policy_types()["policies"]


class CompareWrites(ExperimentPlan):
    """Write copies of the chip with the requests of several batches, each under a policy of its own.

    The batches are those of a training, with its rule and optimiser.
    """

    needs_scheme: ClassVar = True

    kind: Literal["write"]
    batches: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Batches of `task.batch` samples whose requests are written; 1 to 100,000."""

    policies: Policies = None
    """Write policies, side by side. Absent: `direct` and that of `learning.write`."""

    frozen: bool = True
    """Whether requests are those of the weights as they are at the beginning. Otherwise the chip that is measured is
    trained through `learning.write` meanwhile, so that requests turn as they do in a training."""

    @classmethod
    def list_kind_types(cls) -> dict[str, Any]:
        """Return the type of the list of policies."""
        return list_policy_types()

    @property
    def compared_policies(self) -> Sequence[WritePolicy]:
        """The policies that are given."""
        return self.policies or ()


PLAN = CompareWrites
