"""What a scenario file can say about learning: schemes and rules, of every kind that is registered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, PydanticCustomError

from devices.hardware import Devices
from devices.kinds import KindRegistry
from devices.neuron.curves import NOT_RISING, is_rising
from devices.parameters import Parameters
from devices.programming.laws import Pulsed
from learning.optimisers.optimiser import Optimiser, Sgd
from learning.policies.direct import Direct
from learning.policies.policy import POLICIES, KnownCells, WritePolicy
from learning.rules.asym_ep import AsymEP
from learning.rules.error_vector import ErrorVector
from learning.rules.kolen_pollack import KolenPollack
from learning.rules.rule import RULES, LearningRule
from learning.schemes.scheme import SCHEMES, Scheme
from substrate.network.topology import Topology
from substrate.network.wiring import PathSpec

from .devices import Found
from .homeostasis import Homeostasis


class _Name:
    """Lets a plain name stand for a rule with its usual parameters, in the schema for editors."""

    def __init__(self, rules: KindRegistry[Any]) -> None:
        self.rules = rules

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [*handler(schema)["oneOf"], {"type": "string", "enum": self.rules.names}]}


def take_names(rules: KindRegistry[Any]) -> Any:
    """Return the type of a field that holds a rule of a registry, or its name alone."""
    plain = BeforeValidator(lambda value: {"kind": value} if isinstance(value, str) else value)
    return Annotated[rules.union, plain, _Name(rules)]


def list_kind_types() -> dict[str, Any]:
    """Return the types of the fields of `Learning` that hold a registered kind, as the kinds are now."""
    scheme: Any = SCHEMES.union
    return {
        "scheme": scheme | None,
        "schemes": Annotated[list[scheme], Field(min_length=1, max_length=64)] | None,
        "rule": take_names(RULES),
        "write": take_names(POLICIES),
    }


if TYPE_CHECKING:
    OneScheme = Scheme | None
    SeveralSchemes = list[Scheme] | None
    AnyRule = LearningRule
    AnyPolicy = WritePolicy
else:
    OneScheme, SeveralSchemes, AnyRule, AnyPolicy = list_kind_types().values()


def describe_cells(devices: Devices, topology: Topology | None = None) -> KnownCells:
    """Return what a controller knows of the cells of a chip; without its wiring, of any cell."""
    tied = topology.pairs() if topology is not None and devices.feedback.tied else []
    law = devices.update
    return KnownCells(
        step=getattr(law, "step", None),
        tied={back.block: forward.block for forward, back in tied},
        copied=devices.feedback.storage == "copied",
        forgetful=devices.retention.on,
        exact=getattr(law, "rounding", None) != "coincidences" and devices.comparator is None,
    )


def find_write_faults(
    learning: Learning,
    compared: Sequence[WritePolicy],
    devices: Devices,
    connections: Sequence[PathSpec],
    loaded: bool = False,
) -> Found:
    """Return why write policies cannot write the cells of a scenario.

    Parameters
    ----------
    learning : Learning
        With the policy of trainings.
    compared : sequence of WritePolicy
        Those that an experiment compares.
    devices : Devices
        With the cells.
    connections : sequence
        As in ``[network]``.
    loaded : bool
        Whether cells load the units that they drive.
    """
    cells = describe_cells(devices)
    if any(getattr(path, "cells", None) == "per-position" for path in connections):
        cells = cells._replace(copied=True)
    places: list[tuple[tuple[str | int, ...], WritePolicy]] = [(("learning", "write"), learning.write)]
    places += [(("experiment", "policies", k), policy) for k, policy in enumerate(compared)]
    return [
        ((*place, *filter(None, [key])), message, hint)
        for place, policy in places
        for key, message, hint in [
            *policy.find_faults(cells),
            *_find_array_faults(policy, devices, connections, loaded),
        ]
    ]


def _find_array_faults(
    policy: WritePolicy, devices: Devices, connections: Sequence[PathSpec], loaded: bool
) -> list[tuple[str, str, str]]:
    """Return why blocks cannot have the further arrays of cells that a policy needs."""
    gains, law, name = policy.extra_arrays.gains, devices.update, f"`{policy.kind}` needs further arrays of cells"
    if not gains:
        return []
    found = []
    if kernels := [path.path for path in connections if not isinstance(path, str)]:
        words = f"{name}, which are read row by row, but {kernels[0]} is a convolution"
        found.append((words, 'take "accumulate", or dense connections'))
    if policy.rescales and isinstance(law, Pulsed) and law.one_sided is not None:
        words = f"{name} that pulses move both ways, but one-sided pairs only fill up"
        found.append((words, "leave out devices.update.one_sided"))
    files = {"weights": devices.weights.measured, "feedback": devices.feedback.measured}
    for key, file in (files | {"update": getattr(law, "measured", None)}).items():
        if file is not None:
            found.append((f"{name}, but devices.{key}.measured tells of one", "give their spread in place of a file"))
    if any(gains):
        name = f"{name} that the units feel"
        if devices.twin is not None:
            found.append((f"{name}, but a second board has none", "leave out devices.twin"))
        if devices.weights.noise.on or (devices.feedback.noise is not None and devices.feedback.noise.on):
            found.append((f"{name}, but noise of cells is that of one array", "leave out the noise"))
        if loaded:
            found.append(
                (f"{name}, but cells that load units are those of one array", 'take synapse = "virtual-ground"')
            )
    return [("", words, hint) for words, hint in found]


class Learning(Parameters):
    """How gradients are estimated."""

    scheme: OneScheme = None
    """One nudge scheme."""

    schemes: SeveralSchemes = None
    """Several nudge schemes, measured side by side."""

    rule: AnyRule = ErrorVector()
    """What a gradient is made of; `asym-ep` corrects the chip in everything it does."""

    optimiser: Optimiser = Sgd()
    """How gradients become requested changes; only used in training."""

    write: AnyPolicy = Direct()
    """What the controller makes of requested changes before cells are written; only used in training."""

    homeostasis: Homeostasis | None = None
    """Pull that makes couplings symmetric, added to the gradients of the rule; only used in training. Absent: none."""

    presynaptic: Literal["mean", "free"] = "mean"
    """Presynaptic factor of a weight gradient: mean over the scheme's nodes, or the free state."""

    @model_validator(mode="after")
    def _one_way(self) -> Learning:
        if self.scheme is not None and self.schemes is not None:
            raise PydanticCustomError("schemes", "`scheme` and `schemes` exclude each other: one scheme or a list")
        return self

    @property
    def correction(self) -> Literal["none", "programmed", "exact"]:
        """What the chip corrects its asymmetry with in nudged settlings."""
        return self.rule.knowledge if isinstance(self.rule, AsymEP) else "none"

    @property
    def symmetry_key(self) -> str:
        """Return the key that keeps forward and feedback weights alike: the one in use, or the one to give."""
        if self.homeostasis is not None:
            return "learning.homeostasis.strength"
        return "learning.rule.decay" if isinstance(self.rule, KolenPollack) else "learning.homeostasis"

    def written_schemes(self) -> list[Scheme]:
        """Return the schemes as they were written."""
        return self.schemes or ([self.scheme] if self.scheme else [])

    def given_schemes(self) -> list[Scheme]:
        """Return the schemes, however they were written; one whose size is to be found as it is measured first."""
        return [scheme.tried_first() for scheme in self.written_schemes()]

    def all_schemes(self) -> list[Scheme]:
        """Return the schemes that make the estimates; for a rule that takes none, what stands for it."""
        given = self.given_schemes()
        return given if self.rule.takes_scheme else [self.rule.stand_in(given)]

    @property
    def searches(self) -> bool:
        """Whether the size of some scheme is to be found."""
        return any(scheme.is_auto for scheme in self.written_schemes())

    def with_schemes(self, schemes: list[Scheme]) -> Learning:
        """Return the same with other schemes."""
        one = self.scheme is not None
        return self.model_copy(update={"scheme": schemes[0]} if one else {"schemes": schemes})


