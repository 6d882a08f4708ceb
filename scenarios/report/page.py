"""The report: one HTML file that needs nothing else, made from a result and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from xml.dom import minidom

import numpy as np
from jinja2 import Environment, StrictUndefined

from ..results.disk import write
from ..results.store import Result
from ..results.views import latest, void
from .answer import answer, remarks
from .figures import CAPTIONS, drawings, write_drawings
from .sheets import sheets
from .summary import open_lines

REPORT = "report.html"
FIGURES = "figures"
"""The folder of the figures, beside the report."""

_TEMPLATE = Path(__file__).with_name("report.html")
_EPOCHS = 50

# A slash, drive or tilde where a word begins, and what follows it; URLs and "a/b" begin otherwise.
_ABSOLUTE = re.compile(
    r"""(?<![\w.:/\\~<-])(?:file://)?(?:[A-Za-z]:[\\/]+|\\\\|~?/)"""
    r"""(?:[^\s"'`,;:()\[\]<>|/\\]+[\\/]+)*([^\s"'`,;:()\[\]<>|/\\]+)"""
)


class Plot(NamedTuple):
    """A figure in the page."""

    name: str
    svg: str
    """Not escaped again: matplotlib escaped every text in it."""

    caption: str


def write_report(result: Result, folder: Path) -> list[Path]:
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
    drawn, path = drawings(result), folder / REPORT
    figures = write_drawings(drawn, folder / FIGURES)
    write(path, render(result, drawn).encode("utf-8", "backslashreplace"))
    return [path, *figures]


def render(result: Result, drawn: Mapping[str, str]) -> str:
    """Return the report with its figures, SVG text by name, as HTML text; no absolute path of a machine is in it."""
    provenance = {name: str(variable.data) for name, variable in result.groups.get("provenance", {}).items()}
    head = {name: str(result.attributes.get(name, "")) for name in ("title", "software", "created", "id", "status")}
    content: dict[str, Any] = {
        **head,
        "tone": "alarm" if head["status"] == "diverged" or void(result) else "",
        "answer": answer(result),
        "remarks": remarks(result),
        "plots": [plot(name, text, f"{CAPTIONS[name]}{counted(result, name)}") for name, text in drawn.items()],
        "sheets": sheets(result, _EPOCHS),
        "written": without_paths(provenance.get("scenario_toml", "")),
        "resolved": without_paths(provenance.get("resolved_toml", "")),
        "files": [
            ("run.h5", "every number of this page, and more"),
            ("scenario.toml", "the scenario to run again"),
        ],
        "open_lines": open_lines(Path("run.h5")),
        "facts": _facts(provenance),
    }
    shown = {"Figures": "plots", "Tables": "sheets", "Scenario": "written", "Files": "title"}
    shown["Provenance"] = "facts"
    content["contents"] = [section for section, needed in shown.items() if content[needed] or section == "Files"]
    return page(content)


def page(content: dict[str, Any]) -> str:
    """Return an HTML page in the look of the report; `content` holds every name that its template uses."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(content)


def without_paths(text: str) -> str:
    """Return text with every absolute path shortened to ``.../`` and its last part."""
    return _ABSOLUTE.sub(r".../\1", text)


def plot(name: str, svg: str, caption: str) -> Plot:
    """Return a figure for the page."""
    return Plot(name, inline(name, svg, caption), caption)


def counted(result: Result, name: str) -> str:
    """Return how many samples or chips a figure speaks of, as the last sentence of its caption, if it does."""
    last = latest(result)
    if name == "settling":
        return f" n = {last['settling']['status'].data.shape[1]} samples."
    if name == "chips":
        return f" n = {len(last['evaluate']['chip'].data)} chips."
    group = "nudge" if name == "nudge_study" else "gradient"
    kept = last.groups.get(group, {}).get("kept")
    if kept is None or name in ("training", "angles", "cosine_by_epoch", "schemes"):
        return ""
    counts = np.atleast_2d(kept.data).sum(axis=1)
    range_ = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}, by scheme,"
    return f" n = {range_} of {kept.data.shape[-1]} samples."


def _facts(provenance: dict[str, str]) -> dict[str, str]:
    """Return where the result comes from, in words; what is not known is left out."""
    if not provenance:
        return {}
    facts = {
        "command": " ".join(without_paths(part) for part in json.loads(provenance["arguments"])),
        "data, SHA-256": provenance["data_sha256"],
        "git commit": provenance["git_commit"],
        **{name.replace("_", " "): str(value) for name, value in json.loads(provenance["environment_json"]).items()},
    }
    return {name: text for name, text in facts.items() if text}


def inline(name: str, text: str, caption: str) -> str:
    """Return a figure for the middle of a page: ids of its own, and a name for readers who cannot see it."""
    document = minidom.parseString(text)  # noqa: S318  our own text
    for element in document.getElementsByTagName("*"):
        for attribute in element.attributes.values():
            if attribute.name == "id":
                attribute.value = f"{name}-{attribute.value}"
            attribute.value = re.sub(r"^#|(?<=url\()#", f"#{name}-", attribute.value)
    root = document.getElementsByTagName("svg")[0]
    root.setAttribute("role", "img")
    root.setAttribute("aria-label", caption.partition(".")[0])
    return root.toxml()
