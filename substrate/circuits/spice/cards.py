"""A netlist of SPICE as cards: what a text says line by line, before it is a circuit.

The first line is the title. A line that begins with ``*`` is a comment, as is what follows ``;``, ``//`` or a ``$``
between blanks; one that begins with ``+`` continues the card before. Capitals and small letters are the same. Numbers
may have a suffix of size, and a unit behind it that says nothing: ``4.7k``, ``1megohm``, ``10pF``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

SUFFIXES = {"t": 12, "g": 9, "meg": 6, "k": 3, "m": -3, "u": -6, "µ": -6, "μ": -6, "n": -9, "p": -12, "f": -15}
"""Powers of ten by suffix; `mil`, a thousandth of an inch, stands apart."""

NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:e([+-]?[0-9]{1,4}))?(mil|meg|[tgkmunpfµμ]|)[a-z]*")

COMMENT = re.compile(r"(?:;|//|(?<!\S)\$(?!\S)).*")

SUPPORTED = "read are R, C, V, I, D and M of level 1, and pairs of E and F as amplifiers"

ANALYSES = {"op", "tran", "dc", "ac", "tf", "noise", "sens", "pz", "disto", "four", "measure", "meas"}
ANALYSES |= {"print", "plot", "save", "probe", "width", "title", "nodeset"}
"""Cards with a dot that change no circuit."""

LOADING_OPTIONS = {"rshunt", "cshunt", "scale", "defl", "defw"}
"""Options that change a circuit."""


class NetlistFault(NamedTuple):
    """Something in a netlist that cannot be read."""

    line: int
    """Number of the line, from 1; 0: none."""

    message: str
    hint: str
    """What to try."""


class Refusal(Exception):  # noqa: N818  (it becomes a fault)
    """A card cannot be read."""

    def __init__(self, message: str, hint: str = SUPPORTED) -> None:
        super().__init__(message)
        self.hint = hint


class Card(NamedTuple):
    """One element or command."""

    line: int
    name: str
    """As it is written."""

    words: tuple[str, ...]
    """What follows, in small letters."""

    parameters: dict[str, str]
    """What follows as ``name=value``, in small letters."""

    def read_value(self, text: str, what: str) -> float:
        """Return a number with its suffix.

        Raises
        ------
        Refusal
            If it is none, or is infinite.
        """
        number = read_number(text)
        if number is None:
            raise Refusal(f"{self.name}: {what} is {text!r}", "write a number such as 4.7k; expressions are not read")
        return number

    def read_positive(self, text: str, what: str) -> float:
        """Return a number above 0.

        Raises
        ------
        Refusal
            If it is none, or its inverse is too large.
        """
        number = self.read_value(text, what)
        if number < 1e-300:
            raise Refusal(f"{self.name}: {what} is {text}", "it must be positive")
        return number

    def check_form(self, count: range, form: str, *allowed: str) -> None:
        """Raise a `Refusal` unless the card has so many words and no parameters but the allowed ones."""
        unknown = ", ".join(sorted(self.parameters.keys() - set(allowed)))
        if unknown:
            raise Refusal(f"{self.name}: the parameter {unknown} is not read", f"the form that is read is: {form}")
        if len(self.words) not in count:
            raise Refusal(f"{self.name}: {len(self.words)} words behind the name", f"the form that is read is: {form}")


class Model(NamedTuple):
    """A card ``.model``."""

    kind: str
    parameters: dict[str, float]


class NetlistCards(NamedTuple):
    """A netlist as cards."""

    elements: list[Card]
    models: dict[str, Model]
    faults: list[NetlistFault]


def read_number(text: str) -> float | None:
    """Return a number of SPICE; None: it is none, or too large."""
    match = NUMBER.fullmatch(text.lower())
    if match is None:
        return None
    digits, power, suffix = match[1], int(match[2] or 0), match[3]
    if suffix == "mil":
        number = 25.4 * float(f"{digits}e{power - 6}")
    else:  # the power goes into the text, so that 2.5u is the number nearest to 2.5e-6
        number = float(f"{digits}e{power + SUFFIXES.get(suffix, 0)}")
    return number if abs(number) < float("inf") else None


def split_netlist(text: str) -> NetlistCards:
    """Return the cards of a netlist."""
    sheet = NetlistCards([], {}, [])
    seen = dict[str, int]()
    inside = False
    for card in _join_lines(text, sheet.faults):
        word = card.name.lower()
        try:
            if inside or word == ".control":
                if not inside:
                    raise Refusal("commands between .control and .endc are not read", "take them out")
            elif word.startswith("."):
                _read_command(card, word[1:], sheet.models)
            elif word in seen:
                raise Refusal(f"{card.name}: line {seen[word]} has an element of that name", "rename one of them")
            else:
                seen[word] = card.line
                sheet.elements.append(card)
        except Refusal as refusal:
            sheet.faults.append(NetlistFault(card.line, str(refusal), refusal.hint))
        inside = (inside or word == ".control") and word != ".endc"
    return sheet


def _join_lines(text: str, faults: list[NetlistFault]) -> list[Card]:
    """Return the cards up to ``.end``, comments taken out and continued lines joined."""
    found, ended = list[tuple[int, str]](), False
    for number, line in enumerate(text.splitlines()[1:], 2):
        plain = COMMENT.sub("", line).strip()
        if not plain or plain.startswith("*"):
            continue
        if ended:
            faults.append(NetlistFault(number, f"{plain.split()[0]} is behind .end", "move it up, or take it out"))
        elif plain.lower() == ".end":
            ended = True
        elif not plain.startswith("+"):
            found.append((number, plain))
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {plain[1:]}")
        else:
            faults.append(NetlistFault(number, "the line continues nothing", "the first line is the title"))
    return [_split_card(number, line) for number, line in found]


def _split_card(line: int, text: str) -> Card:
    parts = re.sub(r"\s*=\s*", "=", re.sub(r"[(),]", " ", text)).split()
    name, rest = (parts or ["()"])[0], [part.lower() for part in parts[1:]]
    parameters = dict(part.split("=", 1) for part in rest if "=" in part)
    return Card(line, name, tuple(part for part in rest if "=" not in part), parameters)


def _read_command(card: Card, word: str, models: dict[str, Model]) -> None:
    """Take in a card that begins with a dot."""
    if word == "model":
        card.check_form(range(2, 3), ".model NAME KIND(PARAMETER=VALUE ...)", *card.parameters)
        name, kind = card.words
        if name in models:
            raise Refusal(f".model {name} is there twice", "rename one of them")
        values = {key: card.read_value(text, key) for key, text in card.parameters.items()}
        models[name] = Model(kind, values)
    elif word in {"option", "options"}:
        for key in ("temp", "tnom"):
            if card.read_value(card.parameters.get(key, "27"), key) != 27.0:
                raise Refusal(f"{card.name} {key}={card.parameters[key]}", "netlists are read at 27 degrees Celsius")
        loading = ", ".join(sorted(LOADING_OPTIONS & {*card.parameters, *card.words}))
        if loading:
            raise Refusal(f"the option {loading} changes the circuit", "take it out and say the same by elements")
    elif word not in ANALYSES:
        raise Refusal(f"{card.name} is not read", f"write the circuit flat and in numbers; {SUPPORTED}")
