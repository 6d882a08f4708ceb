"""What the devices of a scenario need of each other and of the rest of it."""

from __future__ import annotations

from devices.hardware import Devices
from devices.interface.converter import SHAPED, NudgeCircuit
from devices.interface.hold import Hold
from devices.neuron.noise import Noise
from devices.programming.laws import Pulsed
from devices.quantities import get_magnitude
from devices.synapse.cell import CellKind, FeedbackDevices, WeightDevices, find_feedback_fault
from devices.synapse.wires import Wires
from substrate.dynamics.phases import Phases
from substrate.laws.law import LAWS
from substrate.units.physical import Physical, compute_sampling_noise, compute_thermal_noise

Found = list[tuple[tuple[str | int, ...], str, str]]
"""Place, message and hint of everything found."""


def find_cell_faults(weights: WeightDevices, feedback: FeedbackDevices, wires: Wires, angle: float) -> Found:
    """Return what is wrong with the cells of the weights.

    Parameters
    ----------
    weights, feedback, wires : WeightDevices, FeedbackDevices, Wires
        Cells, feedback cells and the lines of their arrays.
    angle : float
        Nominal asymmetry of initial weights, in degrees; 0 where a file gives them.
    """
    if fault := find_feedback_fault(weights, feedback):
        return [(("devices", "feedback"), fault, "leave the key out, or give it in the other table")]
    found: Found = []
    if get_magnitude(wires.segment) and "single" in {weights.cell, feedback.over(weights).cell}:
        words = "wires need conductances, which only pairs of devices have"
        found.append((("devices", "wires", "segment"), words, 'set devices.weights.cell = "pair"'))
    if get_magnitude(wires.segment) and (weights.measured or feedback.over(weights).measured):
        hint = "leave the wires out, or devices.weights.measured"
        found.append((("devices", "wires", "segment"), "measured weights hold what wires do to them", hint))
    if feedback.tied and angle != 0.0:
        hint = 'leave the angle out, or take devices.feedback.storage = "independent"'
        words = f"one number stands for both weights under storage = {feedback.storage!r}"
        found.append((("network", "asymmetry", "angle"), words, hint))
    return found


def find_hold_faults(hold: Hold, hold_time: float, physical: Physical | None) -> Found:
    """Return what would have no effect or no meaning in a hold."""
    found: Found = []
    if hold.leaks and (hold_time, hold.read_skew) == (0.0, 0.0):
        key = "droop" if hold.droop_tau is None else "droop_tau"
        found.append((("devices", "hold", key), "nothing is held", "give phases.hold_time"))
    if hold.capacitance is not None and (physical is None or physical.activity_volts is None):
        hint = 'add activity_volts = "1 V" to [physical], or give devices.hold.noise'
        found.append((("devices", "hold", "capacitance"), "its noise is in volts", hint))
    return found


def find_comparator_faults(devices: Devices) -> Found:
    """Return what a comparator does not know: how large a change is."""
    known = devices.comparator is None or devices.comparator.change is not None or isinstance(devices.update, Pulsed)
    hint = "give it, or a devices.update of whole pulses, whose step it is"
    return [] if known else [(("devices", "comparator", "change"), "is not given, and cells have no step", hint)]


def find_pair_faults(devices: Devices) -> Found:
    """Return what does not go with one-sided pairs: nothing says how both devices of a pair forget."""
    one = isinstance(devices.update, Pulsed) and devices.update.one_sided is not None
    hint = "leave out the leak and the drift, or devices.update.one_sided"
    found = (("devices", "retention"), "does not go with pairs of one-sided devices", hint)
    return [found] if one and devices.retention.on else []


def find_nudge_faults(circuit: NudgeCircuit, phases: Phases, real: bool) -> Found:
    """Return what a nudge circuit cannot do; `real`: whether all schemes have real nudges."""
    if not circuit.shapes or (phases.nudge == "held" and real):
        return []
    hint = "real nudges are one-sided, centred, chebyshev and random-sign; or leave these keys out"
    return [(("devices", "converters", "nudge"), SHAPED, hint)]


def find_range_faults(devices: Devices, physical: Physical | None) -> Found:
    """Return the windows that stand beside the largest weight of a cell."""
    if physical is None or physical.weight_range is None:
        return []
    given = [name for name in ("weights", "feedback") if getattr(devices, name).window is not None]
    words, hint = "physical.weight_range is a window, too: one way to say it", "leave one of the two out"
    return [(("devices", name, "window"), words, hint) for name in given]


def add_range(devices: Devices, physical: Physical | None) -> Devices:
    """Return the same devices with the largest weight of a cell as the window of all cells."""
    if physical is None or physical.weight_range is None:
        return devices
    most, own = physical.weight_range, devices.feedback.cell

    def reaching(cell: CellKind) -> dict[str, list[float]]:
        return {"window": [0.0 if cell == "pair" else -most, most]}

    weights = devices.weights.model_copy(update=reaching(devices.weights.cell))
    feedback = devices.feedback.model_copy(update=reaching(own)) if own else devices.feedback
    return devices.model_copy(update={"weights": weights, "feedback": feedback})


def find_thermal_faults(noise: Noise, physical: Physical | None, law: str) -> Found:
    """Return what is missing for the thermal noise of the membranes, and whether synapses fit the law of the units."""
    found: Found = []
    known = physical.resolved() if physical else Physical()
    missing = [name for name in ("volt_scale", "capacitance") if getattr(known, name) is None]
    if noise.thermal is True and missing:
        hint = "add them (capacitance may follow from tau and leak), or write the standard deviation as a number"
        found.append((("devices", "noise", "thermal"), f"needs [physical] {', '.join(missing)}", hint))
    if physical is not None and physical.synapse == "passive" and not LAWS[law].LOADED:
        words = "passive synapses load additive units only"
        found.append((("physical", "synapse"), words, 'take "transconductor", or network.law = "additive"'))
    return found


def add_thermal_noise(devices: Devices, physical: Physical | None) -> Devices:
    """Return the same devices with the noise of capacitances, of holds and membranes, as plain numbers."""
    if physical is None:
        return devices
    hold, noise = devices.hold, devices.noise
    if hold.capacitance is not None:
        hold = hold.model_copy(
            update={"noise": compute_sampling_noise(physical, hold.capacitance), "capacitance": None}
        )
    if noise.thermal is True:
        noise = noise.model_copy(update={"thermal": compute_thermal_noise(physical)})
    return devices.model_copy(update={"hold": hold, "noise": noise})
