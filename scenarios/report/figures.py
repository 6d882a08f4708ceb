"""Figures of a result: which ones it has data for, as drawings and as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from ..drawing.style import render_svg
from ..experiments.figures import list_registered_figures
from ..results.disk import convert_write_errors, write_file
from ..results.store import ResultData


def list_figure_names(result: ResultData) -> list[str]:
    """Return the names of the figures that a result has data for, in reading order."""
    return [name for name, figure in list_registered_figures().items() if figure.when(result)]


def draw_figure(result: ResultData, name: str) -> Figure:
    """Return one figure of a result.

    Raises
    ------
    TypeError
        If the function that draws it returns something else.
    """
    draw = list_registered_figures()[name].draw
    drawn = draw(result)
    if not isinstance(drawn, Figure):
        raise TypeError(f"{draw.__name__}, which draws {name!r}, returned {drawn!r}: return a matplotlib Figure")
    return drawn


def draw_figures(result: ResultData) -> dict[str, Figure]:
    """Return every figure the result has data for, in reading order; measured groups at their last epoch."""
    return {name: draw_figure(result, name) for name in list_figure_names(result)}


def make_caption(result: ResultData, name: str) -> str:
    """Return how to read a figure of a result, and how many samples or chips it shows."""
    figure = list_registered_figures()[name]
    count = figure.count(result) if figure.count else ""
    return f"{figure.caption} {count}".rstrip()


def draw_svgs(result: ResultData) -> dict[str, str]:
    """Return every figure the result has data for as SVG text, in reading order."""
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
