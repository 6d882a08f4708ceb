"""Every name that a notebook, a script or the command line calls, and where it is; each is loaded when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devices.block import DeviceBlock as DeviceBlock
    from devices.programming.own import WriteLaw as WriteLaw
    from learning.policies.policy import WritePolicy as WritePolicy
    from learning.rules.error_vector import ErrorVector as ErrorVector
    from learning.rules.rule import LearningRule as LearningRule
    from learning.schemes.scheme import Node as Node
    from learning.schemes.scheme import Scheme as Scheme
    from substrate.engine.door import explain_unkept as explain_unkept
    from substrate.engine.door import is_compiling as is_compiling

    from .experiments.kind import RunError as RunError
    from .experiments.watch import Interrupted as Interrupted
    from .extensions import register as register
    from .extensions import register_activation as register_activation
    from .fitting.fitted import FitError as FitError
    from .front.compare import Comparison as Comparison
    from .front.figures import draw as draw
    from .front.figures import register_figure as register_figure
    from .front.fitted import FittedDevice as FittedDevice
    from .front.measured import fit as fit
    from .front.measured import identify as identify
    from .front.progress import Progress as Progress
    from .front.result import Result as Result
    from .front.result import SweepResult as SweepResult
    from .front.result import open as open
    from .front.scenario import Scenario as Scenario
    from .front.scenario import load as load
    from .front.sweep import Sweep as Sweep
    from .front.sweep import merge as merge
    from .front.sweep import sweep as sweep
    from .front.tools import catalogue as catalogue
    from .front.tools import compare as compare
    from .front.tools import describe_machine as describe_machine
    from .front.tools import export_schema as export_schema
    from .front.tools import list_presets as list_presets
    from .front.tools import report as report
    from .front.tools import serve_board as serve_board
    from .language.completion import complete_key as complete_key
    from .language.faults import ScenarioError as ScenarioError
    from .language.files import RefusalError as RefusalError
    from .language.load import make_change_edits as make_change_edits
    from .language.migrate import migrate_file as migrate_file
    from .language.migrate import write_migrated as write_migrated
    from .language.places import PRESETS as PRESETS
    from .language.places import read_title as read_title
    from .language.starter import StarterError as StarterError
    from .language.starter import write_starter as write_starter
    from .report.summary import format_open_lines as format_open_lines
    from .report.summary import print_paragraph as print_paragraph
    from .report.summary import print_sheet as print_sheet
    from .report.summary import print_summary as print_summary
    from .report.terminal import find_error_width as find_error_width
    from .report.terminal import wrap_lines as wrap_lines
    from .report.terminal import wrap_text as wrap_text
    from .results.disk import StoreError as StoreError
    from .results.disk import StoreReadError as StoreReadError
    from .results.disk import StoreWriteError as StoreWriteError
    from .suspicions import convert_to_table as convert_to_table
    from .suspicions import format_suspicion as format_suspicion
    from .sweeps.engine import SweepStage as SweepStage
    from .sweeps.engines import choose_engine as choose_engine
    from .sweeps.sweep import STOPPED as STOPPED

PUBLIC = {
    "load": "front.scenario",
    "open": "front.result",
    "sweep": "front.sweep",
    "merge": "front.sweep",
    "compare": "front.tools",
    "report": "front.tools",
    "fit": "front.measured",
    "identify": "front.measured",
    "catalogue": "front.tools",
    "list_presets": "front.tools",
    "draw": "front.figures",
    "register_figure": "front.figures",
    "register": "extensions",
    "register_activation": "extensions",
    "Scheme": "..learning.schemes.scheme",
    "Node": "..learning.schemes.scheme",
    "LearningRule": "..learning.rules.rule",
    "WritePolicy": "..learning.policies.policy",
    "ErrorVector": "..learning.rules.error_vector",
    "DeviceBlock": "..devices.block",
    "WriteLaw": "..devices.programming.own",
    "Scenario": "front.scenario",
    "Sweep": "front.sweep",
    "Result": "front.result",
    "SweepResult": "front.result",
    "ScenarioError": "language.faults",
    "RunError": "experiments.kind",
    "FitError": "fitting.fitted",
    "FittedDevice": "front.fitted",
    "StoreError": "results.disk",
}
"""The front door: name and module of everything that `import nudgelab` gives."""

_MORE = {
    "Comparison": "front.compare",
    "Interrupted": "experiments.watch",
    "Progress": "front.progress",
    "STOPPED": "sweeps.sweep",
    "SweepStage": "sweeps.engine",
    "StarterError": "language.starter",
    "StoreReadError": "results.disk",
    "StoreWriteError": "results.disk",
    "convert_to_table": "suspicions",
    "is_compiling": "..substrate.engine.door",
    "describe_machine": "front.tools",
    "choose_engine": "sweeps.engines",
    "format_open_lines": "report.summary",
    "print_paragraph": "report.summary",
    "print_sheet": "report.summary",
    "export_schema": "front.tools",
    "complete_key": "language.completion",
    "read_title": "language.places",
    "PRESETS": "language.places",
    "RefusalError": "language.files",
    "migrate_file": "language.migrate",
    "write_migrated": "language.migrate",
    "make_change_edits": "language.load",
    "print_summary": "report.summary",
    "serve_board": "front.tools",
    "format_suspicion": "suspicions",
    "explain_unkept": "..substrate.engine.door",
    "find_error_width": "report.terminal",
    "wrap_lines": "report.terminal",
    "wrap_text": "report.terminal",
    "write_starter": "language.starter",
}
"""What the command line needs beside."""


def __getattr__(name: str) -> object:
    """Return a name; load what it needs."""
    place = (PUBLIC | _MORE).get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = place.removeprefix("..") if place.startswith("..") else f"{__package__}.{place}"
    return getattr(import_module(module), name)
