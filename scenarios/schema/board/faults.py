"""What cannot be done with a chip on a board: each thing at the key that can be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from substrate.hardware.loss import Loss
from substrate.hardware.sockets import find_port_fault
from substrate.ports import BOARD_PORTS, PORTS, Port

from ..devices import Found
from ..experiments import PLANS
from .keys import BOUNDS, MOCK, Hardware

if TYPE_CHECKING:
    from ..scenario import ScenarioSpec

CURES: dict[Port, str] = {
    "nudge": 'set phases.nudge = "held"',
    "cycle": "take a scheme of constant nudges, such as centred",
    "complex": "take real nudges: one-sided, centred or chebyshev",
    "adjoint": 'take learning.rule = "error-vector"',
    "drives": 'take kind = "closed-loop"',
    "dither": 'take learning.rule = "node-perturbation"',
    "cell-read": 'take learning.write = "accumulate"',
    "arrays": 'take learning.write = "accumulate"',
    "correction": 'take learning.rule = "error-vector", or a closed-loop homeostasis beside it',
    "model": 'take learning.rule = "error-vector" or "node-perturbation"',
    "weights": 'take kind = "closed-loop"',
}
"""What to use in place of what needs a port."""


def find_hardware_faults(scenario: ScenarioSpec) -> Found:
    """Return what a chip on a board cannot do of a scenario; nothing for a simulated chip."""
    board = scenario.hardware
    if board is None:
        return []
    return [
        *_find_kind_faults(scenario, board),
        *_find_port_faults(scenario),
        *_find_board_faults(board, scenario.network.activation),
        *_find_kernel_faults(scenario),
    ]


def _find_kind_faults(scenario: ScenarioSpec, board: Hardware) -> Found:
    experiment = scenario.experiment
    found: Found = []
    if experiment.simulated is None:
        words = f"{experiment.kind} looks into a simulated chip, and a board shows reads alone"
        kinds = " or ".join(name for name, plan in PLANS.items() if plan.simulated is not None)
        return [(("experiment", "kind"), words, f"take kind = {kinds}, or leave [hardware] out")]
    for key in sorted(experiment.simulated):
        if getattr(experiment, key):
            words = "needs a simulated chip: on a board nobody knows the exact gradient or sees a settling curve"
            found.append((("experiment", key), words, "leave it out; a twin of the chip has it"))
    if scenario.sweep is not None:
        found.append((("sweep",), "points of a sweep are simulated, and there is one board", "leave it out"))
    if scenario.learning.searches:
        words = 'beta = "auto" is found on a simulated chip'
        found.append((("learning",), words, "find it on a twin of the chip, and give the number"))
    if not experiment.compares_gradients and board.probes:
        found.append((("hardware", "probes"), "changes nothing: a training compares nothing", 'take kind = "measure"'))
    if not experiment.resumes and board.begin == "erased":
        words = "changes nothing: a measurement takes the cells as they are"
        found.append((("hardware", "begin"), words, 'take kind = "train"'))
    return found


def _find_port_faults(scenario: ScenarioSpec) -> Found:
    """Return what needs a port that boards lack."""
    learning, needs = scenario.learning, list[tuple[tuple[str | int, ...], str, frozenset[Port]]]()
    one = learning.scheme is not None
    for k, scheme in enumerate(learning.given_schemes() if learning.rule.needs_scheme else []):
        place = ("learning", "scheme") if one else ("learning", "schemes", k)
        needs.append((place, scheme.kind, scheme.needs - {"nudge"}))
    needs.append((("learning", "rule"), learning.rule.kind, learning.rule.needs))
    if learning.rule.needs_scheme and not learning.rule.injects and scenario.phases.nudge == "continuous":
        needs.append((("phases", "nudge"), "a nudge that is not held", frozenset({"nudge"})))
    if learning.homeostasis is not None:
        needs.append((("learning", "homeostasis"), learning.homeostasis.kind, learning.homeostasis.needs))
    needs.append((("learning", "write"), learning.write.kind, learning.write.needs))
    return [
        (place, f"{who} needs {PORTS[port]}, which a board does not have", CURES[port])
        for place, who, ports in needs
        for port in sorted(ports - BOARD_PORTS)
    ]


def _find_board_faults(board: Hardware, activation: object) -> Found:
    found: Found = []
    if fault := find_port_fault(board.port):
        found.append((("hardware", "port"), fault, 'give "/dev/ttyUSB0", "socket://HOST:PORT" or "mock"'))
    if board.port != MOCK and board.loss != Loss():
        words = f"changes nothing: it befalls lines to a mock board, and the port is {board.port}"
        found.append((("hardware", "loss"), words, 'take port = "mock"'))
    if board.port == MOCK and board.adc is None and not (isinstance(activation, str) and activation in BOUNDS):
        words = "is needed for a mock board: this activation has no range of its own"
        found.append((("hardware", "adc"), words, "add adc = { scale = 1e-4 }: activity per code"))
    if not board.probes and board.probe_size != Hardware.model_fields["probe_size"].default:
        found.append((("hardware", "probe_size"), "changes nothing: there are no probes", "give hardware.probes"))
    return found


def _find_kernel_faults(scenario: ScenarioSpec) -> Found:
    found: Found = []
    for k, path in enumerate(scenario.network.connections):
        if not isinstance(path, str):
            words = "a board has dense connections: its controller knows no kernels"
            found.append((("network", "connections", k), words, 'write it as text, such as "in-l1"'))
    return found
