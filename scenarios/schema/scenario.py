"""What a scenario file can say: the tables, composed from the parameter classes of the laws."""

from __future__ import annotations

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from devices.hardware import Devices
from devices.interface.energy import Energy
from devices.neuron import curves
from learning.rules.contrastive import Contrastive
from learning.rules.dyadic import Dyadic
from learning.rules.error_vector import ErrorVector
from learning.rules.rule import LearningRule
from learning.schemes.scheme import Scheme, Swing
from substrate.chip.randomness import has_conjugate_answers, has_random_measurements, has_random_writes
from substrate.dynamics.methods import Dynamics
from substrate.dynamics.phases import Phases
from substrate.units import conversion, times
from substrate.units.physical import Physical

from .board.faults import find_hardware_faults
from .board.keys import Hardware
from .devices import (
    Found,
    add_range,
    add_thermal_noise,
    find_cell_faults,
    find_comparator_faults,
    find_hold_faults,
    find_nudge_faults,
    find_pair_faults,
    find_range_faults,
    find_thermal_faults,
)
from .experiments import PLANS, Experiment
from .head import ScenarioHead, refuse_faults
from .homeostasis import find_homeostasis_faults
from .idle import find_idle_faults
from .learning import Learning, find_rule_faults, find_write_faults
from .network import Network, find_convolution_faults
from .nudges import find_search_faults, find_swing_faults
from .optimiser import find_name_faults
from .plan import NOISY_REPEATS, RepeatedMeasurement
from .sweep import Sweep
from .tasks import Task


