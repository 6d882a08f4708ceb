"""The tables of a result as plain text cells: for the terminal and for the report."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from devices.imperfection import EFFECTS
from substrate.protocol import Status, has_settled

from ..drawing.sheet import Sheet
from ..experiments.measure.ledger_sheets import alarm_sheets, interaction_sheets, ledger_sheet, remedy_sheets
from ..results.store import Group, Result
from ..results.views import best_of_kinds, extremes, kinds_of, latest, measured_epochs, percent, prefixed, samples_of


def sheets(result: Result, epochs: int) -> list[Sheet]:
    """Return every table the result has data for; of longer trainings only about `epochs` rows."""
    last, when = latest(result), measured_epochs(result)
    found = alarm_sheets(result)
    if "metrics" in result.groups:
        found.append(_metrics(result["metrics"], epochs))
        found.append(_budget(result, result["metrics"]))
    if "evaluate" in result.groups:
        found.append(_chips(result["evaluate"]))
    if "gradient" in last.groups:
        after = f" after epoch {when[-1]}" if when else ""
        found.append(_signal(last["signal"], after))
        found += [ledger_sheet(last, after), *remedy_sheets(last), *interaction_sheets(last)]
    if "nudge" in last.groups:
        found += [_best_sizes(last["nudge"]), _noise_gains(last["nudge"])]
    if "settling" in last.groups:
        found.append(_settlings(last["settling"]))
    if "causes" in result.groups:
        found.append(_causes(result["causes"]))
    return found


def _metrics(group: Group, limit: int) -> Sheet:
    """Return the first, some and the last epochs of a training."""
    count = len(group["epoch"].data)
    shown = np.unique(np.linspace(0, count - 1, min(limit, count)).round().astype(np.int64))
    columns = ["epoch", "loss train", "loss test", "error train", "error test", "unsettled", "saturated", "symmetry W"]
    columns += ["L_homeo/n"] if "homeostasis_loss" in group else []
    pairs = group["pair"].data if "pair" in group else []
    rows = [
        [
            str(group["epoch"].data[e]),
            *(_fixed(group[f"loss_{part}"].data[e], 4) for part in ("train", "test")),
            *(_share(group[name].data[e]) for name in ("error_train", "error_test", "unsettled_train")),
            _share(group["saturation"].data[e].max()),
            _fixed(group["symmetry_couplings"].data[e], 3),
            *([f"{group['homeostasis_loss'].data[e]:.3g}"] if "homeostasis_loss" in group else []),
            *(_fixed(angle, 1) for angle in (group["angle_weights"].data[e] if len(pairs) else [])),
        ]
        for e in shown
    ]
    note = "unsettled: training samples that did not settle; saturated: units without slope, worst layer"
    if "homeostasis_loss" in group:
        note += "; L_homeo/n: loss of Jacobian homeostasis, 2 |A|^2 per unit"
    if len(pairs):
        note += "; angle: between forward and feedback weights, degree"
    if len(shown) < count:
        note += f"; {len(shown)} of {count} epochs, all are in the group metrics of the result file"
    return Sheet("Training by epoch", columns + [f"angle {pair}" for pair in pairs], rows, note=note)


def _budget(result: Result, group: Group) -> Sheet:
    """Return what the training asked of the chip, in all."""
    epochs = max(1, int(group["epoch"].data[-1]))
    asked = {
        "settlings of one sample": group["settlings"].data[-1],
        "time spent settling (tau)": group["settled_time"].data[-1],
        **({"time spent settling (s)": group["settled_s"].data[-1]} if "settled_s" in group else {}),
        **(_probes(group) if "probes" in group and group["probes"].data[-1] else {}),
        "reads of all units": group["reads"].data[-1],
        "writes of all weights": group["writes"].data[-1],
        **(_written(result, group) if "lost" in group else {}),
        "time of the simulation (s)": np.nansum(group["wall_s"].data),
    }
    rows = [[words, _amount(value, 0), _amount(value / epochs, 1)] for words, value in asked.items()]
    note = (
        "lost: requests that moved no cell, and their share of all cells at every write; with random rounding or "
        "coincidences the others make up for them"
    )
    return Sheet("Budget of the training", ["", "in all", "per epoch"], rows, note=note if "lost" in group else "")


def _probes(group: Group) -> dict[str, Any]:
    """Return how the settlings with injected drives ended, in words."""
    probes, unsettled = (int(group[name].data[-1]) for name in ("probes", "probes_unsettled"))
    return {
        "of these: probes of homeostasis": probes,
        f"probes that did not settle ({_share(unsettled / probes)})": unsettled,
    }


def _written(result: Result, group: Group) -> dict[str, Any]:
    """Return what became of the writes of every connection, in words."""
    found: dict[str, Any] = {"pulses of all cells": group["pulses"].data[-1]}
    writes = max(1, int(group["writes"].data[-1]))
    for k, name in enumerate(group["connection"].data):
        lost = int(group["lost"].data[-1, k])
        share = lost / (writes * result[f"weights/{name}"]["programmed"].data.size)
        found[f"requests of {name} lost ({_share(share)})"] = lost
        if cut := int(group["cut"].data[-1, k]):
            found[f"requests of {name} cut to the most pulses of one write"] = cut
    if "refreshes" in group:
        for words, key in (("pairs refreshed", "refreshes"), ("pulses of refreshes", "refresh_pulses")):
            found[words] = group[key].data[-1].sum() + group[f"{key}_bias"].data[-1].sum()
    return found


def _chips(group: Group) -> Sheet:
    rows = [
        [
            str(chip),
            _fixed(group["loss"].data[i], 4),
            _share(group["error"].data[i]),
            _share(group["unsettled"].data[i]),
        ]
        for i, chip in enumerate(group["chip"].data)
    ]
    return Sheet(
        f"{samples_of(group).capitalize()} samples on every chip", ["chip", "loss", "error", "unsettled"], rows
    )


def _signal(signal: Group, after: str) -> Sheet:
    shown = extremes(signal)
    betas = [f"to be read at beta {signal['beta'].data[s]:g}" for s in shown]
    rows = [
        [
            str(layer),
            f"{signal['activity'].data[k]:.3f}",
            f"{signal['delta'].data[k]:.2e}",
            *(f"{signal['evoked'].data[s, k]:.2e}" for s in shown),
        ]
        for k, layer in enumerate(signal["layer"].data)
    ]
    if "activity_volts" in signal:
        volts = float(signal["activity_volts"].data)
        betas += [f"{beta} (mV)" for beta in betas]
        for k, row in enumerate(rows):
            row += [f"{1e3 * volts * signal['evoked'].data[s, k]:.3g}" for s in shown]
    title = f"Signal levels{after}, rms per unit (state units)"
    return Sheet(title, ["layer", "activity", "exact dL/d drive", *betas], rows)


def _best_sizes(group: Group) -> Sheet:
    """Return the best size of every kind of scheme, in its worst layer."""
    rows = []
    for s in best_of_kinds(group):
        k = int(np.nanargmax(group["mse"].data[s]))
        bias, noise, error = (percent(np.sqrt(group[name].data[s, k])) for name in ("bias", "variance", "mse"))
        sizes = [f"{group['beta'].data[s]:g}", str(group["averaged"].data[s])]
        cosine = f"{group['cosine'].data[s, k]:.4f}"
        rows.append(
            [str(kinds_of(group["scheme"].data)[s]), str(group["layer"].data[k]), *sizes, bias, noise, error, cosine]
        )
    return Sheet(
        "Best size of every scheme at equal budget, in % of the exact gradient (rms, worst layer)",
        ["scheme", "worst layer", "beta", "estimates", "bias", "noise", "error", "cosine"],
        rows,
        words=2,
        note="estimates: as many as the budget pays, averaged; bias: asymmetry, nudge and settling together",
    )


def _noise_gains(group: Group) -> Sheet:
    """Return what every kind of scheme asks of the chip, and its noise at equal reads."""
    columns = ["scheme", "order", "settlings", "real reads", "noise gain G", "G x reads"]
    rows = []
    for s in best_of_kinds(group):
        asked = [str(group[name].data[s]) for name in ("order", "settlings", "reads")]
        gain = float(group["gain"].data[s])
        name, at_equal_reads = str(kinds_of(group["scheme"].data)[s]), gain * float(group["reads"].data[s])
        rows.append([name, *asked, f"{gain:.4g}", f"{at_equal_reads:.3g}"])
    return Sheet(
        "Noise gain of every scheme",
        columns,
        rows,
        note="read noise sigma gives one estimate the variance G (sigma/beta)^2; G x reads compares at equal reads, "
        "the free one included; the bias falls as beta^order",
    )


def _settlings(group: Group) -> Sheet:
    rows, scale, unit = [], 1.0, "tau"
    if "tau_s" in group:
        tau = float(group["tau_s"].data)
        size, unit = prefixed(tau * float(group["duration"].data.max()), "s")
        scale = tau / size
    for k, phase in enumerate(group["phase"].data):
        counts = Counter(Status(int(value)) for value in group["status"].data[k])
        words = ", ".join(f"{n} {status.words}" for status, n in sorted(counts.items()))
        steps, took = group["steps"].data[k], scale * group["duration"].data[k]
        rows.append([str(phase), words, f"{steps.min()} to {steps.max()}", f"{took.min():.3g} to {took.max():.3g}"])
    status = group["status"].data
    missed = sorted({Status(int(value)) for value in status[~has_settled(status)]})
    note = "; ".join(f"{status.words}: {status.advice}" for status in missed)
    columns = ["settling", "status", "steps", f"time ({unit})"]
    return Sheet("Settling of the recorded samples", columns, rows, words=2, note=note)


def _causes(group: Group) -> Sheet:
    kinds = [str(kind) for kind in group["kind"].data]
    rows = [[str(cause), kind, EFFECTS[kind]] for cause, kind in zip(group["cause"].data, kinds, strict=True)]
    return Sheet("Imperfections of this chip", ["cause", "class", "what it does to an estimate"], rows, words=3)


def _amount(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}" if value == 0.0 or abs(value) >= 1.0 else f"{value:.3g}"


def _fixed(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "-"


def _share(value: float) -> str:
    return f"{100.0 * value:.1f} %" if np.isfinite(value) else "-"
