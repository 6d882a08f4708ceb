"""Figures for papers: their sizes, their files, and where they are drawn."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from matplotlib import pyplot as plt
from matplotlib.image import imread

import nudgelab
from learning.oracle.ledger.vectors import TERMS
from scenarios.cli.main import main
from scenarios.drawing.space import WIDTHS
from scenarios.drawing.style import render_svg
from scenarios.experiments.figures import list_registered_figures
from scenarios.front.result import Result
from scenarios.results import store
from scenarios.results.store import StoreReadError, StoreWriteError, Variable
from tests.scenarios import result_files
from tests.scenarios.report.in_print import find_print_faults

pytestmark = pytest.mark.figures

ASYMMETRY = TERMS.index("asymmetry")


@pytest.fixture
def measured():
    return Result(result_files.result({**result_files.measured(), "provenance": result_files.provenance()}))


@pytest.fixture
def panels():
    figure, axes = plt.subplots(1, 2, figsize=(7.0, 3.0))
    yield axes
    plt.close(figure)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_file_has_the_width_of_its_columns_and_text_stays_text(measured, tmp_path, width):
    drawing = nudgelab.draw(measured, "cosine", width=width)
    for suffix in ("svg", "pdf", "png"):
        drawing.save(tmp_path / f"a.{suffix}")
    svg = (tmp_path / "a.svg").read_text()
    assert f'width="{72.0 * WIDTHS[width]:g}pt"' in svg
    assert ">layer</text>" in svg
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert imread(tmp_path / "a.png").shape[1] == pytest.approx(300 * WIDTHS[width], abs=1)
    assert drawing.caption.startswith("Gradient quality by layer. ")
    with pytest.raises(ValueError, match="'jpg' is no format of figures: choose svg, pdf, png"):
        drawing.save(tmp_path / "a.jpg")
    with pytest.raises(StoreWriteError):
        drawing.save(tmp_path / "a.png/b.png")


def test_the_command_draws_what_is_named_and_prints_captions(measured, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store.write_result_file(tmp_path / "run.h5", measured.stored.groups, measured.stored.attributes)

    def command(*words):
        return CliRunner().invoke(main, ["figure", "run.h5", *words])

    done = command("cosine", "signal", "--format", "svg", "--width", "two-column", "--out", "here")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == str(Path("here/cosine.svg"))
    assert "Gradient quality by layer." in done.stdout
    assert sorted(path.name for path in Path("here").iterdir()) == ["cosine.svg", "signal.svg"]
    assert 'width="504pt"' in Path("here/cosine.svg").read_text()
    wrong = command("cosines")
    assert (wrong.exit_code, "no figure 'cosines': there are causes, cosine" in wrong.stderr) == (2, True)
    assert CliRunner().invoke(main, ["figure", "absent"]).exit_code == 4


def test_without_a_name_the_main_figure_is_drawn(measured):
    assert nudgelab.draw(measured).name == next(iter(measured.figures)) == "causes"


def test_one_panel_is_drawn_into_the_axes_of_the_user(measured, panels):
    drawing = nudgelab.draw(measured, "signal", ax=panels[1])
    assert drawing.figure is panels[0].figure
    assert next(iter(panels[1].lines)).get_label() == "activity"
    assert not panels[0].lines
    assert panels[1].get_legend() is not None
    assert find_print_faults(drawing.figure) == []


def test_several_panels_take_the_place_of_the_axes_of_the_user(measured, panels):
    figure = nudgelab.draw(measured, "causes", ax=panels[1]).figure
    assert figure is panels[0].figure
    figure.draw_without_rendering()
    inner = [axes for axes in figure.axes if axes not in list(panels)]
    assert len(inner) == len(result_files.LAYERS)
    assert not panels[1].axison
    assert min(axes.get_window_extent().x0 for axes in inner) > panels[0].get_window_extent().x1


def test_axes_outside_a_grid_hold_one_panel_only(measured, panels):
    free = panels[0].figure.add_axes((0.1, 0.1, 0.2, 0.2))
    nudgelab.draw(measured, "signal", ax=free)
    with pytest.raises(ValueError, match="axes of a grid"):
        nudgelab.draw(measured, "causes", ax=free)


def test_the_settings_of_the_user_stay(measured, panels):
    before = dict(plt.rcParams)
    nudgelab.draw(measured, "signal", ax=panels[0])
    assert dict(plt.rcParams) == before


@pytest.mark.parametrize("open_it", [str, lambda path: path, lambda path: xr.open_datatree(path, engine="h5netcdf")])
def test_a_path_and_a_tree_of_the_file_give_the_same_figure(measured, tmp_path, open_it):
    path = tmp_path / "run.h5"
    store.write_result_file(path, measured.stored.groups, measured.stored.attributes)
    for name in measured.figures:
        assert render_svg(nudgelab.draw(open_it(path), name).figure) == render_svg(measured.figures[name].figure)


def test_what_cannot_be_drawn_is_told(measured):
    with pytest.raises(KeyError, match="no figure 'cause': there are causes, cosine"):
        nudgelab.draw(measured, "cause")
    with pytest.raises(ValueError, match="width 'wide': choose 'one-column' or 'two-column'"):
        nudgelab.draw(measured, "causes", width="wide")
    with pytest.raises(KeyError, match="there are none"):
        nudgelab.draw(Result(result_files.result({})))
    with pytest.raises(StoreReadError, match="of a sweep"):
        nudgelab.draw(xr.DataTree.from_dict({"points": xr.Dataset({"status": ("x", np.zeros(2))})}))


def compared(scale=0.1):
    """Return two results that differ in one key and in the asymmetry of every layer."""
    sides = []
    for factor, sigma in ((1.0, 0.2), (scale, 0.02)):
        groups = result_files.measured(schemes=result_files.SCHEMES[:1])
        groups["ledger"]["median"].data[..., ASYMMETRY] *= factor
        groups["provenance"] = result_files.provenance(f"[devices]\nfeedback = {{ mismatch_sigma = {sigma} }}\n")
        sides.append(Result(result_files.result(groups)))
    return sides


@pytest.mark.parametrize("width", WIDTHS)
def test_two_ledgers_side_by_side_show_the_numbers_of_both(width):
    a, b = compared()
    found = nudgelab.compare(a, b)
    assert found.keys == {"devices.feedback.mismatch_sigma": (0.2, 0.02)}
    figure = nudgelab.draw(found, "causes", width=width).figure
    assert find_print_faults(figure) == []
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["A: mismatch_sigma 0.2", "B: mismatch_sigma 0.02"]
    layers = [axes.get_title().removeprefix("layer ") for axes in figure.axes]
    assert layers == (["l1", "l2", "out"] if width == "two-column" else ["l1", "out"])
    for axes, layer in zip(figure.axes, layers, strict=True):
        place = result_files.LAYERS.index(layer)
        old, new = (side.stored["ledger"]["median"].data[0, place, ASYMMETRY] for side in (a, b))
        dots = [line for line in axes.lines if line.get_marker() == "o" and list(line.get_ydata()) == [0]]
        assert [line.get_xdata()[0] for line in dots] == pytest.approx([old, new])
        assert axes.texts[0].get_text() == f"{100 * old:.3g} \N{RIGHTWARDS ARROW} {100 * new:.3g}"


def test_results_without_common_layers_have_no_figure_side_by_side():
    a, _ = compared()
    other = Result(
        result_files.result({**result_files.measured(layers=("x", "y")), "provenance": result_files.provenance()})
    )
    assert list(nudgelab.compare(a, other).figures) == []
    assert list(list_registered_figures("comparison")) == ["causes"]


def changed():
    """Return the result of a design with one change, which lowers the asymmetry of every layer to a tenth."""
    before, after = (side.stored for side in compared())
    names = {
        "name": Variable(("change",), np.array(["better cells"])),
        "resolved_toml": Variable(("change",), np.array([""])),
    }
    groups = before.groups | {"change": names} | {f"change/1/{path}": group for path, group in after.groups.items()}
    return Result(result_files.result({path: group for path, group in groups.items() if "1/provenance" not in path}))


def test_a_changed_design_begins_with_its_ledgers_side_by_side():
    result = changed()
    drawing = nudgelab.draw(result)
    assert drawing.name == "changes"
    assert [text.get_text() for text in drawing.figure.legends[0].get_texts()] == ["as it is", "better cells"]
    old = result.stored["ledger"]["median"].data[0, 0, ASYMMETRY]
    assert drawing.figure.axes[0].texts[0].get_text() == f"{100 * old:.3g} \N{RIGHTWARDS ARROW} {10 * old:.3g}"
    assert find_print_faults(drawing.figure) == []
