"""Fitted devices as objects: they show themselves, and write presets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devices.hardware import Devices

from ..drawing.sheet import Sheet
from ..fitting.fitted import FitResult, FittedValue, format_curve, write_preset_text
from ..report.terminal import format_sheet, wrap_text
from ..results.disk import write_file

_WIDTH = 100


class FittedDevice:
    """Values of a device with their intervals, out of measurements.

    Attributes
    ----------
    values : dict of str to FittedValue
        By table and key, such as ``update.step``: `value`, `unit`, `low`, `high` (90 %) and `n`.
    alternatives : list of (str, float)
        Laws, and how much worse each is by Akaike's information criterion; 0 for the one that was chosen.
    notes : list of str
        What was left out, and what cannot be known.
    """

    def __init__(self, found: FitResult, paper: str, place: str) -> None:
        self._found, self._paper, self._place = found, paper, place
        self._stem = "NAME"  # of the tables beside a preset, until one is written
        tables = found.tables.items()
        self.values: dict[str, FittedValue] = {
            f"{name}.{key}": one for name, part in tables for key, one in part.items()
        }
        self.alternatives, self.notes = list(found.alternatives), list(found.notes)

    @property
    def n(self) -> int:
        """Numbers that were measured."""
        return max((one.n or 0 for one in self.values.values()), default=0)

    @property
    def devices(self) -> dict[str, Any]:
        """Keys of ``[devices]`` and their values, as `load` and `Scenario.set` take them; facts left out.

        Tables beside a preset are none of them.
        """
        tables = {table: part for table, part in self._found.tables.items() if table in Devices.model_fields}
        pairs = ((f"devices.{table}.{key}", one.value) for table, part in tables.items() for key, one in part.items())
        return {key: value for key, value in pairs if "{stem}" not in str(value)}

    @property
    def sheet(self) -> Sheet:
        """The values as a table."""
        rows = [[name, self._format_value(one), one.unit, *_format_ends(one)] for name, one in self.values.items()]
        title = f"{self._found.title}: {self._found.range}"
        return Sheet(title, ["", "value", "unit", "from", "to (90 %)"], rows, words=1)

    @property
    def lines(self) -> list[str]:
        """What stands below the table."""
        laws = [f"{name} {worse:+.1f}" for name, worse in self.alternatives if worse != 0.0]
        told = [f"other laws, by how much they are worse by Akaike's criterion: {', '.join(laws)}"] if laws else []
        return told + [note.replace("{stem}", self._stem) for note in self.notes]

    def _format_value(self, one: FittedValue) -> str:
        text = _format(one.value).replace("{stem}", self._stem)
        number = text.removesuffix(f" {one.unit}")
        return text if number == text else f"{float(number):.4g}"

    def to_toml(self) -> str:
        """Return the values as tables of ``[devices]`` for a scenario, each with its interval as a comment."""
        lines = []
        for table, part in self._found.tables.items():
            if table not in Devices.model_fields:  # facts, which no key takes
                continue
            lines += ["", f"[devices.{table}]"]
            for key, one in part.items():
                ends = f"  # {' to '.join(_format_ends(one))} (90 %)" if any(_format_ends(one)) else ""
                value = json.dumps(one.value).replace("{stem}", self._stem)
                lines.append(f"{key} = {value}{ends}")
        return "\n".join(lines[1:]) + "\n"

    def write_preset(self, path: str | Path) -> list[Path]:
        """Write a preset that a scenario beside it takes over, ``update = { preset = "my-device.toml" }``.

        Tables that a preset cannot hold, such as transfer curves, are written beside it.

        Returns
        -------
        list of Path
            The files that were written, the preset first.

        Raises
        ------
        StoreWriteError
            If a file cannot be written.
        """
        path = Path(path)
        self._stem = path.stem
        written = {path: write_preset_text(self._found, self._paper, self._place, path.stem)}
        for end, (names, values) in self._found.curves.items():
            written[path.with_name(f"{path.stem}-{end}.csv")] = format_curve(names, values)
        for place, text in written.items():
            write_file(place, text.encode())
        return list(written)

    def __repr__(self) -> str:
        """Return the table and what has to be known of it."""
        lines = [*wrap_text(self.sheet.title, _WIDTH), *format_sheet(self.sheet, _WIDTH)]
        return "\n".join([*lines, *(part for line in self.lines for part in wrap_text(line, _WIDTH))])

    def _repr_html_(self) -> str:
        from html import escape

        from ..drawing.sheet import render_sheet

        return render_sheet(self.sheet) + "".join(f"<p>{escape(line)}</p>" for line in self.lines)


def _format_ends(one: FittedValue) -> tuple[str, str]:
    """Return both ends of an interval; an end that is not known is open."""
    if one.low is None and one.high is None:
        return "", ""
    return _format(one.low) or "open", _format(one.high) or "open"


def _format(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_format(part)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(_format, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
