"""What an experiment or a sweep gave, as a notebook meets it: the answer, numbers, labelled arrays, figures."""

from __future__ import annotations

from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ..drawing.sheet import Sheet, render_sheet
from ..experiments.alarms import Alarm, find_alarms
from ..language.faults import ScenarioFault
from ..language.load import LoadedScenario
from ..report.answer import list_remarks, make_answer
from ..report.page import write_report
from ..report.sheets import make_sheets
from ..report.summary import list_metrics
from ..results import store
from ..run.run import RESULT, FinishedRun, list_run_files, write_result_folder
from ..sweeps.folder import CUBE, REPORT, TABLE
from .drawings import Drawings
from .labels import convert_to_dataset

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ..sweeps.sweep import FinishedSweep
    from .export import ExportFormat

_EPOCHS = 8


def open(path: str | Path) -> Result | SweepResult:  # noqa: A001
    """Open what was kept: the folder of a run or of a sweep, or a result file.

    Raises
    ------
    StoreReadError
        If there is none, or it is unreadable.
    """
    path = Path(path)
    file = path
    if path.is_dir():
        file = path / CUBE if (path / CUBE).exists() else path / RESULT
    if file.name == CUBE:
        from ..sweeps.sweep import read_finished_sweep

        return SweepResult(read_finished_sweep(file.parent))
    return Result(store.read_result_file(file), folder=file.parent)


class _Labelled:
    """Labelled arrays of a result file, in memory."""

    def __init__(self, stored: store.ResultData, folder: Path | None) -> None:
        self.stored, self.folder = stored, folder

    def __getitem__(self, path: str) -> xr.Dataset:
        """Return one group, such as ``"gradient"``, with the coordinates of the groups above it.

        Raises
        ------
        KeyError
            If the result has no such group; the message names those it has.
        """
        if path not in self.stored.groups:
            raise KeyError(f"no group {path!r}: there are {', '.join(self.stored.groups)}")
        return self.to_xarray()[path].to_dataset()

    def to_xarray(self) -> xr.DataTree:
        """Return everything as a tree of labelled arrays, the same as the result file opened by xarray."""
        return self._tree

    def export(self, out: str | Path, kind: ExportFormat = "csv") -> list[Path]:
        """Write everything in the format of another program; return the files.

        Parameters
        ----------
        out : str or Path
            The folder of the tables (csv, parquet), or the file (netcdf, npz).
        kind : {"csv", "netcdf", "npz", "parquet"}
            Format; see `scenarios.front.export`.

        Raises
        ------
        StoreWriteError
            If the system refuses, or the library that writes Parquet is absent.
        """
        from .export import export_result

        return export_result(self.stored, Path(out), kind)

    @cached_property
    def _tree(self) -> xr.DataTree:
        import xarray as xr

        groups = {path: convert_to_dataset(group) for path, group in self.stored.groups.items()}
        return xr.DataTree.from_dict({"/": xr.Dataset(attrs=dict(self.stored.attributes)), **groups})


