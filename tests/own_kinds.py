"""Kinds of a user's own for the tests, as a user's module would define them, and their removal after a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np

from devices.hardware import Devices
from learning.policies.policy import POLICIES
from learning.rules.error_vector import ErrorVector
from learning.rules.rule import RULES, LearningRule, RuleContext
from learning.schemes.scheme import SCHEMES, Node, Scheme
from learning.training import Gradient, Samples
from scenarios.extensions import rebuild_schema
from substrate.chip.causes import collect_causes
from substrate.protocol import Bench


class Mine(Scheme):
    """The centred scheme under another name, with a parameter of its own."""

    kind: Literal["mine"] = "mine"

    factor: float = 1.0
    """Factor of both nudges."""

    def nodes(self) -> list[Node]:
        size = self.factor * self.beta
        return [Node(size, 0.5 / size), Node(-size, -0.5 / size)]


class Lopsided(Scheme):
    """Weights that do not sum to 0."""

    kind: Literal["lopsided"] = "lopsided"

    def nodes(self) -> list[Node]:
        return [Node(self.beta, 1.0 / self.beta)]


class Signs(ErrorVector):
    """Signs of the requests."""

    kind: Literal["signs"] = "signs"

    def requests(self, blocks, bench, programmed):  # noqa: ARG002
        return {name: np.sign(block) for name, block in blocks.items()}


class Apart(LearningRule):
    """A rule that has nothing of the others."""

    kind: Literal["apart"] = "apart"

    def gradient(self, bench: Bench, samples: Samples, how: RuleContext) -> Gradient:
        return ErrorVector().gradient(bench, samples, how)


@contextmanager
def only_here() -> Iterator[None]:
    """Let what is registered inside be gone afterwards."""
    fields = Devices.model_fields
    blocks, laws = dict(fields), fields["update"].annotation
    before = [dict(kinds._classes) for kinds in (SCHEMES, RULES, POLICIES)]
    try:
        yield
    finally:
        for kinds, classes in zip((SCHEMES, RULES, POLICIES), before, strict=True):
            kinds._classes = classes
        fields.clear()
        fields.update(blocks)
        fields["update"].annotation = laws
        Devices.model_rebuild(force=True)
        collect_causes()
        rebuild_schema()
