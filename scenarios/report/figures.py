"""Figures of a result: which ones it has data for, as drawings and as files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from ..drawing.space import PreparedFigure
from ..drawing.style import render_svg
from ..experiments.figures import list_registered_figures
from ..experiments.kind import find_result_kind
from ..results.disk import convert_write_errors, write_file
from ..results.store import ResultData


def list_figures(result: ResultData) -> dict[str, PreparedFigure]:
    """Return the figures that a result has data for, the main one of its kind first, then in reading order.

    Measured groups are at their last epoch.
    """
    kind = find_result_kind(result)
    found = [name for name, figure in list_registered_figures().items() if figure.when(result)]
    main = next((name for name in kind.main_figures if name in found), "") if kind else ""
    found.sort(key=lambda name: name != main)
    draws = {name: list_registered_figures()[name].draw for name in found}
    return {name: PreparedFigure(partial(draw, result), make_caption(result, name)) for name, draw in draws.items()}


def list_comparison_figures(a: ResultData, b: ResultData, names: tuple[str, str]) -> dict[str, PreparedFigure]:
    """Return the figures of two results side by side; `names` are theirs in the keys."""
    return {
        name: PreparedFigure(
            partial(figure.draw, a, b, names),
            f"{figure.caption} {figure.count(a, b) if figure.count else ''}".rstrip(),
        )
        for name, figure in list_registered_figures("comparison").items()
        if figure.when(a, b)
    }


def make_caption(result: ResultData, name: str) -> str:
    """Return how to read a figure of a result, and how many samples or chips it shows."""
    figure = list_registered_figures()[name]
    count = figure.count(result) if figure.count else ""
    return f"{figure.caption} {count}".rstrip()


def draw_figures(result: ResultData) -> dict[str, Figure]:
    """Return every figure that a result has data for, drawn for a page."""
    return {name: figure.draw() for name, figure in list_figures(result).items()}


def draw_svgs(result: ResultData) -> dict[str, str]:
    """Return every figure that a result has data for as SVG text, in reading order."""
    return {name: render_svg(figure) for name, figure in draw_figures(result).items()}


def write_svgs(drawn: Mapping[str, str], folder: Path) -> list[Path]:
    """Write figures as the only SVG files of a folder; return their paths.

    Raises
    ------
    StoreWriteError
        When the system refuses.
    """
    files = {folder / f"{name}.svg": text for name, text in drawn.items()}
    with convert_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for stale in set(folder.glob("*.svg")) - files.keys():
            stale.unlink()
    for path, text in files.items():
        write_file(path, text.encode())
    return list(files)
