"""Equilibrium mode: find the rest point of every sample without following time.

Far cheaper than a trajectory, but where several rest points exist it may find another one than the
machine would, even one the machine could not stay in. An audit counts how often.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from devices.random import Stream

from ..dynamics.machine import Drive, Machine
from ..dynamics.methods import MOST_STEPS, Phase
from ..engine.door import load_engine
from ..engine.protocol import Relaxation
from ..protocol import State, has_settled
from .completion import follow_with_retries

LONGER = 100
"""A trajectory that is followed to its rest may take so many times as many steps as sweeps are allowed."""

ELSEWHERE = 1e-3
"""Two rest points further apart than this (largest unit, state units) are not the same one."""


class Audit(NamedTuple):
    """What following the trajectory of some samples showed."""

    checked: int = 0
    elsewhere: int = 0
    """Came to rest at another point than the sweeps found."""

    restless: int = 0
    """Did not come to rest within `LONGER` times as many time steps as sweeps are allowed."""

    def plus(self, other: Audit) -> Audit:
        """Return the sum of two audits."""
        return Audit(*(a + b for a, b in zip(self, other, strict=True)))


class RestSearch(NamedTuple):
    """What a search found."""

    relaxed: Relaxation
    audit: Audit


def settle_by_sweeps(machine: Machine, drive: Drive, start: State, phase: Phase) -> RestSearch:
    """Find the rest point of every sample of a batch.

    Parameters
    ----------
    machine : Machine
        The chip; time constants do not matter.
    drive : Drive
        Inputs, nudge and targets; a complex nudge makes the state complex.
    start : array (batch, units)
        Where to start from.
    phase : Phase
        Tolerance, and how many sweeps at most.
    """
    relaxed = load_engine(machine.dynamics).rest(machine, drive, start, phase)
    return RestSearch(relaxed, _audit_rest_points(machine, drive, start[:, : relaxed.state.shape[1]], phase, relaxed))


def _audit_rest_points(machine: Machine, drive: Drive, start: State, phase: Phase, found: Relaxation) -> Audit:
    """Follow the trajectories of some settled samples and compare."""
    count = min(machine.dynamics.audit, len(start))
    if count == 0:
        return Audit()
    seed, instance, name = drive.names
    order = np.argsort(Stream(seed, f"audit/{name}", instance).uniform((len(start),)))[:count]
    limit = phase.model_copy(update={"max_steps": min(MOST_STEPS, LONGER * phase.max_steps)})
    followed = follow_with_retries(machine, drive.only(order), start[order], limit)
    distance = np.abs(followed.state - found.state[order]).max(axis=1)
    rested = has_settled(followed.settled.status) & has_settled(found.settled.status[order])
    return Audit(count, int(np.sum(rested & (distance > ELSEWHERE))), int(np.sum(~rested)))
