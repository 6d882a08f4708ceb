"""The kind of experiment that compares measured gradients with exact ones."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ...drawing.sheet import KeyNumber, Sheet
from ...results.store import Group, ResultData
from ...results.views import list_measured_epochs, select_latest
from ..cell_noise.tables import add_cell_noise_levels, make_cell_noise_sheets
from ..device_tables import make_audit_group, make_device_groups, make_readout_group
from ..interactions.sheets import make_interaction_sheets
from ..interactions.words import describe_interactions
from ..kind import COMPLETE, Ending, ExperimentKind, ExperimentWork, Headline, Places
from ..metrics import flatten_metrics
from ..nudge_size import describe_nudge_sizes, make_nudge_size_sheets, resolve_nudge_sizes
from ..remarks import describe_audits, describe_clipped_reads, describe_unsettled, describe_unstable_rests
from ..settle.run import record_settling
from .key_numbers import list_measure_numbers
from .plan import Measure
from .run import measure_gradients
from .sheets import (
    list_layer_errors,
    make_asymmetry_sheets,
    make_energy_sheets,
    make_ledger_sheet,
    make_remedy_sheets,
    make_signal_sheet,
)
from .tables import make_measure_groups
from .words import (
    describe_asymmetry_parts,
    describe_goal_change,
    describe_hidden_connections,
    describe_largest_cause,
    describe_training_floor,
    describe_write_errors,
)

if TYPE_CHECKING:
    from ...drawing.space import PreparedFigure

_METRICS = {
    "gradient": {
        "cosine",
        "cosine_forecast",
        "norm_ratio",
        "cosine_ep",
        "cosine_matching_rule",
        "angle_weights",
        "symmetry_couplings",
        "symmetry_reference",
        "homeostasis_loss",
    },
    "alarms": {"dead", "saturated", "unsettled"},
    "ledger": {"relative", "median", "part_relative"},
    "signal": {"activity", "delta", "evoked"},
    "energy": {"whole"},
    "cell_noise": {"measured", "expected"},
    "nudge_size": {"beta"},
}


class MeasureKind(ExperimentKind[Measure]):
    """Gradients on the chip against the exact ones, and where their error comes from."""

    name = "measure"
    mark = "gradient"
    main_figures = ("changes", "causes", "cosine")
    rank = 1
    kept = (
        *("nudge_size", "gradient", "signal", "ledger", "ledger/connections"),
        *("energy", "alarms", "audit", "cell_noise"),
    )
    headlines = (Headline("gradient", "cosine"),)

    def run(self, work: ExperimentWork[Measure]) -> tuple[dict[str, Group], Ending]:
        """Measure every scheme and its ledger, then settling curves if asked for."""
        plan, scenario, chip = work.plan, work.setup.scenario, work.chip()
        batch = work.batch(plan.samples)
        learning, sizes = resolve_nudge_sizes(chip, batch, scenario.learning, work.watch.say)
        schemes, groups = learning.all_schemes(), make_device_groups(chip) | sizes
        repeats, advise = scenario.repeats(plan), work.setting.advise
        found = measure_gradients(chip, batch, learning, work.watch.say, repeats, plan.interactions, advise=advise)
        groups |= make_measure_groups(chip, batch, schemes, found)
        add_cell_noise_levels(groups, chip, schemes, found.reference, found.keep)
        if scenario.dynamics.mode == "equilibrium":
            groups["audit"] = make_audit_group(chip.audit)
        if scenario.devices.converters.readout is not None:
            groups["readout"] = make_readout_group(chip.clipped)
        if plan.record is not None:
            work.watch.say("settling curves")
            groups |= record_settling(chip, work.batch(plan.record.samples), schemes, plan.record)
        return groups, COMPLETE

    def sentence(self, result: ResultData) -> str:
        """Return how good the gradients are, and what is to blame."""
        return describe_largest_cause(result)

    def verdict(self, result: ResultData) -> str:
        """Return what is to blame and what helps most, without what is smaller."""
        return describe_largest_cause(result, brief=True)

    def layer_errors(self, result: ResultData) -> dict[str, dict[str, float]]:
        """Return cosine, causes of error and whole error of every layer."""
        return list_layer_errors(result)

    def remarks(self, result: ResultData) -> list[str]:
        """Return what bounds the gradients, and which samples were not counted."""
        last = select_latest(result)
        return [
            *describe_nudge_sizes(last),
            *describe_asymmetry_parts(last),
            *describe_goal_change(last),
            *describe_training_floor(last),
            *describe_write_errors(last),
            *self.losses(result),
        ]

    def losses(self, result: ResultData) -> list[str]:
        """Return where causes measured alone do not add up, which samples were not counted, what was clipped."""
        last = select_latest(result)
        gradient = last["gradient"]
        schemes = [str(label) for label in gradient["scheme"].data]
        left_out = describe_unsettled(gradient["status"].data, gradient["kept"].data, schemes)
        found = [*describe_interactions(last), left_out]
        return [*found, *describe_unstable_rests(last), *describe_audits(last), *describe_clipped_reads(last)]

    def sheets(self, result: ResultData, rows: int) -> list[Sheet]:  # noqa: ARG002
        """Return signals, the ledger, what would help, and causes alone; of a training at its last measured epoch."""
        last, when = select_latest(result), list_measured_epochs(result)
        if "gradient" not in last.groups:
            return []
        after = f" after epoch {when[-1]}" if when else ""
        first = [
            *make_nudge_size_sheets(last),
            make_signal_sheet(last["signal"], after),
            make_ledger_sheet(last, after),
        ]
        last_ones = [*make_interaction_sheets(last), *make_energy_sheets(last)]
        return [
            *first,
            *make_asymmetry_sheets(last),
            *make_cell_noise_sheets(last),
            *make_remedy_sheets(last),
            *last_ones,
        ]

    def sweep_figures(self, result: ResultData, places: Places) -> dict[str, PreparedFigure]:  # noqa: ARG002
        """Return the noise of single estimates over the correlation time of noise of cells, if that was varied."""
        from ...drawing.space import PreparedFigure
        from ..cell_noise.figures import CAPTION, draw_noise_over_time, has_noise_over_time

        figure = PreparedFigure(partial(draw_noise_over_time, result), CAPTION)
        return {"cell-noise": figure} if has_noise_over_time(result) else {}

    def metrics(self, last: ResultData) -> dict[str, float]:
        """Return quality, alarms, errors by cause and signals."""
        found: dict[str, float] = {}
        for path, names in _METRICS.items():
            found |= flatten_metrics(path, last.groups.get(path, {}), names)
        return found

    def sweep_remark(self, result: ResultData, threshold: float) -> str:
        """Return where gradients of connections are worse than any layer shows."""
        return describe_hidden_connections(result, threshold)

    def key_numbers(self, result: ResultData) -> list[KeyNumber]:
        """Return cosine, whole error and what averages leave of it, of the worst layer."""
        return list_measure_numbers(result)

    def is_void(self, result: ResultData) -> bool:
        """Tell whether no layer has a cosine."""
        return not np.isfinite(select_latest(result)["gradient"]["cosine"].data).any()

    def failure(self, groups: Mapping[str, Group]) -> str:
        """Return why no sample is counted, if none is."""
        gradient = groups.get("gradient", {})
        if "kept" not in gradient or gradient["kept"].data.any():
            return ""
        return describe_unsettled(gradient["status"].data, gradient["kept"].data)


KIND = MeasureKind()
