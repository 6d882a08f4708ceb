"""What a scenario says about a comparison of learning rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from devices.interface.energy import Energy
from devices.parameters import Parameters, Unit
from learning.rules.rule import RULES, LearningRule
from learning.schemes.scheme import Scheme
from substrate.dynamics.methods import Dynamics
from substrate.network.topology import Topology

from ...schema.learning import take_names
from ...schema.plan import ExperimentPlan
from .budget import RivalBudget

if TYPE_CHECKING:
    AnyRule = LearningRule
else:
    AnyRule = take_names(RULES)

Rate = Annotated[float, Field(gt=0.0, le=1000.0)]


class Rival(Parameters):
    """One way to train a chip."""

    rule: AnyRule | None = None
    """What a gradient is made of; absent: nothing is learned on the chip, which needs another `start` than scratch."""

    rate: Rate | None = None
    """Learning rate; above 0. Absent: the best of `rates` or, without these, that of ``learning.optimiser``."""

    start: Literal["scratch", "deployed", "spread-aware"] = "scratch"
    """Parameters it starts from. `scratch`: the initial ones; `deployed`: trained in silico on the chip as designed;
    `spread-aware`: trained in silico on chips with spreads drawn anew for every batch."""

    @property
    def is_tried(self) -> bool:
        """Whether it takes the best of several rates, where there are some to try."""
        return self.rule is not None and self.rate is None

    @property
    def label(self) -> str:
        """Its name in tables: rule, start and rate."""
        begin = {"scratch": "", "deployed": "deployed", "spread-aware": "spread-aware"}[self.start]
        name = " + ".join(part for part in (begin, self.rule.label if self.rule else "") if part)
        return name if self.rate is None else f"{name}, rate {self.rate:g}"


class CompareRivals(ExperimentPlan):
    """Train the same chips by several rules at equal budget, over mismatch and noise, and say which rule is best."""

    nudges: ClassVar = False
    keeps_account: ClassVar = True
    resumes: ClassVar = True

    kind: Literal["rivals"]
    rivals: Annotated[list[Rival], Field(min_length=2, max_length=16)]
    """What is compared."""

    budget: RivalBudget
    """What each of them may spend on a chip."""

    chips: Annotated[int, Field(ge=2, le=1000)] = 5
    """Fabricated chips of every kind, from `chip.instance` on; intervals are over these."""

    mismatch: Annotated[list[Annotated[float, Field(ge=0.0, le=10.0)]], Field(min_length=1, max_length=16)] | None = (
        None
    )
    """Values of ``devices.weights.mismatch_sigma``; absent: the one there."""

    read_noise: Annotated[list[Annotated[float, Field(ge=0.0, le=1.0)]], Field(min_length=1, max_length=16)] | None = (
        None
    )
    """Values of ``devices.noise.read``, plain numbers; absent: the one there."""

    rates: Annotated[list[Rate], Field(min_length=2, max_length=16)] | None = None
    """Learning rates that every rival without a rate of its own tries on a chip that is not one of `chips`, at the same
    budget; it takes the one with the lowest loss of training samples. Absent: no rate is tried."""

    samples: Annotated[int, Field(ge=1)] | None = None
    """Train on the first so many samples, again and again while the budget lasts; absent: all."""

    test_samples: Annotated[int, Field(ge=1)] | None = None
    """Test on the first so many samples; absent: all."""

    in_silico_epochs: Annotated[int, Field(ge=1, le=100_000)] = 5
    """Epochs of a training in silico, which costs the chip nothing."""

    estimates: Annotated[int, Field(ge=2, le=10_000)] = 8
    """Estimates of the gradient of one batch before training, which tell the bias and the scatter of a rule."""

    checkpoint_seconds: Annotated[float, Field(gt=0.0, le=86_400.0), Unit("s")] = 60.0
    """Keep a checkpoint after the first training that ends so long after the last one; seconds."""

    @property
    def rules(self) -> list[LearningRule]:
        """Rules that it trains with."""
        return [rival.rule for rival in self.rivals if rival.rule is not None]

    def faults(
        self,
        schemes: Sequence[Scheme],
        dynamics: Dynamics,
        mirror: bool,  # noqa: ARG002
    ) -> list[tuple[tuple[str, ...], str, str]]:
        """Return what a rival lacks, and that a budget without any limit is none."""
        found: list[tuple[tuple[str, ...], str, str]] = []
        if self.budget == RivalBudget():
            found.append((("budget",), "limits nothing, so that no training would end", "give settlings = 20000"))
        if self.budget.time is not None and dynamics.mode == "equilibrium":
            hint = 'set dynamics.mode = "trajectory", or limit settlings'
            found.append((("budget", "time"), "equilibrium mode takes no time to settle", hint))
        labels = [rival.label for rival in self.rivals]
        for k, rival in enumerate(self.rivals):
            if rival.rule is None and rival.start == "scratch":
                found.append((("rivals",), f"number {k + 1} learns nothing", 'give a rule, or start = "deployed"'))
            if labels.index(rival.label) != k:
                found.append((("rivals",), f"{rival.label} stands there twice", "give one of them another rate"))
            if rival.rule is not None and rival.rule.needs_scheme and not schemes:
                hint = 'add [learning] scheme = { kind = "centred", beta = 0.1 }'
                found.append((("rivals",), f"{rival.rule.kind} needs a nudge scheme", hint))
        return found

    def find_setup_faults(
        self, scenario: Any, topology: Topology, samples: int
    ) -> list[tuple[tuple[str, ...], str, str]]:
        """Return what limits nothing, or does not pay a single batch of a rival."""
        from .demand import RivalDemand  # noqa: PLC0415  what counts reads needs plans

        if self.budget.joules is not None and scenario.energy == Energy():
            return [(("budget", "joules"), "nothing takes energy", 'give [energy] per_read = "1 pJ"')]
        rows = min(scenario.task.batch, self.samples or samples, samples)
        for rival in self.rivals:
            small = RivalDemand.of(rival.rule, scenario, rows, topology).find_too_small(self.budget)
            if small is not None:
                name, need = small
                limit = getattr(self.budget, name)
                words = f"{limit:g} does not pay a batch of {rows} of {rival.label}, {need:.4g} at least"
                return [(("budget", name), words, "give more, or a smaller task.batch")]
        return []


PLAN = CompareRivals