class ScenarioSpec(ScenarioHead):
    """One experiment on one chip, completely described."""

    network: Network
    """Layers, connections, activation and cost."""

    physical: Physical | None = None
    """Volts, siemens and seconds of the model; absent: everything is dimensionless."""

    dynamics: Dynamics = Dynamics()
    """How the chip settles."""

    phases: Phases = Phases()
    """How the phases of a measurement follow each other."""

    devices: Devices = Devices()
    """Imperfections; absent: an ideal chip."""

    energy: Energy = Energy()
    """What a measurement costs."""

    learning: Learning = Learning()
    """How gradients are estimated, and what is done with them."""

    task: Task
    """Data."""

    experiment: Experiment
    """What is done with the chip."""

    hardware: Hardware | None = None
    """A chip on a board, which is measured in place of a simulated one; absent: a simulated chip."""

    sweep: Sweep | None = None
    """Values of keys that are varied; absent: none."""

    @model_validator(mode="after")
    def _schemes_for_measure(self) -> ScenarioSpec:
        needed = self.learning.rule.needs_scheme or not self.experiment.takes_rules
        if self.experiment.needs_scheme and needed and not self.learning.given_schemes():
            *names, last = (name for name, plan in PLANS.items() if plan.needs_scheme)
            words = f"{', '.join(names)} and {last} need a nudge scheme: add [learning] "
            words += 'scheme = { kind = "centred", beta = 0.2 }'
            raise PydanticCustomError("no_scheme", "{words}", {"words": words})
        return self

    @model_validator(mode="after")
    def _known_units(self) -> ScenarioSpec:
        found = conversion.find_unit_faults(self, self.physical)
        if not any(fault.path[0] == "dynamics" for fault in found):
            steps = times.find_time_faults(conversion.convert_to_plain(self.dynamics, self.physical))
            found += [fault._replace(path=("dynamics", *fault.path)) for fault in steps]
        refuse_faults([(fault.path, fault.message, fault.hint) for fault in found])
        return self

    @model_validator(mode="after")
    def _fit_together(self) -> ScenarioSpec:
        """Refuse combinations that have no meaning; each at the key that can be changed."""
        found: Found = []
        law = self.network.activation
        holomorphic = isinstance(law, str) and curves.is_holomorphic(law)
        one, plain = self.learning.scheme is not None, conversion.convert_to_plain(self, self.physical)
        schemes, dynamics = self.estimated(plain.learning), plain.dynamics
        for k, scheme in enumerate(plain.learning.given_schemes()):
            place = ("learning", "scheme") if one else ("learning", "schemes", k)
            if self.learning.written_schemes()[k].is_auto:
                found += [(place, *words) for words in find_search_faults(self.experiment, self.learning.rule)]
            if not holomorphic and scheme.needs_complex:
                hint = "take a scheme with real nudges, such as centred, or an activation such as sigmoid or dsilu"
                found.append((place, "needs complex states, which this activation does not have", hint))
            if wrong := scheme.fault():
                found.append((place, *wrong))
            if isinstance(scheme, Swing):
                found += [
                    (place, *words)
                    for words in find_swing_faults(scheme, dynamics, self.phases, self.experiment.only_curves)
                ]
        if not found:
            faults = plain.experiment.faults(schemes, dynamics, has_conjugate_answers(self.devices))
            found += [(("experiment", *place), message, hint) for place, message, hint in faults]
        record = getattr(self.experiment, "record", None)
        if record is not None and (self.dynamics.mode == "equilibrium" or self.dynamics.method == "rk45"):
            hint = 'set dynamics.mode = "trajectory" and a method of fixed steps'
            found.append((("experiment",), "settling curves need a trajectory of fixed steps", hint))
        if self.devices.noise.on and (fault := dynamics.noise_fault()):
            found.append((("devices", "noise"), "does not go with these dynamics", fault))
        if self.devices.noise.slow_reads and (fault := dynamics.slow_read_fault()):
            found.append((("devices", "noise"), "`read_flicker` and `telegraph` are slow", fault))
        refuse_faults(found + self._idle())
        return self

    def _idle(self) -> Found:
        """Return what has no effect or no meaning without another key."""
        devices, network = self.devices, self.network
        angle = network.asymmetry.angle if network.parameters is None else 0.0
        found = find_idle_faults(self) + _find_ledger_faults(self.learning.rule, self.experiment)
        dense = all(isinstance(path, str) for path in network.connections)
        for rule in self.experiment.rules or [self.learning.rule]:
            found += find_rule_faults(rule, network.activation, devices.feedback.tied, dense, self.learning.write)
            used = self.learning.given_schemes()[: 1 if self.experiment.rules else None] if rule.takes_scheme else []
            found += [
                (("learning", "rule"), f"{rule.kind} {fault}", 'take scheme = { kind = "centred", beta = 0.2 }')
                for scheme in used
                if (fault := rule.find_scheme_fault(scheme))
            ]
        found += find_cell_faults(devices.weights, devices.feedback, devices.wires, angle)
        wiring = network.layers, network.connections
        found += find_homeostasis_faults(self.learning.homeostasis, devices.feedback, *wiring)
        found += find_convolution_faults(network, self.dynamics, devices, self.physical, self.learning)
        found += find_hold_faults(devices.hold, self.phases.hold_time, self.physical)
        loaded = self.physical is not None and self.physical.synapse != "virtual-ground"
        policies = self.experiment.compared_policies
        found += find_write_faults(self.learning, policies, devices, network.connections, loaded)
        found += find_name_faults(self.learning.optimiser, network.layers, network.connections, network.cost)
        found += find_comparator_faults(devices) + find_pair_faults(devices) + find_range_faults(devices, self.physical)
        found += find_thermal_faults(devices.noise, self.physical, network.law)
        real = not any(scheme.needs_complex for scheme in self.learning.given_schemes())
        found += find_nudge_faults(devices.converters.nudge, self.phases, real)
        if self.energy.static and self._tau is None:
            hint = 'add tau = "1 us" (or capacitance and leak) to [physical]'
            found.append((("energy", "static"), "a power needs seconds, and so [physical] tau", hint))
        if self.energy.per_pulse and self.devices.update is None:
            hint = 'add devices.update = { kind = "constant-step", step = 0.001 }'
            found.append((("energy", "per_pulse"), "writes have no pulses", hint))
        passive = self.physical is not None and self.physical.synapse == "passive"
        faults = self.experiment.find_design_faults(network, devices, passive)
        found += [(("experiment", *place), message, hint) for place, message, hint in faults]
        return found + find_hardware_faults(self)

    @property
    def _tau(self) -> float | None:
        return self.physical.resolved().tau if self.physical else None

    def in_units(self) -> ScenarioSpec:
        """Return the scenario as substrate and learning take it: every level and time in units of the model."""
        plain: ScenarioSpec = conversion.convert_to_plain(self, self.physical)
        devices = add_thermal_noise(add_range(plain.devices, self.physical), self.physical)
        return plain.model_copy(update={"devices": devices})

    def tried(self) -> list[Scheme]:
        """Return every scheme that is measured; a study may try several sizes of each."""
        return self.experiment.tried(self.estimated(self.learning))

    def estimated(self, learning: Learning) -> list[Scheme]:
        """Return the schemes of `learning`, or what stands for its rule where the experiment is one of the rule."""
        return learning.all_schemes() if self.experiment.takes_rules else learning.given_schemes()

    def repeats(self, plan: RepeatedMeasurement) -> int:
        """Return how often a batch is measured; once where nothing is random."""
        devices, drawn = self.devices, self.experiment.takes_rules and self.learning.rule.draws
        random = drawn or has_random_measurements(devices) or has_random_writes(devices)
        return (plan.repeats or NOISY_REPEATS) if random else 1

    @property
    def tau(self) -> float | None:
        """Membrane time constant in seconds, where it is known."""
        return self._tau


def _find_ledger_faults(rule: LearningRule, experiment: Experiment) -> Found:
    """Return why the ledger of errors cannot judge a rule."""
    if not experiment.has_ledger or isinstance(rule, ErrorVector | Contrastive | Dyadic):
        return []
    hint = 'derive it from ErrorVector, or take experiment.kind = "train" without a ledger'
    return [(("learning", "rule"), f"the ledger of errors has no reference for the rule {rule.kind!r}", hint)]
