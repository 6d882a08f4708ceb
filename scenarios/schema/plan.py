"""What every kind of experiment says in a scenario, and what the scenario has to know of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from devices.hardware import Devices
from devices.parameters import Parameters
from learning.policies.policy import WritePolicy
from learning.rules.rule import LearningRule
from learning.schemes.scheme import Scheme
from substrate.dynamics.methods import Dynamics
from substrate.network.topology import Topology

from .network import Network

Faults = list[tuple[tuple[str, ...], str, str]]
"""Keys below a table, messages and hints."""


class Record(Parameters):
    """Which settling curves are kept."""

    samples: Annotated[int, Field(ge=1, le=1000)] = 2
    """The first so many samples."""

    every_steps: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Keep every so many steps."""

    units: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Of every layer the first so many units; absent: all."""

    limit_mb: Annotated[int, Field(ge=1, le=1_000_000)] = 2048
    """Refuse to record more than this, in MiB per settling."""


Repeats = Annotated[int, Field(ge=1, le=100_000)]

_KEPT = ("schema", "name", "extends", "seed", "chip", "task", "experiment", "hardware", "sweep")
"""What no change of a design can be: other data, another piece of silicon, another question."""


class DesignChange(Parameters):
    """One change of the design, measured on the same piece of silicon."""

    name: Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,40}$")] | None = None
    """What it is called in tables; absent: its keys and values."""

    set: Annotated[dict[str, Any], Field(min_length=1, max_length=32)]
    """New values by dotted key in quotes, ``{ "devices.converters.readout.bits" = 10 }``."""

    @model_validator(mode="after")
    def _changes_a_design(self) -> DesignChange:
        for key, value in self.set.items():
            if value is None:
                hint = "write the value that it has without the key"
                raise PydanticCustomError("change", "{key} has no value", {"key": key, "hint": hint})
            first, *rest = key.split(".")
            if first in _KEPT or key == "network.law":
                hint = "a change is one of network, physical, dynamics, phases, devices, energy or learning"
                raise PydanticCustomError("change", "{key} is no part of a design", {"key": key, "hint": hint})
            if not rest:
                hint = 'write the whole key in quotes: "devices.converters.readout.bits" = 10'
                raise PydanticCustomError("change", "{key} is a whole table", {"key": key, "hint": hint})
        return self

    @property
    def words(self) -> str:
        """Keys and values, as they are written on a command line."""
        return ", ".join(format_edits(self.set))

    @property
    def label(self) -> str:
        """Name of it, or else what is set."""
        last = ", ".join(f"{key.rpartition('.')[2]} = {_format_value(value)}" for key, value in self.set.items())
        return self.name or last


def format_edits(edits: Mapping[str, Any]) -> list[str]:
    """Return what every edit sets, ``key = value`` as on a command line, or ``no key`` where it leaves one out."""
    return [_format_edit(key, value) for key, value in edits.items()]


def _format_edit(key: str, value: Any) -> str:
    if key == "experiment.change" and isinstance(value, list):
        return f"{key}: {', then '.join(', '.join(format_edits(change['set'])) for change in value)}"
    return f"no {key}" if value is None else f"{key} = {_format_value(value)}"


def _format_value(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{key} = {_format_value(one)}" for key, one in value.items())
        return f"{{ {inside} }}" if value else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_format_value, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


Changes = Annotated[list[DesignChange], Field(min_length=1, max_length=8)]


NOISY_REPEATS = 8
"""Measurements of a chip on which no two are alike, unless the scenario says how many."""


class RepeatedMeasurement(Protocol):
    """A measurement that may be repeated."""

    @property
    def repeats(self) -> int | None:
        """How often; None where the noise decides."""
        ...


class ExperimentPlan(Parameters):
    """The table ``[experiment]`` of one kind; the base of all."""

    needs_scheme: ClassVar[bool] = False
    """Gradients are estimated, so that there has to be a nudge scheme."""

    takes_rules: ClassVar[bool] = False
    """Gradients are those of ``learning.rule``, which may do without a nudge scheme."""

    nudges: ClassVar[bool] = True
    """The chip is nudged where there is a scheme."""

    compares_gradients: ClassVar[bool] = False
    """A sweep of it is judged by the cosine to the exact gradient."""

    finds_sizes: ClassVar[bool] = False
    """It can find the size of a nudge, ``beta = "auto"``."""

    only_curves: ClassVar[bool] = False
    """The experiment is about settling curves and nothing else."""

    alternates: ClassVar[bool] = False
    """Tasks alternate while the circuit learns them by itself."""

    simulated: ClassVar[frozenset[str] | None] = None
    """Keys that need a simulated chip, where others run on a board, too; None: the whole kind needs one."""

    resumes: ClassVar[bool] = False
    """It leaves a checkpoint when it is stopped; others are given up."""

    keeps_account: ClassVar[bool] = False
    """It tells what learning asked of the chip, over time."""

    kind: str
    """Name of the kind: that of its folder."""

    @classmethod
    def list_kind_types(cls) -> dict[str, Any]:
        """Return the types of the fields that hold a registered kind, as the kinds are now."""
        return {}

    @property
    def changes(self) -> Sequence[DesignChange]:
        """Changes of the design that are measured after it, one on top of the other."""
        return getattr(self, "change", None) or ()

    @property
    def chip_count(self) -> int:
        """How many fabricated chips it takes, from ``chip.instance`` on."""
        return int(getattr(self, "chips", 1))

    @property
    def compared_policies(self) -> Sequence[WritePolicy]:
        """Write policies that it compares, beside that of the scenario."""
        return ()

    @property
    def rules(self) -> list[LearningRule]:
        """Rules of its own that it trains with, in place of ``learning.rule``."""
        return []

    @property
    def has_ledger(self) -> bool:
        """Whether the ledger of errors is measured."""
        return False

    def tried(self, schemes: list[Scheme]) -> list[Scheme]:
        """Return the schemes that are measured, from those of the scenario."""
        return schemes

    def find_design_faults(
        self,
        network: Network,  # noqa: ARG002
        devices: Devices,  # noqa: ARG002
        passive: bool,  # noqa: ARG002
    ) -> Faults:
        """Return what does not go with the chip: key below ``[experiment]``, message and hint.

        Parameters
        ----------
        network : Network
            Layers, connections and activation.
        devices : Devices
            Imperfections.
        passive : bool
            Whether cells load the units.
        """
        return []

    def find_setup_faults(self, scenario: Any, topology: Topology, samples: int) -> Faults:  # noqa: ARG002
        """Return what does not fit the rest of a scenario whose numbers are plain, and so many samples; as `faults`."""
        return []

    def faults(
        self,
        schemes: Sequence[Scheme],  # noqa: ARG002
        dynamics: Dynamics,  # noqa: ARG002
        mirror: bool,  # noqa: ARG002
    ) -> Faults:
        """Return what does not fit the rest of the scenario: key below ``[experiment]``, message and hint.

        Parameters
        ----------
        schemes : sequence of Scheme
            Periods in tau.
        dynamics : Dynamics
            All times in tau.
        mirror : bool
            Whether a settling may stand for its conjugate.
        """
        return []
