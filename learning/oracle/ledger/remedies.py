"""Oracle side: what can be changed against a cause of error: a part of it taken away, or a key turned.

Every remedy leads from a setting to a better one, or to the setting itself where there is nothing to change. What it
gains is measured, see `learning.oracle.ledger.gains`. Nothing here needs a chip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel

from devices.imperfection import COMMON, DIFFERENT, RANDOM
from substrate.chip.causes import DECLARED, remove_causes
from substrate.chip.design import Design
from substrate.dynamics.methods import Phase

from ...schemes.nodes import Centred, OneSided
from ...schemes.scheme import Scheme


class GradientSetting(NamedTuple):
    """How a gradient is measured."""

    design: Design
    scheme: Scheme
    alike: bool = False
    """Whether feedback weights are programmed as the transposed forward ones."""


class Remedy(NamedTuple):
    """One change."""

    terms: tuple[str, ...]
    """Terms of the ledger that it acts on."""

    change: Callable[[GradientSetting], GradientSetting]


def _make_cause_remover(cause: str) -> Callable[[GradientSetting], GradientSetting]:
    """Return what takes a whole cause away."""
    return lambda setting: setting._replace(design=remove_causes(setting.design, cause))


def _make_key_idealiser(part: str, **values: object) -> Callable[[GradientSetting], GradientSetting]:
    """Return what gives keys of one part of the design ideal values; a dot leads into the part."""
    field, _, inner = part.partition(".")

    def change(setting: GradientSetting) -> GradientSetting:
        block = setting.design.part(field)
        within = getattr(block, inner) if inner else block
        if within is None:
            return setting
        ideal = within.model_copy(update=values)
        changed: dict[str, Any] = {field: block.model_copy(update={inner: ideal}) if inner else ideal}
        return setting._replace(design=setting.design.replace(**changed))

    return change


FINE_BITS = 24
"""Bits of a readout converter that loses nothing."""


def _refine_readout(setting: GradientSetting) -> GradientSetting:
    """Return the setting with a fine readout converter; measured transitions belong to the coarser one."""
    return _drop_measured_readout(_make_key_idealiser("converters.readout", bits=FINE_BITS)(setting), setting)


def _linearise_readout(setting: GradientSetting) -> GradientSetting:
    """Return the setting with equal steps of the readout converter."""
    return _drop_measured_readout(_make_key_idealiser("converters.readout", unit_sigma=0.0)(setting), setting)


def _drop_measured_readout(better: GradientSetting, setting: GradientSetting) -> GradientSetting:
    tables = setting.design.measured_converters or {}
    if "readout" not in tables:
        return better
    left = {name: table for name, table in tables.items() if name != "readout"}
    better = _make_key_idealiser("converters.readout", measured=None)(better)
    return better._replace(design=better.design._replace(measured_converters=left))


def _make_writes_faithful(setting: GradientSetting) -> GradientSetting:
    """Return the setting with cells that hold whatever they are programmed to."""
    update = setting.design.devices.update
    return setting if update is None or update.faithful else _make_cause_remover("write")(setting)


def _lengthen_phases(setting: GradientSetting) -> GradientSetting:
    """Return the setting with phases twice as long, or a hundredth of the tolerance."""
    dynamics, beta = setting.design.dynamics, setting.scheme.beta

    def stretched(phase: Phase, beta: float) -> Phase:
        if phase.fixed:
            both = {"steps": phase.steps, "duration": phase.duration}
            return phase.model_copy(update={name: 2 * value for name, value in both.items() if value is not None})
        tolerance = 0.01 * phase.end(dynamics.precision, beta)
        return phase.model_copy(update={"tolerance": tolerance, "max_steps": 4 * phase.max_steps})

    ends = {"free": stretched(dynamics.free, 0.0), "nudged": stretched(dynamics.nudged, beta)}
    return setting._replace(design=setting.design.replace(dynamics=dynamics.model_copy(update=ends)))


def _widen_windows(setting: GradientSetting) -> GradientSetting:
    """Return the setting with averaging windows four times as long."""
    dynamics = setting.design.dynamics
    windows = {n: getattr(dynamics, n) for n in ("free", "nudged")}
    ends = {n: phase.model_copy(update={"window": 4.0 * phase.window}) for n, phase in windows.items()}
    return setting._replace(design=setting.design.replace(dynamics=dynamics.model_copy(update=ends)))


def _make_nudge_scaler(factor: float) -> Callable[[GradientSetting], GradientSetting]:
    return lambda s: s._replace(scheme=s.scheme.model_copy(update={"beta": factor * s.scheme.beta}))


def _centre_nudge(setting: GradientSetting) -> GradientSetting:
    one = isinstance(setting.scheme, OneSided)
    return setting._replace(scheme=Centred(beta=setting.scheme.beta)) if one else setting


def _symmetrise_weights(setting: GradientSetting) -> GradientSetting:
    tied = setting.design.devices.feedback.tied or not setting.design.topology.pairs()
    return setting if tied else setting._replace(alike=True)


_ASYMMETRY, _SETTLING, _READOUT, _NOISE = ("asymmetry", "model"), ("settling",), ("readout",), ("noise",)

_TERMS = {COMMON: _ASYMMETRY, DIFFERENT: _READOUT, RANDOM: _NOISE}
"""The term of the ledger that holds the causes of a class, see `substrate.chip.causes`."""

_WHOLE = {
    name: Remedy(_ASYMMETRY if one.cause.of_weights else _TERMS[one.cause.kind], _make_cause_remover(name))
    for name, one in DECLARED.items()
    if one.cause.cure
}
"""Causes that can be taken away as a whole."""

REMEDIES: dict[str, Remedy] = {
    **{name: remedy for name, remedy in _WHOLE.items() if DECLARED[name].cause.of_weights},
    "correction-knowledge": Remedy(_ASYMMETRY, _make_cause_remover("correction-knowledge")),
    "cell-bounds": Remedy(_ASYMMETRY, _make_writes_faithful),
    "symmetric-weights": Remedy(("asymmetry",), _symmetrise_weights),
    "smaller-nudge": Remedy(("finite_nudge",), _make_nudge_scaler(0.5)),
    "centred-nudge": Remedy(("finite_nudge",), _centre_nudge),
    "longer-phases": Remedy(_SETTLING, _lengthen_phases),
    "neuron-speeds": Remedy(_SETTLING, _make_key_idealiser("neurons", slew=None, synapse_tau=0.0, tau_sigma=0.0)),
    "double-precision": Remedy(("precision",), _make_key_idealiser("dynamics", precision="double")),
    "bits": Remedy(_READOUT, _refine_readout),
    "linearity": Remedy(_READOUT, _linearise_readout),
    "converter-spread": Remedy(
        _READOUT, _make_key_idealiser("converters.readout", offset=0.0, offset_sigma=0.0, gain_sigma=0.0)
    ),
    "pedestal": Remedy(_READOUT, _make_key_idealiser("hold", pedestal=0.0, pedestal_sigma=0.0)),
    "droop": Remedy(_READOUT, _make_key_idealiser("hold", droop_tau=None, droop_sigma=0.0)),
    "nudge-gain": Remedy(
        _READOUT, _make_key_idealiser("converters.nudge", gain=1.0, gain_negative=None, gain_sigma=0.0)
    ),
    "nudge-offset": Remedy(_READOUT, _make_key_idealiser("converters.nudge", offset=0.0)),
    "nudge-range": Remedy(_READOUT, _make_key_idealiser("converters.nudge", full_scale=None, bits=None, measured=None)),
    **{name: remedy for name, remedy in _WHOLE.items() if not DECLARED[name].cause.of_weights},
    "hold-noise": Remedy(_NOISE, _make_key_idealiser("hold", noise=0.0, capacitance=None)),
    "longer-window": Remedy(_NOISE, _widen_windows),
    "larger-nudge": Remedy(("precision", "readout", "noise"), _make_nudge_scaler(2.0)),
}
"""What can be done, by name."""

_TABLES = {
    "devices": "devices",
    "dynamics": "dynamics",
    "correction": "learning.correction",
    "synapse": "physical.synapse",
}
"""Where a scenario says each field of a design."""


def list_possible_remedies(setting: GradientSetting, terms: tuple[str, ...] | None = None) -> list[str]:
    """Return the remedies that change `setting`; of some terms of the ledger, or of all."""
    wanted = [name for name, r in REMEDIES.items() if terms is None or set(terms) & set(r.terms)]
    return [name for name in wanted if REMEDIES[name].change(setting) != setting]


def list_changed_keys(before: GradientSetting, after: GradientSetting) -> list[str]:
    """Return the keys of a scenario that make the difference between two settings, as far as they are set."""
    found = [
        key for name, key in _TABLES.items() for key in _iterate_differences(key, before.design, after.design, name)
    ]
    if before.scheme != after.scheme:
        found.append("beta" if before.scheme.beta != after.scheme.beta else "kind")
    return found


def _iterate_differences(key: str, before: Any, after: Any, name: str) -> Iterator[str]:
    one, other = getattr(before, name), getattr(after, name)
    if one == other or name == "preset":
        return
    if not isinstance(one, BaseModel) or (other is not None and type(one) is not type(other)):
        yield key
    elif other is None:
        usual = type(one).model_fields
        yield from (f"{key}.{n}" for n in usual if n not in ("kind", "preset") and getattr(one, n) != usual[n].default)
    else:
        for field in type(one).model_fields:
            yield from _iterate_differences(f"{key}.{field}", one, other, field)
