"""What a measurement of gradients costs."""

from __future__ import annotations

from learning.oracle.goal import count_goal_points
from learning.oracle.ledger.pairs import count_pair_chips
from learning.oracle.ledger.remedies import REMEDIES, GradientSetting
from learning.rules.dyadic import Dyadic
from learning.schemes.scheme import Scheme
from learning.schemes.unnudged import Unnudged
from substrate.chip.causes import list_causes
from substrate.chip.randomness import has_random_measurements, has_random_writes
from substrate.network.topology import Topology

from ...data.datasets import Outline
from ...schema.plan import RepeatedMeasurement
from ...schema.scenario import ScenarioSpec
from ..counts import SampleCounts, count_remedies
from ..estimate import CostEstimate
from ..rates import (
    COMPLEX,
    NOISE,
    PRODUCTS,
    READOUT,
    WRITTEN,
    TimedChip,
    estimate_exact_time,
    estimate_response_time,
)
from .plan import Measure


class MeasureEstimate(CostEstimate[Measure]):
    """What a measurement of gradients costs."""

    def count(self, plan: Measure, scenario: ScenarioSpec, outline: Outline, topology: Topology) -> SampleCounts:
        """Return the samples and estimates."""
        schemes, samples, repeats = scenario.tried(), min(plan.samples, outline.samples), scenario.repeats(plan)
        again = samples * count_remedies(scenario, topology)
        kept, copies = repeats * len(schemes), len(schemes) + 2
        return SampleCounts(samples * repeats, 0, samples, schemes, kept, again, copies=copies)

    def times(self, plan: Measure, chip: TimedChip, counts: SampleCounts) -> dict[str, float]:
        """Return the seconds by part."""
        return estimate_measure_times(chip, chip.scenario.tried(), counts.rows, plan, plan.interactions)


ESTIMATE = MeasureEstimate()


def estimate_measure_times(
    chip: TimedChip, schemes: list[Scheme], samples: int, plan: RepeatedMeasurement, together: bool = False
) -> dict[str, float]:
    """Return the parts of one measurement of gradients and its ledger."""
    design, repeats = chip.design, chip.scenario.repeats(plan)
    random = has_random_measurements(design.devices) or chip.scenario.learning.rule.draws
    one = chip.run(schemes, samples)
    quiet = chip.without(*NOISE)
    ideal = quiet.without(*READOUT)
    double = ideal.precisely()
    references = [chip.complete(), chip.complete()]
    whole = [_complete_probes(scheme, chip.topology.units) for scheme in schemes]
    references += [quiet] if random else []
    references += [ideal] if ideal.design != quiet.design else []
    references += [double] if double.design != ideal.design else []
    found = {
        "settling": one * (repeats if random else 1),
        "reference runs": sum(other.run(whole, samples) for other in references),
        "exact gradients": 2.0 * estimate_exact_time(ideal, samples),
        "goals": _estimate_goal_time(chip, schemes, samples),
        "writes": len(schemes) * _estimate_connection_time(chip, samples, repeats),
        "remedies": _estimate_remedy_time(chip, schemes, samples),
    }
    return found | ({"interactions": _estimate_interaction_time(chip, schemes, samples, repeats)} if together else {})


def _estimate_goal_time(chip: TimedChip, schemes: list[Scheme], samples: int) -> float:
    """Return the seconds in which the goals of all schemes are integrated; a complex nudge takes several times more."""
    learning = chip.scenario.learning
    if isinstance(learning.rule, Dyadic) or not learning.rule.takes_scheme or learning.correction != "none":
        return 0.0
    counts = [count_goal_points(scheme.nodes()) for scheme in schemes]
    points = sum(real + COMPLEX * complex_ones for real, complex_ones in counts)
    return points * samples * estimate_response_time(chip)


def _complete_probes(scheme: Scheme, units: int) -> Scheme:
    """Return the scheme with a complete set of probes where there are any."""
    if not isinstance(scheme, Unnudged) or not scheme.settlings:
        return scheme
    return scheme.model_copy(update={"settlings": 2 << max(0, units - 1).bit_length()})


def _estimate_connection_time(chip: TimedChip, samples: int, repeats: int) -> float:
    """Return the seconds of the ledger of connections: products of the factors, and writes that are tried."""
    size, design = chip.topology.size, chip.design
    requests = repeats if has_random_measurements(design.devices) else 1
    tried = (repeats if has_random_writes(design.devices) else requests) if chip.stores else 0
    return (requests + 6) * 2.0 * samples * size / PRODUCTS["double"] + tried * (chip.made() + WRITTEN * size)


def _estimate_remedy_time(chip: TimedChip, schemes: list[Scheme], samples: int) -> float:
    """Return the seconds to try what would help, against the cause and under the scheme that cost most."""
    most = 0.0
    for scheme in schemes:
        before, by_term = GradientSetting(chip.design, scheme), dict[str, float]()
        for remedy in REMEDIES.values():
            after = remedy.change(before)
            if after == before:
                continue
            better = chip._replace(design=after.design)
            taken = (
                better.made()
                + better.run([after.scheme], samples)
                + estimate_exact_time(better.without(*NOISE), samples)
            )
            by_term[remedy.terms[0]] = by_term.get(remedy.terms[0], 0.0) + taken
        most = max(most, *by_term.values(), 0.0)
    return most


def _estimate_interaction_time(chip: TimedChip, schemes: list[Scheme], samples: int, repeats: int) -> float:
    """Return the seconds of every cause alone, of the chip without it, and of pairs of causes."""
    names = list_causes(chip.design)
    chips = [chip.without(*names), chip]
    for name in names:
        chips += [chip.without(*(other for other in names if other != name)), chip.without(name)]
    total = 0.0
    for one in chips:
        times = repeats if has_random_measurements(one.design.devices) else 1
        total += one.made() + times * one.run(schemes, samples) + estimate_exact_time(one.without(*NOISE), samples)
    # Of pairs it is not known which: of two causes some have noise and some have not.
    return total * (1.0 + count_pair_chips(len(names)) / len(chips))
