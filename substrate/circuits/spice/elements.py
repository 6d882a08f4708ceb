"""What one card of a netlist says: the nodes and numbers of an element."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from .cards import Card, Model, Refusal
from .deck import GROUND, THERMAL_VOLTAGE

REFUSED = {
    "a": "code models",
    "b": "behavioural sources",
    "g": "sources controlled by a voltage",
    "h": "voltages controlled by a current",
    "j": "junction field-effect transistors",
    "k": "coupled inductors",
    "l": "inductors",
    "o": "lossy lines",
    "q": "bipolar transistors",
    "s": "switches",
    "t": "transmission lines",
    "u": "distributed lines",
    "w": "switches",
    "x": "subcircuits",
    "y": "lossy lines",
    "z": "field-effect transistors",
}
"""What first letters stand for that are not read."""

Models = Mapping[str, Model]


class Element(NamedTuple):
    """One element of a netlist."""

    card: Card
    nodes: tuple[str, ...]
    """In the order of the card, the ground as ``0``; the control of an E, the sense source of an F left out."""

    values: tuple[float, ...]
    """Its numbers in SI units, in the order of the fields of `CircuitGraph`."""


def read_element(card: Card, models: Models) -> Element:
    """Return the element of a card.

    Raises
    ------
    Refusal
        If it cannot be read.
    """
    letter = card.name[0].lower()
    if letter in _READERS:
        return _READERS[letter](card, models)
    what = f"{REFUSED[letter]} are not read" if letter in REFUSED else "no element of SPICE begins so"
    raise Refusal(f"{card.name}: {what}")


def rename_ground(node: str) -> str:
    """Return the name of a node in small letters, and 0 for all names of the ground."""
    return "0" if node.lower() in GROUND else node.lower()


def _name_nodes(card: Card, count: int) -> tuple[str, ...]:
    return tuple(rename_ground(word) for word in card.words[:count])


def _read_resistor(card: Card, _: Models) -> Element:
    card.check_form(range(3, 4), "R a b RESISTANCE")
    return Element(card, _name_nodes(card, 2), (1.0 / card.read_positive(card.words[2], "the resistance"),))


def _read_capacitor(card: Card, _: Models) -> Element:
    card.check_form(range(3, 4), "C a b CAPACITANCE IC=VOLTS", "ic")
    initial = card.read_value(card.parameters["ic"], "IC") if "ic" in card.parameters else np.nan
    return Element(card, _name_nodes(card, 2), (card.read_positive(card.words[2], "the capacitance"), initial))


def _read_source(card: Card, _: Models) -> Element:
    words = [word for k, word in enumerate(card.words) if (k, word) != (2, "dc")]
    form = f"{card.name[0].upper()} a b DC VALUE"
    card._replace(words=tuple(words)).check_form(range(2, 4), form, "dc")
    value = card.parameters.get("dc", words[2] if len(words) > 2 else "0")
    return Element(card, _name_nodes(card, 2), (card.read_value(value, "the value"),))


def _read_diode(card: Card, models: Models) -> Element:
    card.check_form(range(3, 4), "D anode cathode MODEL")
    model = _find_model(card, models, card.words[2], "d", {"level": 1.0, "is": 1e-14, "n": 1.0})
    if min(model["is"], model["n"]) <= 0.0:
        raise Refusal(f"{card.name}: IS={model['is']} N={model['n']}", "both must be positive")
    return Element(card, _name_nodes(card, 2), (model["is"], model["n"] * THERMAL_VOLTAGE))


def _read_transistor(card: Card, models: Models) -> Element:
    card.check_form(range(5, 6), "M drain gate source bulk MODEL W=WIDTH L=LENGTH", "w", "l")
    usual = {"level": 1.0, "vto": 0.0, "kp": 2e-5, "gamma": 0.0, "lambda": 0.0, "phi": 0.6, "is": 1e-14}
    model = _find_model(card, models, card.words[4], "nmos", usual)
    if model["gamma"] or model["lambda"]:
        raise Refusal(f"{card.name}: GAMMA={model['gamma']} LAMBDA={model['lambda']}", "both must be 0")
    width, length = (card.read_positive(card.parameters.get(key, "100u"), key.upper()) for key in ("w", "l"))
    strength = model["kp"] * width / length
    if not 0.0 < strength < np.inf:
        raise Refusal(f"{card.name}: KP W/L is {strength}", "it must be positive")
    return Element(card, _name_nodes(card, 4), (strength, model["vto"]))


def _find_model(card: Card, models: Models, name: str, kind: str, usual: dict[str, float]) -> dict[str, float]:
    """Return the parameters of a model, those that it does not set as they are without it."""
    if name not in models:
        known = ", ".join(models) or "none"
        raise Refusal(f"{card.name}: there is no .model {name}", f"models of this netlist: {known}")
    model = models[name]
    unknown = ", ".join(sorted(model.parameters.keys() - usual.keys())).upper()
    what = "of that level" if model.parameters.get("level", 1.0) != 1.0 else unknown and f"with {unknown}"
    if model.kind != kind:
        what = "of that kind"
    if what:
        hint = f"read are {kind.upper()} of level 1 with {', '.join(usual).upper()}"
        raise Refusal(f"{card.name}: its model {name}, {model.kind.upper()}, {what} is not read", hint)
    return usual | model.parameters


def _read_voltage_gain(card: Card, _: Models) -> Element:
    form = "E exit 0 entry 0 GAIN"
    card.check_form(range(5, 6), form)
    nodes = _name_nodes(card, 4)
    if nodes[1] != "0" or nodes[3] != "0":
        raise Refusal(
            f"{card.name}: its voltages are not those against the ground", f"the form that is read is: {form}"
        )
    return Element(card, nodes[:3:2], (card.read_value(card.words[4], "the gain"),))


def _read_current_gain(card: Card, _: Models) -> Element:
    card.check_form(range(4, 5), "F entry 0 SENSE GAIN")
    return Element(card, _name_nodes(card, 2), (card.read_value(card.words[3], "the gain"),))


_READERS: dict[str, Callable[[Card, Models], Element]] = {
    "r": _read_resistor,
    "c": _read_capacitor,
    "v": _read_source,
    "i": _read_source,
    "d": _read_diode,
    "m": _read_transistor,
    "e": _read_voltage_gain,
    "f": _read_current_gain,
}