class Result(_Labelled):
    """What one run gave; shows itself in a notebook.

    Attributes
    ----------
    folder : Path or None
        Where it is kept.
    warnings : list of Fault
        What is suspicious about its scenario.
    computed : bool
        False: the folder already held the complete answer.
    """

    def __init__(
        self,
        stored: store.ResultData,
        warnings: list[ScenarioFault] | None = None,
        *,
        loaded: LoadedScenario | None = None,
        folder: Path | None = None,
        computed: bool = True,
    ) -> None:
        super().__init__(stored, folder)
        self.warnings, self.computed, self._loaded = warnings or [], computed, loaded

    @classmethod
    def of_folder(cls, finished: FinishedRun, loaded: LoadedScenario) -> Result:
        """Return the result that a run left in its folder."""
        stored = store.read_result_file(finished.folder / RESULT)
        folder, computed = finished.folder, finished.computed
        return cls(stored, finished.warnings, loaded=loaded, folder=folder, computed=computed)

    @property
    def answer(self) -> str:
        """The one sentence a reader should take home."""
        return make_answer(self.stored)

    @property
    def remarks(self) -> list[str]:
        """What else has to be said."""
        return list_remarks(self.stored)

    @property
    def alarms(self) -> list[Alarm]:
        """What leaves its figures without meaning."""
        return find_alarms(self.stored)

    @property
    def metrics(self) -> dict[str, float | None]:
        """The final numbers under stable keys, such as ``gradient/cosine/<scheme>/<layer>``."""
        return list_metrics(self.stored)

    @property
    def status(self) -> str:
        """`complete` or `diverged`."""
        return str(self.stored.attributes["status"])

    @property
    def figures(self) -> Drawings:
        """The figures by name."""
        from ..report.figures import list_figures

        return Drawings(list_figures(self.stored))

    @property
    def files(self) -> list[Path]:
        """The files of the folder; none for a result in memory."""
        return [] if self.folder is None else list_run_files(self.folder)

    def to_dataframe(self, path: str | None = None) -> pd.DataFrame:
        """Return one group as a table, or the final numbers: one row each, `figure` and `value`."""
        import pandas as pd

        if path is not None:
            return self[path].to_dataframe()
        return pd.DataFrame({"figure": list(self.metrics), "value": list(self.metrics.values())})

    def save(self, folder: str | Path) -> list[Path]:
        """Write the result file, the scenario, the report and the figures into a folder; return their paths.

        Raises
        ------
        StoreWriteError
            If the system refuses.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if self._loaded is not None:
            write_result_folder(self._loaded, folder, self.stored.groups, self.stored.attributes)
        else:
            store.write_result_file(folder / RESULT, self.stored.groups, self.stored.attributes)
            write_report(self.stored, folder)
        self.folder = folder
        return self.files

    def __repr__(self) -> str:
        """Return the answer."""
        return "\n".join([self.answer, *self.remarks])

    def _repr_html_(self) -> str:
        tables = map(render_sheet, make_sheets(self.stored, _EPOCHS))
        words = "".join(f"<p>{escape(line)}</p>" for line in self.remarks)
        return f"<p><b>{escape(self.answer)}</b></p>{words}{''.join(tables)}"


class SweepResult(_Labelled):
    """What the points of a sweep say together; shows itself in a notebook.

    Attributes
    ----------
    swept : Swept
        How the points ended, and where they are.
    """

    def __init__(self, swept: FinishedSweep) -> None:
        cube = swept.folder / CUBE
        # Of one shard nothing is put together yet.
        super().__init__(store.read_result_file(cube) if cube.exists() else store.ResultData({}, {}), swept.folder)
        self.swept = swept

    @property
    def answer(self) -> str:
        """The sentence a reader should take home; nothing for one shard of a sweep."""
        return self.swept.answer

    @property
    def sheets(self) -> list[Sheet]:
        """The tables of its report; none for one shard of a sweep."""
        from ..sweeps.folder import read_plan
        from ..sweeps.report import make_sweep_sheets

        whole = bool(self.stored.groups)
        return make_sweep_sheets(self.stored, read_plan(self.swept.folder), self.swept.outcomes) if whole else []

    @property
    def figures(self) -> Drawings:
        """The figures by name; none for one shard of a sweep."""
        from ..sweeps.folder import read_plan
        from ..sweeps.report import list_sweep_figures

        whole = bool(self.stored.groups)
        return Drawings(list_sweep_figures(self.stored, read_plan(self.swept.folder)) if whole else {})

    @property
    def files(self) -> list[Path]:
        """The files of the folder."""
        return [self.swept.folder / name for name in (CUBE, REPORT, TABLE) if (self.swept.folder / name).exists()]

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per point: its values, how it ended, and its figures."""
        import pandas as pd

        return pd.read_csv(self.swept.folder / TABLE)

    def __repr__(self) -> str:
        """Return the answer."""
        return self.answer

    def _repr_html_(self) -> str:
        tables = map(render_sheet, self.sheets)
        return f"<p><b>{escape(self.answer)}</b></p>{''.join(tables)}"
