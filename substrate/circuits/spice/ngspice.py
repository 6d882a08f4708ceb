"""ngspice, where it is installed, as a judge of circuits: it runs a deck, and what it found is read.

Nothing else needs it. A deck of others may ask ngspice for more than a simulation, such as commands of the shell
between ``.control`` and ``.endc``: run decks of this project, or those that you trust.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from ..circuit import Array, CircuitGraph
from ..system import CircuitDrive
from .deck import DeckTimes, name_nodes, write_deck

PROGRAM = "ngspice"

FAILURES = ("singular matrix", "aborted", "timestep too small", "fatal error")
"""Words in the report of ngspice, which ends with the code of success all the same, that tell of a failure."""


def find_ngspice() -> str | None:
    """Return the path of the program; None: it is not installed."""
    return shutil.which(PROGRAM)


def run_deck(deck: str, timeout: float = 60.0) -> dict[str, Array]:
    """Run a deck; return all quantities at all points by their names, such as ``v(out)`` and ``time``.

    Parameters
    ----------
    deck : str
        With one analysis, ``.op`` or ``.tran``.
    timeout : float
        In seconds.

    Raises
    ------
    RuntimeError
        If ngspice is not installed, found no solution or took longer.
    """
    program = find_ngspice()
    if program is None:
        raise RuntimeError("ngspice is not installed; Debian and Ubuntu have it as the package ngspice")
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--no-spiceinit", "--batch", "--rawfile=points.raw", "deck.cir"]
        Path(folder, "deck.cir").write_text(deck, encoding="utf-8")
        try:
            ended = subprocess.run(  # noqa: S603  (the program that the path names; no shell)
                command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"ngspice did not end within {timeout:g} s") from None
        report, points = ended.stdout + ended.stderr, Path(folder, "points.raw")
        said = [line for line in report.splitlines() if any(word in line.lower() for word in FAILURES)]
        if ended.returncode or said or not points.exists():
            raise RuntimeError(f"ngspice found no solution: {' '.join(said or report.split()[-40:])}")
        return read_points(points.read_bytes())


def read_points(content: bytes) -> dict[str, Array]:
    """Return the quantities of one analysis from a binary raw file of ngspice, (points,) each.

    Raises
    ------
    ValueError
        If it is none, or is cut off.
    """
    head, mark, rest = content.partition(b"Binary:\n")
    fields, _, table = head.decode("utf-8", "replace").partition("\nVariables:")
    found = dict(line.split(":", 1) for line in fields.splitlines() if ":" in line)
    names = [line.split()[1] for line in table.splitlines() if line.strip()]
    count = int(found.get("No. Points", "0"))
    if not mark or found.get("Flags", "").strip() != "real" or len(rest) < 8 * count * len(names) or not count:
        raise ValueError("no binary raw file of ngspice with real numbers, or cut off")
    values = np.frombuffer(rest, "<f8", count * len(names)).reshape(count, len(names))
    return {name: values[:, k].astype(np.float64) for k, name in enumerate(names)}


def find_ngspice_rest(circuit: CircuitGraph, drive: CircuitDrive, timeout: float = 60.0) -> Array:
    """Return the voltages at which ngspice finds all nodes, (batch, nodes); one run a sample.

    Raises
    ------
    ValueError
        If something has no form in SPICE.
    RuntimeError
        If ngspice is not installed, found no solution or took longer.
    """
    rows = [drive.select(np.array([row])) for row in range(len(drive.held))]
    found = [_read_nodes(circuit, run_deck(write_deck(circuit, one), timeout)) for one in rows]
    return np.concatenate(found) if found else np.zeros((0, len(circuit.nodes)))


def follow_ngspice_transient(
    circuit: CircuitGraph, drive: CircuitDrive, times: DeckTimes, timeout: float = 60.0
) -> tuple[Array, Array]:
    """Return the times that ngspice chose, (times,), and the voltages of all nodes, (times, nodes), of one sample.

    Raises
    ------
    ValueError
        If something has no form in SPICE.
    RuntimeError
        If ngspice is not installed, found no solution or took longer.
    """
    found = run_deck(write_deck(circuit, drive, times=times), timeout)
    return found["time"], _read_nodes(circuit, found)


def _read_nodes(circuit: CircuitGraph, found: dict[str, Array]) -> Array:
    ground = np.zeros(len(next(iter(found.values()))))
    return np.stack([ground if name == "0" else found[f"v({name})"] for name in name_nodes(circuit)], axis=1)
