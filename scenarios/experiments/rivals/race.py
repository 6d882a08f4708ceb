"""Train chips by rule after rule, at place after place of the map, and survive being stopped at any moment."""

from __future__ import annotations

import time
from itertools import product
from typing import NamedTuple

from ...build import Setup
from ...results.store import StoreWriteError
from ..kind import ExperimentWork
from ..watch import Interrupted
from .checkpoint import RaceLog, read_race, write_race
from .estimate import weigh_rivals
from .plan import CompareRivals
from .run import RivalRace, list_places

_SCALE = 1000
"""Parts of the usual training that are told of as done."""


class Training(NamedTuple):
    """One training of the comparison."""

    place: int
    rival: int
    chip: int
    """Of those that are compared; of a pilot the number of the rate that it tries."""

    pilot: bool
    weight: float
    """How long it takes, over the mean of all."""


class _Clock:
    """Tells how far the comparison is, keeps checkpoints, and ends it where that is asked."""

    def __init__(self, work: ExperimentWork[CompareRivals], log: RaceLog, trainings: list[Training]) -> None:
        self._watch, self._kept, self._log = work.watch, work.setting.kept, log
        self._saved, self._every = time.monotonic(), work.plan.checkpoint_seconds
        self._total = sum(training.weight for training in trainings)
        self._before, self._weight, self._text = 0.0, 0.0, ""

    def begin(self, training: Training, text: str) -> None:
        """Tell that a training begins."""
        self._before, self._weight, self._text = self._before + self._weight, training.weight, text
        self.tell(0.0)

    def tell(self, share: float) -> None:
        """Tell which share of the training is done; leave with a checkpoint if the watch asks to stop."""
        if self._watch.stopped():
            write_race(self._kept, self._log)
            raise Interrupted(f"stopped after {len(self._log.entries)} trainings: the same command goes on from here")
        done = self._before + self._weight * min(share, 1.0)
        self._watch.advance(round(_SCALE * done), round(_SCALE * self._total), self._text)

    def keep(self) -> None:
        """Keep a checkpoint if the last one is old enough."""
        if time.monotonic() - self._saved <= self._every:
            return
        try:
            write_race(self._kept, self._log)
        except StoreWriteError as error:
            self._watch.say(f"the comparison goes on without a new checkpoint: {error}")
        self._saved = time.monotonic()


def race(work: ExperimentWork[CompareRivals]) -> RaceLog:
    """Do all trainings of a comparison, but for those that a checkpoint has; return what they reached.

    Raises
    ------
    Interrupted
        When the watch asked to stop; the checkpoint has every training that is finished.
    StoreWriteError
        When the watch asked to stop and no checkpoint can be written.
    """
    saved, plan, setup = work.setting.saved, work.plan, work.setup
    log = RaceLog(work.setting.identity) if saved is None else read_race(saved)
    if saved is not None:
        work.watch.say(f"going on after {len(log.entries)} trainings")
    trainings = list_trainings(setup, plan)
    left = [t for t in trainings if (t.place, t.rival, t.chip) not in (log.pilots if t.pilot else log.entries)]
    clock = _Clock(work, log, left)
    one, places = RivalRace(setup, plan, work.setting.threads, log, clock.tell), list_places(plan, setup)
    first = setup.fabrication.instance
    for p, r, c, pilot, weight in left:
        rival = plan.rivals[r]
        clock.begin(Training(p, r, c, pilot, weight), f"{rival.label}, {_describe_training(plan, first, c, pilot)}")
        if pilot:
            tried = rival.model_copy(update={"rate": (plan.rates or [])[c]})
            log.pilots[p, r, c] = one.run(places[p], tried, first + plan.chips, pilot=True)
        else:
            paced = one.choose_rate(rival, [entry for key, entry in log.pilots.items() if key[:2] == (p, r)])
            log.entries[p, r, c] = one.run(places[p], paced, first + c)
        clock.keep()
    return log


def list_trainings(setup: Setup, plan: CompareRivals) -> list[Training]:
    """Return all trainings in their order: those that try the rates of a rival come before those on its chips."""
    weights, found = weigh_rivals(plan, setup), list[Training]()
    for p, (r, rival) in product(range(len(list_places(plan, setup))), enumerate(plan.rivals)):
        tried = range(len(plan.rates or []) if rival.is_tried else 0)
        found += [Training(p, r, k, True, weights[r]) for k in tried]
        found += [Training(p, r, c, False, weights[r]) for c in range(plan.chips)]
    return found


def _describe_training(plan: CompareRivals, first: int, number: int, pilot: bool) -> str:
    return f"rate {(plan.rates or [])[number]:g}" if pilot else f"chip {first + number}"
