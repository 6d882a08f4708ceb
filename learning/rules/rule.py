"""Learning rules: how the readings of one batch become a gradient.

A rule is a class of parameters with one method, ``gradient(bench, samples, how)``: it clamps, settles, reads and
returns requested directions by block. What a rule needs beyond the bench is in `Method`.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from substrate.protocol import Bench

from ..training import Rule
from .asym_ep import AsymEP
from .contrastive import Contrastive
from .dyadic import Dyadic
from .error_vector import ErrorVector, Method
from .feedback_alignment import FeedbackAlignment
from .kolen_pollack import KolenPollack

__all__ = [
    "AnyRule",
    "AsymEP",
    "Contrastive",
    "Dyadic",
    "ErrorVector",
    "FeedbackAlignment",
    "KolenPollack",
    "LearningRule",
    "Method",
    "rule_named",
]

AnyRule = ErrorVector | Contrastive | AsymEP | Dyadic | KolenPollack | FeedbackAlignment


class _Name:
    """Lets a plain name stand for a rule with its usual parameters."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        kinds = [rule.model_fields["kind"].default for rule in AnyRule.__args__]
        return {"anyOf": [*handler(schema)["oneOf"], {"type": "string", "enum": kinds}]}


LearningRule = Annotated[
    AnyRule,
    Field(discriminator="kind"),
    BeforeValidator(lambda value: {"kind": value} if isinstance(value, str) else value),
    _Name(),
]
"""A rule as a table, ``{ kind = "kolen-pollack", decay = 0.01 }``, or by its name alone."""


def rule_named(rule: AnyRule, bench: Bench, how: Method) -> Rule:
    """Return the rule that measures gradients on `bench`.

    Parameters
    ----------
    rule : AnyRule
        Which rule.
    bench : Bench
        Chip; for ``asym-ep`` one with a correction.
    how : Method
        How to measure.
    """
    return lambda samples: rule.gradient(bench, samples, how)
