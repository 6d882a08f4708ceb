"""Record settling curves."""

from __future__ import annotations

import numpy as np

from learning.schemes.scheme import Scheme, Swing
from substrate.chip.chip import Chip
from substrate.protocol import Nudge, SettlingResult, State, Status
from substrate.settling.recording import Recording

from ...results.store import Group, Variable
from ...schema.plan import Record
from ..kind import FIRST, Batch, NoiseNames


def record_settling(
    chip: Chip, batch: Batch, schemes: list[Scheme], record: Record, names: NoiseNames = FIRST
) -> dict[str, Group]:
    """Record the free settling, then every different constant nudge of the schemes, of the first samples.

    `names` are those of the noise.

    Returns
    -------
    dict
        Group ``settling``: membrane states over (phase, time, sample, unit), NaN after the end.
    """
    chip.set_input(batch.x[: record.samples], None, **names._asdict())
    target = batch.target[: record.samples]
    phases = {"free": None} | {_format_nudge(beta): Nudge(beta, target) for beta in _list_constant_nudges(schemes)}
    units = np.array([i for c in chip.topology.columns.values() for i in range(c.start, c.stop)[: record.units]])
    curves: list[State] = []
    ends: list[SettlingResult] = []
    for nudge in phases.values():
        kept = Recording(record.every_steps, units=units, limit=record.limit_mb * 2**20)
        ends.append(chip.settle(nudge, "free" if nudge else "zero", kept))
        phase = chip.design.dynamics.nudged if nudge else chip.design.dynamics.free
        # A fixed length that is no whole number of intervals ends between two of the times.
        between = phase.fixed and (len(kept.states) - 1) * record.every_steps > ends[-1].steps.max()
        curves.append(kept.states[:-1] if between else kept.states)
    longest = max(len(curve) for curve in curves)
    padded = np.full((len(curves), longest, *curves[0].shape[1:]), np.nan, dtype=np.result_type(*curves))
    for row, curve in zip(padded, curves, strict=True):
        row[: len(curve)] = curve
    distance = np.abs(padded - np.array([curve[-1] for curve in curves])[:, None]).max(axis=3)
    owner = [name for name in chip.topology.names for _ in range(chip.topology.layers[name])[: record.units]]
    dims = ("phase", "time", "sample", "unit")
    group: Group = {
        "phase": Variable(("phase",), np.array(list(phases)), long_name="settling"),
        "time": Variable(("time",), np.arange(longest) * record.every_steps * chip.design.dynamics.dt, "tau", "time"),
        "layer": Variable(("unit",), np.array(owner), long_name="layer of the unit"),
        "state": Variable(dims, padded.real.astype(np.float32), long_name="membrane state, real part"),
        "distance": Variable(dims[:3], distance, long_name="largest distance of a unit from the end of its settling"),
        **_make_endings_group(ends, chip.design.dynamics.dt),
    }
    if np.iscomplexobj(padded):
        group["state_imaginary"] = Variable(
            dims, padded.imag.astype(np.float32), long_name="membrane state, imaginary part"
        )
    return {"settling": group}


def _make_endings_group(ends: list[SettlingResult], dt: float) -> Group:
    """Return how every recorded settling ended and what it took; steps of dt tau."""
    dims, steps = ("phase", "sample"), np.array([end.steps for end in ends])
    status = np.array([end.status for end in ends])
    return {
        "status": Variable(dims, status, flags=Status, long_name="how the settling ended"),
        "steps": Variable(dims, steps, long_name="steps taken"),
        "duration": Variable(dims, steps * dt, "tau", "time the settling took"),
    }


def _list_constant_nudges(schemes: list[Scheme]) -> list[complex]:
    """Return the different nudges of all schemes that do not swing."""
    nodes = [node for s in schemes if not isinstance(s, Swing) for node in s.nodes()]
    return list(dict.fromkeys(node.beta for node in nodes if node.beta != 0.0))


def _format_nudge(beta: complex) -> str:
    """Return a nudge as text, without the rounding of a vanishing part."""
    z = complex(round(complex(beta).real, 12), round(complex(beta).imag, 12))
    return f"beta {z.real:+.6g}" if z.imag == 0.0 else f"beta {z:.6g}"
