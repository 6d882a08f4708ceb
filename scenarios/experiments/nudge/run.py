"""The experiment that finds the best nudge of one chip."""

from __future__ import annotations

from learning.oracle.best_nudge import compare_schemes
from learning.schemes.scheme import Scheme
from substrate.chip.chip import Chip

from ...results.store import Group
from ..kind import Batch
from ..watch import Watch
from .plan import StudyNudges
from .tables import make_nudge_group


def study_nudges(chip: Chip, batch: Batch, plan: StudyNudges, schemes: list[Scheme], watch: Watch) -> dict[str, Group]:
    """Return the group ``nudge``: bias, variance and error of every scheme at one budget.

    Parameters
    ----------
    chip : Chip
        With its noise.
    batch : Batch
        The samples, of which the first are taken.
    plan : StudyNudges
        Samples, repeats and budget, times in tau.
    schemes : list of Scheme
        What to compare.
    watch : Watch
        Is told before every scheme.

    Raises
    ------
    StudyError
        If no sample settles, or the budget does not pay one estimate.
    """

    def tell(place: int, scheme: Scheme) -> None:
        watch.advance(place, len(schemes), scheme.label)

    x, target = batch.x[: plan.samples], batch.target[: plan.samples]
    return {"nudge": make_nudge_group(compare_schemes(chip, x, target, schemes, plan.repeats, plan.budget, tell))}
