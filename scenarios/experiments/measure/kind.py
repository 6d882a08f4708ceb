"""The kind of experiment that compares measured gradients with exact ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...drawing.sheet import Sheet
from ...results.store import Group, Result
from ...results.views import latest, measured_epochs
from ..device_tables import audit_group, device_groups, readout_group
from ..kind import COMPLETE, Ending, Headline, Kind, Work
from ..metrics import flat
from ..remarks import audited, clipped, left, unsettled
from ..settle.run import settling
from .plan import Measure
from .run import measure
from .sheets import interaction_sheets, ledger_sheet, remedy_sheets, signal_sheet
from .tables import lay_out
from .words import floor, on_the_way, sentence

_METRICS = {
    "gradient": {
        "cosine",
        "norm_ratio",
        "cosine_ep",
        "cosine_matching_rule",
        "angle_weights",
        "symmetry_couplings",
        "symmetry_reference",
        "homeostasis_loss",
    },
    "alarms": {"dead", "saturated", "unsettled"},
    "ledger": {"relative", "median"},
    "signal": {"activity", "delta", "evoked"},
}


class MeasureKind(Kind[Measure]):
    """Gradients on the chip against the exact ones, and where their error comes from."""

    name = "measure"
    mark = "gradient"
    rank = 1
    kept = ("gradient", "signal", "ledger", "ledger/connections", "alarms", "audit")
    headlines = (Headline("gradient", "cosine"),)

    def run(self, work: Work[Measure]) -> tuple[dict[str, Group], Ending]:
        """Measure every scheme and its ledger, then settling curves if asked for."""
        plan, scenario, chip = work.plan, work.setup.scenario, work.chip()
        schemes, batch = scenario.learning.all_schemes(), work.batch(plan.samples)
        groups = device_groups(chip)
        repeats, advise = scenario.repeats(plan), work.setting.advise
        found = measure(chip, batch, scenario.learning, work.watch.say, repeats, plan.interactions, advise=advise)
        groups |= lay_out(chip, batch, schemes, found)
        if scenario.dynamics.mode == "equilibrium":
            groups["audit"] = audit_group(chip.audit)
        if scenario.devices.converters.readout is not None:
            groups["readout"] = readout_group(chip.clipped)
        if plan.record is not None:
            work.watch.say("settling curves")
            groups |= settling(chip, work.batch(), schemes, plan.record)
        return groups, COMPLETE

    def sentence(self, result: Result) -> str:
        """Return how good the gradients are, and what is to blame."""
        return sentence(result)

    def remarks(self, result: Result) -> list[str]:
        """Return what bounds the gradients, and which samples were not counted."""
        last = latest(result)
        gradient = last["gradient"]
        schemes = [str(label) for label in gradient["scheme"].data]
        left_out = unsettled(gradient["status"].data, gradient["kept"].data, schemes)
        return [*floor(last["ledger"]), *on_the_way(last), left_out, *left(last), *audited(last), *clipped(last)]

    def sheets(self, result: Result, rows: int) -> list[Sheet]:  # noqa: ARG002
        """Return signals, the ledger, what would help, and causes alone; of a training at its last measured epoch."""
        last, when = latest(result), measured_epochs(result)
        if "gradient" not in last.groups:
            return []
        after = f" after epoch {when[-1]}" if when else ""
        first = [signal_sheet(last["signal"], after), ledger_sheet(last, after)]
        return [*first, *remedy_sheets(last), *interaction_sheets(last)]

    def metrics(self, last: Result) -> dict[str, float]:
        """Return quality, alarms, errors by cause and signals."""
        found: dict[str, float] = {}
        for path, names in _METRICS.items():
            found |= flat(path, last.groups.get(path, {}), names)
        return found

    def is_void(self, result: Result) -> bool:
        """Tell whether no layer has a cosine."""
        return not np.isfinite(latest(result)["gradient"]["cosine"].data).any()

    def failure(self, groups: Mapping[str, Group]) -> str:
        """Return why no sample is counted, if none is."""
        gradient = groups.get("gradient", {})
        if "kept" not in gradient or gradient["kept"].data.any():
            return ""
        return unsettled(gradient["status"].data, gradient["kept"].data)


KIND = MeasureKind()
