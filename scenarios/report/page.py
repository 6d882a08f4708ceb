"""The report: one HTML file that needs nothing else, made from a result and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..drawing.page import make_plot, measure_height, render_page, strip_paths
from ..drawing.sheet import KeyNumber
from ..experiments.kind import find_result_kind
from ..results.disk import write_file
from ..results.store import ResultData
from .answer import is_void, list_answers, list_remarks
from .figures import draw_svgs, make_caption, write_svgs
from .sheets import make_sheets
from .summary import format_open_lines, read_edits, read_question

REPORT = "report.html"
FIGURES = "figures"
"""The folder of the figures, beside the report."""

_EPOCHS = 50
_TALLEST = 270.0
"""Points of the figure that a page begins with, if the kind has one that is no taller."""


def write_report(result: ResultData, folder: Path) -> list[Path]:
    """Write the figures of a result and then its report, every file as a whole; return their paths, the report first.

    Parameters
    ----------
    result : Result
        Of any experiment.
    folder : Path
        The report goes into it, and figures into a folder in it; `run.h5` and `scenario.toml` are linked as neighbours.

    Raises
    ------
    StoreWriteError
        When the system refuses; the temporary file is removed.
    """
    drawn, path = draw_svgs(result), folder / REPORT
    figures = write_svgs(drawn, folder / FIGURES)
    write_file(path, render_report(result, drawn).encode("utf-8", "backslashreplace"))
    return [path, *figures]


def render_report(result: ResultData, drawn: Mapping[str, str]) -> str:
    """Return the report with its figures, SVG text by name, as HTML text; no absolute path of a machine is in it."""
    provenance = {name: str(variable.data) for name, variable in result.groups.get("provenance", {}).items()}
    head = {name: str(result.attributes.get(name, "")) for name in ("title", "software", "created", "id", "status")}
    content: dict[str, Any] = {
        **head,
        "tone": "alarm" if head["status"] == "diverged" or is_void(result) else "",
        "question": read_question(result),
        "edits": strip_paths(read_edits(result)),
        "answer": [_set_prose(text) for text in list_answers(result)],
        "numbers": _list_key_numbers(result),
        "remarks": [_set_prose(remark) for remark in list_remarks(result)],
        "plots": [make_plot(name, drawn[name], make_caption(result, name)) for name in _order_figures(result, drawn)],
        "sheets": make_sheets(result, _EPOCHS),
        "written": strip_paths(provenance.get("scenario_toml", "")),
        "resolved": strip_paths(provenance.get("resolved_toml", "")),
        "files": [
            ("run.h5", "every number of this page, and more"),
            ("scenario.toml", "the scenario to run again"),
        ],
        "open_lines": format_open_lines(Path("run.h5")),
        "facts": _describe_provenance(provenance),
    }
    return render_page(content)


def _order_figures(result: ResultData, drawn: Mapping[str, str]) -> list[str]:
    """Return the names of the figures, first the main one of the kind that leaves the first screen its other parts."""
    kind = find_result_kind(result)
    mains = [name for name in kind.main_figures if name in drawn] if kind else []
    first = next((name for name in mains if measure_height(drawn[name]) <= _TALLEST), None)
    return sorted(drawn, key=lambda name: name != first) if first else list(drawn)


def _list_key_numbers(result: ResultData) -> list[KeyNumber]:
    """Return the numbers that the page begins with; of a result that is void or diverged none mean anything."""
    kind = find_result_kind(result)
    if kind is None or is_void(result) or result.attributes.get("status") == "diverged":
        return []
    return [KeyNumber(_set_prose(one.value), _set_prose(one.words)) for one in kind.key_numbers(result)]


def _set_prose(text: str) -> str:
    """Return sentences whose lines break neither before a % nor inside an arrow."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%").replace(" -> ", " \N{RIGHTWARDS ARROW} ")


def _describe_provenance(provenance: dict[str, str]) -> dict[str, str]:
    """Return where the result comes from, in words; what is not known is left out."""
    if not provenance:
        return {}
    facts = {
        "command": " ".join(strip_paths(part) for part in json.loads(provenance["arguments"])),
        "changed": ", ".join(strip_paths(edit) for edit in json.loads(provenance.get("edits_json", "[]"))),
        "data, SHA-256": provenance["data_sha256"],
        "git commit": provenance["git_commit"],
        **{name.replace("_", " "): str(value) for name, value in json.loads(provenance["environment_json"]).items()},
    }
    return {name: text for name, text in facts.items() if text}
