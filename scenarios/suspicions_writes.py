"""What is valid and probably not meant in how cells are written."""

from __future__ import annotations

from collections.abc import Iterator

from devices.programming.laws import Pulsed
from learning.policies.policy import WritePolicy
from learning.policies.tiles import Tiles
from learning.policies.transfer import TransferWrites
from substrate.network.topology import Topology

from .language.faults import Finding
from .schema.scenario import ScenarioSpec


def find_write_suspicions(scenario: ScenarioSpec) -> Iterator[Finding]:
    """Yield what is suspicious about write policies, those that an experiment compares included.

    Parameters
    ----------
    scenario : ScenarioSpec
        In units of the model.
    """
    policies: list[tuple[tuple[str | int, ...], WritePolicy]] = [(("learning", "write"), scenario.learning.write)]
    policies += [(("experiment", "policies", k), one) for k, one in enumerate(scenario.experiment.compared_policies)]
    law = scenario.devices.update
    for place, policy in policies:
        if isinstance(policy, Tiles) and isinstance(law, Pulsed):
            yield from _find_gaps(place, policy, law)
        if isinstance(policy, TransferWrites) and isinstance(law, Pulsed):
            yield from _find_lost_requests(place, policy, law)
            yield from _find_short_turns(place, policy, law, scenario)


def _find_gaps(place: tuple[str | int, ...], policy: Tiles, law: Pulsed) -> Iterator[Finding]:
    top = getattr(law, "w_max", None)
    if top is not None and policy.gamma < (least := law.step / (2.0 * top)):
        words = (
            f"a full array is worth {policy.gamma * top / law.step:.2g} steps of the one before, less than half of one"
        )
        yield (*place, "gamma"), f"{words}: nothing is carried up, and weights stall", f"take at least {least:.3g}"


def _find_lost_requests(place: tuple[str | int, ...], policy: TransferWrites, law: Pulsed) -> Iterator[Finding]:
    if law.rounding == "nearest":
        words = f"requests below half a step, {law.step / 2.0 / policy.fast_rate:g}, never reach the fast array"
        yield (*place, "fast_rate"), words, 'take devices.update.rounding = "stochastic"'


def _find_short_turns(
    place: tuple[str | int, ...], policy: TransferWrites, law: Pulsed, scenario: ScenarioSpec
) -> Iterator[Finding]:
    top = getattr(law, "w_max", None)
    if policy.version not in ("chopped", "agad") or top is None:
        return
    topology = Topology(scenario.network.layers, scenario.network.connections)
    batches, rows = min((policy.count_turn_batches(c.kind.shape), c.kind.shape[0]) for c in topology.connections)
    follows = top / law.step / policy.fast_rate
    if batches < follows:
        share = f"{100.0 * policy.compute_turn_share(0.5 * batches / follows):.3g} %"
        words = (
            f"signs turn every {batches:.3g} batches where a block has {rows} rows, and fast cells take {follows:.3g} "
            f"to follow requests of a step: turns leave {share} of what is read"
        )
        yield (*place, "chop"), words, f"take at most {policy.chop * batches / follows:.2g}, or a larger fast_rate"
