"""Scenarios as objects: read and checked, changed, run, and made into chips."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from ..language.load import LoadedScenario
from ..language.load import load_scenario as read_scenario
from ..language.named_files import separate_arrays
from ..language.places import CATALOGUE

if TYPE_CHECKING:
    from substrate.chip.chip import Chip
    from substrate.circuits.forms import AnyCircuitChip
    from substrate.hardware.bench import HardwareBench
    from substrate.protocol import SettlingBench

    from ..build import AnySetup
    from ..experiments.watch import Watch
    from .fitted import FittedDevice
    from .result import Result

Edits = Mapping[str, Any] | Sequence[str | tuple[str, Any]]
"""Values to replace: by dotted key, or as texts such as ``seed=3``."""


def find_scenario(name: str | Path) -> Path:
    """Return the path of a scenario: a file, or the name of a bundled one (a file wins)."""
    path = Path(name)
    bundled = CATALOGUE / f"{name}.toml"
    return bundled if not path.exists() and bundled.exists() else path


def load(source: str | Path | Mapping[str, Any], edits: Edits = ()) -> Scenario:
    """Read and check a scenario.

    Parameters
    ----------
    source : str, Path or mapping
        The name of a bundled scenario, a TOML file, or the tables of one as dictionaries. In dictionaries a key that
        names an npz file, such as ``network.parameters`` or ``task.path``, takes a dictionary of arrays as well.
    edits : mapping of dotted key to value, or sequence of str
        Values to replace, such as ``{"devices.feedback.mismatch_sigma": 0.02}`` or ``["seed=3"]``; None as a value
        leaves out a key that is written.

    Returns
    -------
    Scenario

    Raises
    ------
    ScenarioError
        With everything that is wrong, each fault with its place and what to try.
    """
    if isinstance(source, Mapping):
        tables, arrays = separate_arrays(source)
        return Scenario(tables, edits, arrays)
    return Scenario(find_scenario(source), edits)


_UNTRIED = "dynamics.engine = jax: installed here; whether it loads, `nudgelab show` or a run tells"


class CheckResult:
    """What `Scenario.check` found.

    `taken` says what every file is taken for and what is not known of the engine, `warnings` what is suspicious.
    """

    def __init__(self, taken: list[str], warnings: list[str], points: int | None) -> None:
        self.taken, self.warnings, self.points = taken, warnings, points

    def __str__(self) -> str:
        """Return the one word, or with the points of a sweep."""
        return "good" if self.points is None else f"good, and so are all {self.points} points of its sweep"

    def __repr__(self) -> str:
        """Return everything in lines."""
        return "\n".join([*self.warnings, *self.taken, str(self)])


class Scenario:
    """One experiment on one chip, completely described; `load` makes it.

    Attributes
    ----------
    loaded : Loaded
        The checked description and where every value was written.
    """

    def __init__(
        self, source: Path | dict[str, Any], edits: Edits = (), arrays: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        self._source, self._edits, self._arrays = source, edits, dict(arrays or {})
        kept: dict[str, str] = {}
        if self._arrays:
            folder = mkdtemp(prefix="nudgelab-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            kept = self._keep_arrays(Path(folder))
        self.loaded: LoadedScenario = self._read_with_arrays(kept)

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.loaded.spec.name

    @property
    def resumes(self) -> bool:
        """Whether a run that is stopped leaves a checkpoint, from which the same call goes on."""
        return self.loaded.spec.experiment.resumes

    def set(self, edits: Edits) -> Scenario:
        """Return the scenario with some values replaced; this one stays as it is.

        Raises
        ------
        ScenarioError
            With everything that is wrong.
        """
        return Scenario(self._source, [*_list_edits(self._edits), *_list_edits(edits)], self._arrays)

    def check(self) -> CheckResult:
        """Read all files and check everything that can be seen before a run, the points of a sweep included.

        Raises
        ------
        ScenarioError
            With everything that is wrong.
        """
        from ..build import Setup
        from ..reach import describe_unreached_cells
        from ..suspicions import find_suspicions, format_suspicion

        setup = self._setup()
        lines, points = [format_suspicion(warning) for warning in find_suspicions(self.loaded, setup)], None
        if self.loaded.spec.sweep is not None:
            from ..sweeps.points import check_design

            design = check_design(self.loaded)
            points = len(design.ids)
            lines += [format_suspicion(warning) for warning in design.warnings]
        taken = [*setup.taken, *(describe_unreached_cells(setup) if isinstance(setup, Setup) else [])]
        if isinstance(setup, Setup) and setup.design.dynamics.engine == "jax":
            taken.append(_UNTRIED)
        return CheckResult(taken, list(dict.fromkeys(lines)), points)

    def show(self) -> str:
        """Return the scenario with all defaults, where each value comes from, and what it will cost, as TOML."""
        from ..report.explain import explain_scenario

        if self.loaded.spec.sweep is None:
            return explain_scenario(self.loaded)
        from ..sweeps.points import sample_points

        return explain_scenario(self.loaded, *sample_points(self.loaded))

    def run(
        self,
        out: str | Path | bool = False,
        *,
        threads: int | None = None,
        force: bool = False,
        progress: bool = False,
        watch: Watch | None = None,
    ) -> Result:
        """Run the experiment.

        Parameters
        ----------
        out : str, Path or bool
            Folder in which the run is kept: its result file, report and figures. The same call goes on with an
            interrupted training there, and finds a complete result. True: ``./<name>-<id>``; absent: everything
            stays in memory.
        threads : int, optional
            Threads that share a batch; absent: all cores. Never changes a result.
        force : bool
            Compute again, and replace the result of another scenario in the folder.
        progress : bool
            Tell on the standard error how far the run is.
        watch : Watch, optional
            Who is told instead, and can stop the run.

        Returns
        -------
        Result

        Raises
        ------
        ScenarioError
            If a file of the scenario does not fit.
        RunError
            If the folder holds another result, or a study has nothing to compare.
        StoreReadError, StoreWriteError
            If a file of the folder cannot be read or written.
        Interrupted
            If the watch asked to stop.
        """
        from ..run.run import RunOptions, run_in_memory, run_scenario
        from .progress import Progress
        from .result import Result

        with Progress(quiet=not progress) as own:
            told = own if watch is None else watch
            if out is False:
                return Result(*run_in_memory(self.loaded, threads, told), loaded=self.loaded)
            folder = None if out is True else Path(out)
            loaded = self.loaded if folder is None else self._kept_in(folder)
            finished = run_scenario(loaded, RunOptions(folder, threads, force), told)
        return Result.of_folder(finished, loaded)

    def chip(self, instance: int | None = None, threads: int | None = None) -> Chip | AnyCircuitChip:
        """Return the chip of the scenario, to be measured by hand; see `substrate.protocol.Bench`.

        Parameters
        ----------
        instance : int, optional
            Number of the fabricated chip; absent: that of the scenario.
        threads : int, optional
            Threads that share a batch.
        """
        return self._setup().chip(instance, threads=threads)

    def identify(
        self,
        reads: int = 20,
        instance: int | None = None,
        *,
        bench: SettlingBench | None = None,
        file: str | Path | None = None,
        programmed: Mapping[str, Any] | None = None,
    ) -> FittedDevice:
        """Return the spreads of a running chip, from free reads alone.

        Spreads of forward and feedback cells, of offsets, and the noise of a read, by maximum likelihood: the chip, or
        that on the board of the scenario, is clamped to the first training samples, settles freely and is read once
        each; nothing is nudged.

        Parameters
        ----------
        reads : int
            Samples that are read.
        instance : int, optional
            Number of the fabricated chip; absent: that of the scenario.
        bench : SettlingBench, optional
            A chip to be read in place of the one of the scenario.
        file : str or Path, optional
            npz or HDF5 file of activities that were read, by layer (samples, units), in place of a chip; it may hold
            programmed weights by block, too.
        programmed : mapping of block to array, optional
            What is programmed into the chip, ``weight/in-l1`` (pre, post), ``bias/l1`` and so on; absent: the first
            parameters of the scenario.

        Raises
        ------
        ScenarioError
            If a file of the scenario does not fit.
        FitError
            If nothing can be identified; the text says why.
        RunError
            If the board of the scenario does not answer.
        """
        from ..fitting.running_chip import identify_chip
        from .fitted import FittedDevice

        setup, given = self._setup(), None if file is None else Path(file)
        on_board = bench is None and file is None and getattr(setup.scenario, "hardware", None) is not None
        with self.board() if on_board else nullcontext(bench) as used:
            found = identify_chip(setup, used, reads, instance, given, programmed or {})
        return FittedDevice(found, f"own measurement of {self.name}", "nudgelab identify, maximum likelihood")

    @contextmanager
    def board(self) -> Iterator[HardwareBench]:
        """Yield the bench of the board of the scenario, to be measured by hand; leave chip and port at the end.

        Raises
        ------
        ScenarioError
            If a file of the scenario does not fit.
        RunError
            If the scenario has no board, its port cannot be opened, or the board refuses or does not answer.
        """
        from substrate.hardware.board import BoardError, TransferError

        from ..boards.connect import connect_board
        from ..build import Setup
        from ..experiments.kind import RunError

        setup = self._setup()
        if not isinstance(setup, Setup):
            raise RunError("network.law: boards have rate networks, no circuits")
        try:
            with connect_board(setup) as board:
                yield board.bench
        except (BoardError, TransferError) as error:
            raise RunError(str(error)) from error

    def export(self, out: str | Path | None = None, *, sample: int = 0, device_models: bool = False) -> dict[str, str]:
        """Return the circuit as decks of SPICE: free, and at every nudge or clamp that a measurement settles at.

        Parameters
        ----------
        out : str or Path, optional
            Folder into which the decks are written; absent: none.
        sample : int
            Number of the training sample, from 0.
        device_models : bool
            Write exponential diodes as D cards with models. Their law in reverse is that of the simulator, and node
            voltages differ by some 1e-8 V.

        Returns
        -------
        dict of str to str
            The decks by file name, `free.cir` first.

        Raises
        ------
        ScenarioError
            If a file of the scenario does not fit.
        RunError
            If the scenario describes no circuit, there is no such sample, or something has no form in SPICE.
        StoreWriteError
            If a file cannot be written.
        """
        from ..circuits.export import write_sample_decks
        from ..circuits.setup import CircuitSetup
        from ..experiments.kind import RunError
        from ..results.disk import convert_write_errors, write_file

        setup = self._setup()
        if not isinstance(setup, CircuitSetup):
            raise RunError('network.law: rate networks have no netlist; those of circuits, "resistive", have one')
        try:
            decks = write_sample_decks(setup, sample, device_models)
        except ValueError as error:
            raise RunError(str(error)) from error
        if out is not None:
            folder = Path(out)
            with convert_write_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
            for name, text in decks.items():
                write_file(folder / name, text.encode())
        return decks

    @property
    def data(self) -> Any:
        """Data of the task: ``x``, ``y``, ``x_test``, ``y_test``, samples first."""
        return self._setup().data

    def to_toml(self) -> str:
        """Return the scenario with every default filled in, as TOML."""
        return self.loaded.spec.to_toml()

    def __repr__(self) -> str:
        """Return the name and the kind of experiment."""
        return f"<Scenario {self.name!r}: {self.loaded.spec.experiment.kind}>"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<b>{escape(self.name)}</b><pre>{escape(self.show())}</pre>"

    def _setup(self) -> AnySetup:
        from ..build import make_any_setup

        return make_any_setup(self.loaded)

    def _keep_arrays(self, folder: Path) -> dict[str, str]:
        """Write the arrays that were given in memory into a folder; return the edits that name the files."""
        import numpy as np

        folder.mkdir(parents=True, exist_ok=True)
        for key, arrays in self._arrays.items():
            np.savez(folder / f"{key}.npz", **arrays)
        return {key: str((folder / f"{key}.npz").resolve()) for key in self._arrays}

    def _kept_in(self, folder: Path) -> LoadedScenario:
        """Return the scenario with its arrays kept beside its result."""
        if not self._arrays:
            return self.loaded
        return self._read_with_arrays(self._keep_arrays(folder))

    def _read_with_arrays(self, kept: dict[str, str]) -> LoadedScenario:
        """Return the scenario whose arrays are in the files that `kept` names; they are part of what was given."""
        loaded = read_scenario(self._source, [*_list_edits(kept), *_list_edits(self._edits)])
        own = {key: value for key, value in loaded.edits.items() if key not in kept or kept[key] != value}
        return loaded._replace(edits=own)


def _list_edits(edits: Edits) -> list[Any]:
    return list(edits.items()) if isinstance(edits, Mapping) else list(edits)
