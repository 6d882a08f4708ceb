"""What every kind of experiment offers to those who run it, keep it, report it and sweep it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from substrate.chip.chip import Chip

from ..build import Setup
from ..data.datasets import Data
from ..drawing.sheet import KeyNumber, Sheet
from ..results.points import is_single
from ..results.store import Group, ResultData
from ..results.views import select_latest
from ..schema.plan import ExperimentPlan
from .remarks import describe_audits, describe_clipped_reads
from .watch import Watch

if TYPE_CHECKING:
    from ..build import AnySetup
    from ..circuits.setup import CircuitSetup
    from ..drawing.space import PreparedFigure

Array = NDArray[np.float64]
P = TypeVar("P", bound=ExperimentPlan)


Ending = dict[str, str | int | float]
"""How a run ended: attributes of the result file."""


COMPLETE: Ending = {"status": "complete"}


COSINE, WHOLE = "cosine", "whole error"
"""Figures of a layer: cosine to the exact gradient; error of one measurement with all causes, for the median sample."""


class RunError(Exception):
    """The run cannot be done or kept; the text says why and what to try."""


class Batch(NamedTuple):
    """The samples of an experiment."""

    x: Array
    target: Array


def select_batch(data: Data, samples: int | None) -> Batch:
    """Return the first so many training samples, as they are; None: all."""
    return Batch(np.asarray(data.x[:samples]), np.asarray(data.y[:samples]))


class NoiseNames(NamedTuple):
    """What a batch is presented for, and how often it was before: names its noise, beside the samples."""

    epoch: int = 0
    purpose: str = ""


FIRST = NoiseNames()
"""Of an experiment that is all there is."""


class RunSetting(NamedTuple):
    """What an experiment needs beside its scenario."""

    threads: int | None
    kept: Path
    """Where a training keeps its checkpoint."""

    saved: ResultData | None
    """The checkpoint to go on from."""

    identity: str
    advise: bool = True
    """Whether to measure what would help against the largest cause of error."""


class ExperimentWork(NamedTuple, Generic[P]):
    """One experiment to run."""

    plan: P
    setup: Setup
    setting: RunSetting
    watch: Watch

    def chip(self, instance: int | None = None) -> Chip:
        """Return a chip of the design; absent a number, that of the scenario."""
        return self.setup.chip(instance, threads=self.setting.threads)

    def batch(self, samples: int | None) -> Batch:
        """Return the first so many training samples; None: all."""
        return select_batch(self.setup.data, samples)


class CircuitWork(NamedTuple):
    """One experiment with a circuit."""

    setup: CircuitSetup
    setting: RunSetting
    watch: Watch

    def batch(self, samples: int | None) -> Batch:
        """Return the first so many training samples; None: all."""
        return select_batch(self.setup.data, samples)


def run_experiment(setup: AnySetup, setting: RunSetting, watch: Watch) -> tuple[dict[str, Group], Ending]:
    """Do the experiment of a scenario; return the groups of its result and how it ended.

    Raises
    ------
    RunError
        If there is nothing to find out.
    Interrupted
        If the watch asked to stop; a training has left a checkpoint.
    """
    if isinstance(setup, Setup):
        if setup.scenario.hardware is not None:
            on_board: Any = import_module(".measured_chip.run", __package__)
            groups, ending = on_board.run_on_board(ExperimentWork(setup.plan, setup, setting, watch))
            return groups, ending
        return find_kind(setup.plan.kind).run(ExperimentWork(setup.plan, setup, setting, watch))
    module = import_module(f".circuits.{_name_module(setup.plan.kind)}", __package__)
    found: tuple[dict[str, Group], Ending] = module.RUN(CircuitWork(setup, setting, watch))
    return found


class Headline(NamedTuple):
    """A figure that a sweep is judged by."""

    group: str
    name: str
    over: str = ""
    """What is made of its labels: `last` of the epochs, `mean` of the chips; absent: one series each."""


Places = Mapping[tuple[int, ...], str]
"""Name of every place of the design of a sweep, without the replicate."""


class ExperimentKind(Generic[P]):
    """One kind of experiment; every folder of this package with a module `kind` has one, `KIND`.

    A result may hold groups of several kinds, as a training holds those of its measurements. The kind of the highest
    rank whose mark is there speaks for it; tables and figures come from each kind whose groups are there.
    """

    name: str
    """As in ``experiment.kind``; that of the folder, but for hyphens."""

    mark: str
    """Group by which a result is known."""

    main_figures: tuple[str, ...]
    """Names of figures of which a page begins with the first that there are data for."""

    rank: int = 0
    """Above those of kinds whose groups its results hold, too."""

    kept: tuple[str, ...] = ()
    """Groups of which a sweep keeps what is not per sample, unit, weight or moment."""

    headlines: tuple[Headline, ...] = ()
    """What a sweep is judged by: the first that has a number."""

    unsettled: tuple[str, str] | None = None
    """Group and name of the share of samples that did not settle, by which a sweep raises an alarm."""

    def run(self, work: ExperimentWork[P]) -> tuple[dict[str, Group], Ending]:
        """Do the experiment; return the groups of its result and how it ended.

        Raises
        ------
        RunError
            If there is nothing to find out.
        Interrupted
            If the watch asked to stop; a training has left a checkpoint.
        """
        raise NotImplementedError

    def sentence(self, result: ResultData) -> str:
        """Return the one sentence a reader should take home."""
        raise NotImplementedError

    def verdict(self, result: ResultData) -> str:
        """Return the same in fewer words, where it stands beside others of its kind."""
        return self.sentence(result)

    def layer_errors(self, result: ResultData) -> dict[str, dict[str, float]]:  # noqa: ARG002
        """Return by layer what designs are compared by: `COSINE`, then errors by name, the last one `WHOLE`."""
        return {}

    def remarks(self, result: ResultData) -> list[str]:
        """Return what else has to be said."""
        return self.losses(result)

    def losses(self, result: ResultData) -> list[str]:
        """Return what is said of every design, such as what was lost, clipped or unsettled; part of the remarks."""
        last = select_latest(result)
        return [*describe_audits(last), *describe_clipped_reads(last)]

    def sheets(self, result: ResultData, rows: int) -> list[Sheet]:  # noqa: ARG002
        """Return the tables of its groups, long ones cut to about `rows` rows."""
        return []

    def metrics(self, last: ResultData) -> dict[str, float]:  # noqa: ARG002
        """Return the final numbers of its groups under stable keys; measured groups are at their last epoch."""
        return {}

    def key_numbers(self, result: ResultData) -> list[KeyNumber]:  # noqa: ARG002
        """Return the three numbers at most that a page begins with, of a result that is not void."""
        return []

    def is_void(self, result: ResultData) -> bool:  # noqa: ARG002
        """Tell whether no figure of a result means anything."""
        return False

    def failure(self, groups: Mapping[str, Group]) -> str:  # noqa: ARG002
        """Return why a point of a sweep counts as diverged although it ended, or nothing."""
        return ""

    def summary(self, groups: Mapping[str, Group]) -> dict[str, Group]:
        """Return what a sweep keeps of the groups of this kind."""
        found = {
            name: {key: v for key, v in groups.get(name, {}).items() if not any(map(is_single, v.dims))}
            for name in self.kept
        }
        return {name: group for name, group in found.items() if group}

    def sweep_remark(self, result: ResultData, threshold: float) -> str:  # noqa: ARG002
        """Return what the headline of a sweep hides, where it is called good from a threshold on; else nothing."""
        return ""

    def sweep_sheets(self, result: ResultData, places: Places) -> list[Sheet]:  # noqa: ARG002
        """Return the tables of a sweep that only this kind has."""
        return []

    def sweep_figures(self, result: ResultData, places: Places) -> dict[str, PreparedFigure]:  # noqa: ARG002
        """Return the figures of a sweep that only this kind has."""
        return {}


@cache
def list_kinds() -> tuple[ExperimentKind[Any], ...]:
    """Return every kind, those of the highest rank first."""
    found = [find_kind(path.parent.name) for path in sorted(Path(__file__).parent.glob("*/kind.py"))]
    return tuple(sorted(found, key=lambda kind: -kind.rank))


@cache
def find_kind(name: str) -> ExperimentKind[Any]:
    """Return a kind by its name."""
    found: ExperimentKind[Any] = import_module(f".{_name_module(name)}.kind", __package__).KIND
    return found


def find_result_kind(result: ResultData) -> ExperimentKind[Any] | None:
    """Return the kind that speaks for a result; None where it holds no experiment."""
    return next((kind for kind in list_kinds() if kind.mark in result.groups), None)


def _name_module(name: str) -> str:
    """Return the name of the folder or module of a kind."""
    return name.replace("-", "_")
