"""What a chip on a board says of its gradients, in words and tables; nothing is compared with the exact ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...drawing.sheet import KeyNumber, Sheet
from ...results.store import Group, ResultData
from ...results.views import format_number
from ..remarks import describe_board_losses

_KNOWS_NOTHING = "On a board nobody knows the exact gradient, so there is no cosine to it and no ledger."

_TELLS_LITTLE = 0.9
"""Below this noise and size of node perturbation hide what is to be seen."""


def describe_repeats(result: ResultData) -> str:
    """Return how well gradients repeat under the best scheme, and that nothing tells whether they are right."""
    group = result["estimates"]
    ratio = group["snr"].data
    if not np.isfinite(group["size"].data).any():
        return "No sample of this chip on a board gave an error vector."
    if not np.isfinite(ratio).any():
        once = "was measured once, which tells nothing of its noise"
        told = once if np.isnan(ratio).all() else "is the same at every measurement, code for code"
        return f"Every error vector of this chip {told}. {_KNOWS_NOTHING} {_describe_probes(group, 0)}".strip()
    s, k = _find_worst_layer(ratio)
    text = (
        f"On this chip one measurement of an error vector with {group['scheme'].data[s]} has a signal-to-noise ratio "
        f"of {format_number(ratio[s, k])} in layer {group['layer'].data[k]}, the least of its layers: a cosine of "
        f"{group['cosine_single'].data[s, k]:.4f} to the mean of endlessly many. {_KNOWS_NOTHING}"
    )
    return f"{text} {_describe_probes(group, s)}".strip()


def _find_worst_layer(ratio: NDArray[np.float64]) -> tuple[int, int]:
    """Return the best scheme and its noisiest layer."""
    s = int(np.where(np.isnan(ratio), -np.inf, ratio).min(axis=1).argmax())
    return s, int(np.nanargmin(ratio[s]))


def list_board_numbers(result: ResultData) -> list[KeyNumber]:
    """Return signal to noise and cosine to node perturbation of the worst layer, as far as known, and what it took."""
    group, found = result["estimates"], []
    s, layers = 0, group["layer"].data
    if np.isfinite(group["snr"].data).any():
        s, k = _find_worst_layer(group["snr"].data)
        words = f"signal to noise of one measurement in layer {layers[k]}, the least, {group['scheme'].data[s]}"
        found.append(KeyNumber(format_number(group["snr"].data[s, k]), words))
    if "cosine_probed" in group and np.isfinite(group["cosine_probed"].data[s]).any():
        cosine = group["cosine_probed"].data[s]
        k = int(np.nanargmin(cosine))
        most = f"its noise and size allow {group['cosine_allowed'].data[k]:.2f}"
        words = f"cosine to node perturbation in layer {layers[k]}, the least; {most}"
        found.append(KeyNumber(f"{cosine[k]:.2f}", words))
    asked = {
        "settlings": "settlings of one sample on the board",
        "reads": "reads of all units",
        "lines": "lines to the board",
    }
    counts = [KeyNumber(f"{int(result['board'][name].data):,}", words) for name, words in asked.items()]
    return [*found, *counts][:3]


def _describe_probes(group: Group, s: int) -> str:
    if "cosine_probed" not in group:
        return ""
    cosine, allowed = group["cosine_probed"].data[s], group["cosine_allowed"].data
    if not np.isfinite(cosine).any():
        return "Node perturbation gave no error vectors to compare with."
    k = int(np.nanargmin(cosine))
    text = f"Node perturbation, which needs no symmetry, finds error vectors at a cosine of {cosine[k]:.4f} to "
    text += f"these in layer {group['layer'].data[k]}, the least; its own noise and size allow {allowed[k]:.4f}"
    return text + (" there, so the cosine tells little." if allowed[k] < _TELLS_LITTLE else " there.")


def describe_board_remarks(result: ResultData) -> list[str]:
    """Return what is not known of how settlings end, and what was lost on the way."""
    told = bool(result["estimates"]["status_told"].data) if "estimates" in result.groups else True
    words = "The board does not tell how settlings end: what was read when its time was over counts."
    return [*([] if told else [words]), *describe_board_losses(result)]


def make_estimate_sheet(group: Group, title: str, place: str) -> Sheet:
    """Return size, spread and signal to noise by scheme and layer or connection."""
    probed = "cosine_probed" in group
    columns = [
        "scheme",
        place,
        "size",
        "spread of one",
        "signal/noise",
        "cosine of one",
        *["cosine to probes"] * probed,
    ]
    rows = [
        [
            str(scheme),
            str(name),
            *(format_number(float(group[key].data[s, k])) for key in ("size", "spread", "snr")),
            f"{group['cosine_single'].data[s, k]:.4f}",
            *([f"{group['cosine_probed'].data[s, k]:.4f} ({group['cosine_allowed'].data[k]:.4f})"] if probed else []),
        ]
        for s, scheme in enumerate(group["scheme"].data)
        for k, name in enumerate(group[place].data)
    ]
    note = (
        "size: rms of the mean over the repeats, its noise taken off; spread: standard deviation of one measurement; "
    )
    note += "cosine of one: to the mean of endlessly many"
    note += (
        "; cosine to probes: of the mean to node perturbation, and in brackets the most its noise and size allow"
        * probed
    )
    return Sheet(title, columns, rows, words=2, note=note)


def make_board_sheet(group: Group) -> Sheet:
    """Return what was asked of the chip and what went over its line."""
    words = {
        "settlings": "settlings of one sample",
        "resettlings": "of these: only to bring a sample back",
        "settled_time": "time spent settling (tau)",
        "probes": "of the settlings: with injected drives",
        "reads": "reads of all units",
        "lines": "lines to the board",
        "retries": "lines sent again",
        "lines_ignored": "lines from the board that are none of the protocol",
        "bytes": "bytes in both directions",
        "line_s": "time waiting for the board (s)",
    }
    rows = [[text, f"{float(group[name].data):,.6g}"] for name, text in words.items() if name in group]
    return Sheet("What was asked of the board", ["", "in all"], rows)