def find_rule_faults(
    rule: LearningRule, activation: object, tied: bool, dense: bool = True, write: WritePolicy | None = None
) -> Found:
    """Return why a rule cannot measure on units of this activation, or where cells of a pair share a number.

    Parameters
    ----------
    rule : LearningRule
        Which rule.
    activation : str or table
        Of the units.
    tied : bool
        Whether one number stands for both directions of a pair.
    dense : bool
        Whether every connection is a matrix.
    write : WritePolicy, optional
        Of the requests.
    """
    known = None if rule.model_need is None else rule.model_need.knowledge
    if known == "measured" and not dense:
        words = f'the model of {rule.kind} is measured from rows of matrices, and a kernel has none: take "programmed"'
        return [(("learning", "rule"), words, "or use dense connections")]
    if known == "record" and write is not None and write.reads_cells:
        words = f"the record of {rule.kind} knows no cell that is read back, and learning.write reads them"
        return [(("learning", "rule"), words, 'take model = "programmed", or another policy')]
    if rule.moves_weights and tied:
        words = f"{rule.kind} moves every cell for itself, but one number stands for both directions of a pair"
        return [(("learning", "rule"), words, 'take devices.feedback.storage = "independent"')]
    if not rule.needs_rising or is_rising(activation):
        return []
    words = f"{rule.kind} tells the state of a unit from its activity, but {activation} {NOT_RISING}"
    return [(("learning", "rule"), words, "take an activation that only rises, such as sigmoid or tanh")]
